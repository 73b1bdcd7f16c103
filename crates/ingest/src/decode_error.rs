use market::{Handle, Scope};
use std::fmt;

use crate::ErrorKind;

/// How much of the record an error shows, in bytes.
const EXCERPT: usize = 64;

/// Why a record could not be read. Whoever reports it adds topic, partition and offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where, as a path such as `data.b[3][1]`; empty for the whole record.
    pub field: String,
    /// What stands there.
    pub found: Excerpt,
    /// The instrument that the record is subject, as far as that could be told.
    pub instrument: Option<Handle>,
    /// What of that instrument is in doubt.
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

/// The beginning of what stands where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Excerpt(String);

impl Excerpt {
    /// Of any bytes; what is no text is replaced, and control characters are escaped.
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

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
