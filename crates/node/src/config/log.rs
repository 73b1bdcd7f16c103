use tracing_subscriber::EnvFilter;

use super::kind::{checked, choice};
use super::reader::Reader;
use super::section::{Section as _, section};
use crate::logging::{Log, LogFormat};

const LEVELS: &str =
    r#"off, error, warn, info, debug or trace, or several such as "info,fanout=debug""#;

section! {
    LogTable in "log":
    /// What is logged to standard error.
    live level: String = checked(LEVELS, log_filter), default "info";
    /// The log's format: text, or one JSON object per line.
    fixed format: LogFormat =
        choice(&[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)]), default "pretty";
}

pub(super) fn read(reader: &mut Reader) -> Log {
    let log = LogTable::read(reader);
    Log {
        filter: log.level,
        format: log.format,
    }
}

/// Checks log levels. The parser of the filter itself would take a misspelt level for a target.
///
/// # Errors
///
/// Returns the allowed levels.
pub fn log_filter(text: &str) -> Result<String, String> {
    let is_level =
        |level: &str| ["off", "error", "warn", "info", "debug", "trace"].contains(&level);
    let is_directive = |directive: &str| match directive.rsplit_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(directive),
    };
    let known = text
        .split(',')
        .all(|directive| is_directive(directive.trim()));
    if known && EnvFilter::builder().parse(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(LEVELS.to_owned())
    }
}
