use std::collections::BTreeMap;
use std::fmt;

/// A value as it was given, before it is parsed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A quoted string in the file.
    Text(String),
    /// A number, boolean or date in the file, as text; integers in decimal.
    Bare(String),
    /// A text from the environment or a flag, which is read as the type of its key.
    Loose(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(BTreeMap<String, Node>),
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere.
    Default,
    /// In this line of the file.
    Line(usize),
    /// In this environment variable.
    Environment(String),
    /// On the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Line(line) => write!(f, "line {line}"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

impl Value {
    /// The text of a quoted or loose value.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Loose(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a number, or of a loose value that may be one.
    pub(super) fn bare(&self) -> Option<&str> {
        match self {
            Self::Bare(text) | Self::Loose(text) => Some(text),
            _ => None,
        }
    }

    /// The text of any value but lists and tables.
    pub(super) fn scalar(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Bare(text) | Self::Loose(text) => Some(text),
            Self::List(_) | Self::Table(_) => None,
        }
    }
}

impl fmt::Display for Value {
    /// As it would be written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Loose(text) => f.write_str(&quote(text)),
            Self::Bare(text) => f.write_str(text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.value.to_string()).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Table(_) => f.write_str("{…}"),
        }
    }
}

/// Formats a basic string of TOML.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
