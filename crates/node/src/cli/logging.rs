use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat};

/// The tools beside a node say what they have to say themselves.
const PLAIN_LEVEL: &str = "warn";

/// Starts the log of a node, on standard error.
pub(super) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter).context("log.level")?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match log.format {
        LogFormat::Pretty => lines.finish().try_init(),
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    started.context("cannot start the log")
}

/// Starts the log of a tool beside a node.
pub(super) fn start_plain(level: Option<&str>) -> anyhow::Result<()> {
    start(&Log {
        filter: level.unwrap_or(PLAIN_LEVEL).to_owned(),
        format: LogFormat::Pretty,
    })
}
