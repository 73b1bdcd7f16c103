//! Cluster ids, which distinguish a broker from any other.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// 16 bytes in base64url without padding: 21 characters of 6 bits and one of 2.
const LENGTH: usize = 22;

/// A new, unique id.
pub(super) fn new_id() -> String {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    // The first six bits are zero, since an id with a leading dash would be an option.
    encode(((half() << 64) | half()) >> 6)
}

/// The id of a formatted data directory.
pub(super) fn id_in(data: &Path) -> Option<String> {
    let properties = fs::read_to_string(data.join("meta.properties")).ok()?;
    properties
        .lines()
        .find_map(|line| line.strip_prefix("cluster.id="))
        .map(str::to_owned)
}

fn encode(id: u128) -> String {
    let sextet = |place: usize| {
        let bits = if place + 1 < LENGTH {
            id >> (122 - 6 * place)
        } else {
            id << 4
        };
        let index = usize::try_from(bits & 63).unwrap_or_default();
        char::from(ALPHABET[index])
    };
    (0..LENGTH).map(sextet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_base64_of_16_bytes() {
        assert_eq!(
            encode(u128::from_be_bytes(*b"tapecast-kafka-1")),
            "dGFwZWNhc3Qta2Fma2EtMQ"
        );
    }

    #[test]
    fn no_name_is_given_twice_or_begins_with_a_dash() {
        let (one, other) = (new_id(), new_id());
        assert_ne!(one, other);
        assert!(one.starts_with('A'));
    }
}
