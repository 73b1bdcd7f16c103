use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use fanout_core::Grant;

use super::Denied;

/// The SHA-256 of a key; the key itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest([u8; 32]);

/// A key and what it grants.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// The key.
    pub digest: KeyDigest,
    /// What its holder may have.
    pub grant: Arc<Grant>,
}

/// The configured keys.
#[derive(Debug, Clone, Default)]
pub struct StaticKeys(Vec<KeyEntry>);

impl KeyDigest {
    /// Parses 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u32> = text
            .chars()
            .map(|digit| digit.to_digit(16))
            .collect::<Option<_>>()?;
        let bytes = digits.chunks(2).map(|pair| match *pair {
            [high, low] => u8::try_from(high << 4 | low).ok(),
            _ => None,
        });
        let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
        bytes.try_into().ok().map(Self)
    }

    /// The digest of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        Self(bytes)
    }
}

/// Only the first bytes, which tell keys apart and open nothing.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "{a:02x}{b:02x}…")
    }
}

impl StaticKeys {
    /// Creates the set of these keys.
    #[must_use]
    pub const fn new(entries: Vec<KeyEntry>) -> Self {
        Self(entries)
    }

    /// Finds the grant of a key. All keys are compared in full, so that the time taken reveals nothing.
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
