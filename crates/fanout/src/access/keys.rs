use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use fanout_core::Grant;

use super::Denied;

/// The SHA-256 of a key, which is all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u8; 32]);

/// A key and what it is for.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// Which key.
    pub digest: KeyDigest,
    /// What whoever has it may have.
    pub grant: Arc<Grant>,
}

/// Keys that are configured.
#[derive(Debug, Clone, Default)]
pub struct StaticKeys(Vec<KeyEntry>);

impl KeyDigest {
    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            let digits = text.get(at..at + 2)?;
            // `from_str_radix` takes a sign.
            let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = are_digits
                .then(|| u8::from_str_radix(digits, 16).ok())
                .flatten()?;
        }
        Some(Self(bytes))
    }

    /// Of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes
            .iter_mut()
            .zip(digest(&SHA256, key.as_bytes()).as_ref())
        {
            *to = *from;
        }
        Self(bytes)
    }
}

/// Its beginning, which tells keys apart and opens nothing.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "{a:02x}{b:02x}…")
    }
}

impl StaticKeys {
    /// These keys.
    #[must_use]
    pub const fn new(entries: Vec<KeyEntry>) -> Self {
        Self(entries)
    }

    /// Who has that key. All keys are compared, each as a whole, so that the time tells nothing.
    pub(super) fn find(&self, key: &str) -> Result<Arc<Grant>, Denied> {
        let digest = KeyDigest::of(key);
        let mut found = None;
        for entry in &self.0 {
            if bool::from(entry.digest.0.ct_eq(&digest.0)) {
                found = Some(&entry.grant);
            }
        }
        found.map(Arc::clone).ok_or(Denied::UnknownKey)
    }
}
