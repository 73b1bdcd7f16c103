use tracing_subscriber::EnvFilter;

use super::key::Kind;
use super::reader::Reader;
use crate::logging::{Log, LogFormat};

impl Log {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            filter: reader.checked("log.level", log_filter).unwrap_or_default(),
            format: match reader.choice("log.format") {
                "json" => LogFormat::Json,
                _ => LogFormat::Pretty,
            },
        }
    }
}

/// Checks a text of levels. The filter's own parser takes a misspelt level for the name of a target.
pub fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |level: &str| LEVELS.contains(&level);
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
        Err(Kind::LogLevel.expected())
    }
}
