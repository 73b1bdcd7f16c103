use std::fmt;

use super::value::{Node, Origin};

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The path of the key, such as `topics[0].pattern`; empty when the file is
    /// no TOML, or a variable has a name that means no key.
    pub key: String,
    /// What was given, as it would stand in the file; redacted when it is secret.
    pub value: Option<String>,
    /// Where it was given.
    pub origin: Origin,
    /// What it may be, or what is wrong with it.
    pub expected: String,
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    /// The file, when there is one.
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

    /// A key that has to be there and is not.
    pub(super) fn missing(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
            origin: Origin::Default,
            expected: expected.into(),
        }
    }

    /// A variable of the environment that sets no key.
    pub(super) fn unknown_variable(name: &str, expected: String) -> Self {
        Self {
            key: String::new(),
            value: None,
            origin: Origin::Environment(name.to_owned()),
            expected,
        }
    }

    /// A value that its key cannot have.
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

/// What stands for a secret wherever a configuration is shown.
pub(super) const REDACTED: &str = "\"<redacted>\"";

/// Whether the value of that key must not be shown: librdkafka's passwords, secrets, private keys
/// and what its OAuth method is given; also below a section whose name was misspelt.
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
