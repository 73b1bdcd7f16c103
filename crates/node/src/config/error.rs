use std::fmt;

use super::value::{Node, Origin};

/// One error in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the key, such as `topics[0].pattern`; empty for syntax errors and unknown variables.
    pub key: String,
    /// The value as it would be written in the file; redacted if it is secret.
    pub value: Option<String>,
    /// Where it was set.
    pub origin: Origin,
    /// What is allowed, or what is wrong.
    pub expected: String,
}

/// All errors in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file, if there is one.
    pub file: Option<String>,
    /// At least one.
    pub list: Vec<ConfigError>,
}

impl ConfigError {
    pub(super) fn syntax(line: usize, message: String) -> Self {
        Self {
            key: String::new(),
            value: None,
            origin: Origin::Line(line),
            expected: message,
        }
    }

    /// A required key is missing.
    pub(super) fn missing(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
            origin: Origin::Default,
            expected: expected.into(),
        }
    }

    /// An environment variable sets no key.
    pub(super) fn unknown_variable(name: &str, expected: String) -> Self {
        Self {
            key: String::new(),
            value: None,
            origin: Origin::Environment(name.to_owned()),
            expected,
        }
    }

    /// A value is not allowed.
    pub(super) fn wrong(key: impl Into<String>, node: &Node, expected: impl Into<String>) -> Self {
        let key = key.into();
        let value = if is_secret(&key) {
            REDACTED.to_owned()
        } else {
            node.value.to_string()
        };
        Self {
            key,
            value: Some(value),
            origin: node.origin.clone(),
            expected: expected.into(),
        }
    }
}

/// Shown in place of secrets.
pub(super) const REDACTED: &str = "\"<redacted>\"";

/// Returns whether the value of a key must not be shown: passwords, secrets, private keys and OAuth settings of
/// librdkafka, also below a misspelt section.
pub(super) fn is_secret(key: &str) -> bool {
    const MARKS: [&str; 5] = [
        "password",
        "secret",
        "key.pem",
        "oauthbearer.config",
        "token",
    ];
    let key = key.to_ascii_lowercase();
    key == "kafka.properties" || MARKS.iter().any(|mark| key.contains(mark))
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            _ if self.key.is_empty() => write!(f, "{}: {}", self.origin, self.expected),
            Some(value) => write!(
                f,
                "{} = {value} ({}): {}",
                self.key, self.origin, self.expected
            ),
            None => write!(f, "{} is missing: {}", self.key, self.expected),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        let noun = if count == 1 { "error" } else { "errors" };
        write!(f, "{count} {noun} in the configuration")?;
        if let Some(file) = &self.file {
            write!(f, " ({file})")?;
        }
        for error in &self.list {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
