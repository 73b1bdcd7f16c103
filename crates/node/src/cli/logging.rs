use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

use super::recent::Recent;
use crate::config::{Log, LogFormat};

/// The tools beside a node say what they have to say themselves.
const PLAIN_LEVEL: &str = "warn";

/// The log that runs: its levels can be changed, and its last warnings looked at.
pub(crate) struct LogHandle {
    filter: Handle<EnvFilter, Registry>,
    pub(crate) recent: Recent,
}

impl LogHandle {
    /// Logs these levels from now on.
    pub(crate) fn set_filter(&self, filter: &str) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(filter).context("log.level")?;
        self.filter.reload(filter).context("cannot change the log")
    }
}

#[cfg(test)]
impl LogHandle {
    /// One of a log that nobody reads.
    pub(crate) fn unheard() -> Self {
        let (_, filter) = reload::Layer::new(EnvFilter::default());
        Self {
            filter,
            recent: Recent::default(),
        }
    }
}

/// Starts the log of a node, on standard error.
pub(super) fn start(log: &Log) -> anyhow::Result<LogHandle> {
    let filter = EnvFilter::try_new(&log.filter).context("log.level")?;
    let (filter, handle) = reload::Layer::new(filter);
    let recent = Recent::default();
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let log_of = tracing_subscriber::registry()
        .with(filter)
        .with(recent.clone());
    let started = match log.format {
        LogFormat::Pretty => log_of.with(lines).try_init(),
        LogFormat::Json => log_of.with(lines.json().flatten_event(true)).try_init(),
    };
    started.context("cannot start the log")?;
    Ok(LogHandle {
        filter: handle,
        recent,
    })
}

/// Starts the log of a tool beside a node.
pub(super) fn start_plain(level: Option<&str>) -> anyhow::Result<()> {
    start(&Log {
        filter: level.unwrap_or(PLAIN_LEVEL).to_owned(),
        format: LogFormat::Pretty,
    })?;
    Ok(())
}
