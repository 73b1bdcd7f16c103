mod recent;

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

pub(crate) use recent::Recent;

/// Settings of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Levels, in the syntax of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    /// Format of its lines.
    pub format: LogFormat,
}

/// Format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

/// The running log: changes its levels and keeps its last warnings.
pub struct LogHandle {
    filter: Handle<EnvFilter, Registry>,
    pub(crate) recent: Recent,
}

impl LogHandle {
    /// Changes the levels.
    pub(crate) fn set_filter(&self, filter: &str) -> anyhow::Result<()> {
        let filter = EnvFilter::try_new(filter).context("log.level")?;
        self.filter.reload(filter).context("cannot change the log")
    }
}

#[cfg(test)]
impl LogHandle {
    /// A handle of a log without output.
    pub(crate) fn silent() -> Self {
        let (_, filter) = reload::Layer::new(EnvFilter::default());
        Self {
            filter,
            recent: Recent::default(),
        }
    }
}

/// Starts logging to standard error.
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
