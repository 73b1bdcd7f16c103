use market::{Handle, Scope};
use std::fmt;

use crate::ErrorKind;

/// The longest excerpt of a record in an error, in bytes.
const EXCERPT: usize = 64;

/// The error of a record that could not be decoded. Its reporter adds the topic, the partition and
/// the offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// The path of the bad field, such as `data.b[3][1]`; empty if the whole record is bad.
    pub field: String,
    /// The start of the field's value.
    pub found: Excerpt,
    /// The instrument that the record is about, if it could be determined.
    pub instrument: Option<Handle>,
    /// The part of the instrument's data that may now be incomplete.
    pub scope: Scope,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "field {} ", self.field)?;
        }
        self.kind.fmt(f)?;
        if !self.found.as_str().is_empty() {
            write!(f, ", found {}", self.found.as_str())?;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeError {}

/// The start of a bad value, as printable text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt(String);

impl Excerpt {
    /// Makes an excerpt of any bytes: invalid UTF-8 is replaced, and control characters are
    /// escaped.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let short = &bytes[..bytes.len().min(EXCERPT)];
        let mut text: String = String::from_utf8_lossy(short)
            .chars()
            .flat_map(|c| {
                let escaped = c.is_control().then(|| c.escape_default());
                let plain = escaped.is_none().then_some(c);
                escaped.into_iter().flatten().chain(plain)
            })
            .collect();
        if bytes.len() > EXCERPT {
            text.push('…');
        }
        Self(text)
    }

    /// The excerpt as a string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
