mod recent;

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

pub(crate) use recent::Recent;

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Levels, as `tracing_subscriber::EnvFilter` reads them.
    pub filter: String,
    /// How it is written.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For eyes.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The log that runs: its levels can be changed, and its last warnings looked at.
pub struct LogHandle {
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
pub fn start_log(log: &Log) -> anyhow::Result<LogHandle> {
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
