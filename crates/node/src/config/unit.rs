//! Durations and sizes with units: `250ms`, `5s`, `256KiB`.

use std::time::Duration;

/// Units in nanoseconds, ascending.
const DURATIONS: [(&str, u64); 6] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Units in bytes, ascending.
const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Parses an integer followed by a unit.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let (_, ns) = DURATIONS.into_iter().find(|(name, _)| *name == unit)?;
    Some(Duration::from_nanos(number.checked_mul(ns)?))
}

/// Formats in the coarsest unit that needs no fraction.
pub(super) fn show_duration(span: Duration) -> String {
    let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    DURATIONS
        .into_iter()
        .rev()
        .find(|(_, unit)| ns >= *unit && ns.is_multiple_of(*unit))
        .map_or_else(
            || "0s".to_owned(),
            |(name, unit)| format!("{}{name}", ns / unit),
        )
}

/// Parses bytes, or an integer followed by a unit.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    if unit.is_empty() {
        return Some(number);
    }
    let (_, bytes) = SIZES.into_iter().find(|(name, _)| *name == unit)?;
    number.checked_mul(bytes)
}

/// Formats in the coarsest unit that needs no fraction.
pub(super) fn show_size(bytes: u64) -> String {
    SIZES
        .into_iter()
        .rev()
        .find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit))
        .map_or_else(
            || bytes.to_string(),
            |(name, unit)| format!("{}{name}", bytes / unit),
        )
}

fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_back_as_it_was_written() {
        for text in ["250us", "250ms", "5s", "90s", "10m", "2h", "7d", "0s"] {
            let shown = show_duration(parse_duration(text).unwrap());
            assert_eq!(shown, text);
        }
        assert_eq!(show_duration(Duration::from_secs(120)), "2m");
    }

    #[test]
    fn a_duration_without_unit_is_none() {
        for text in ["", "5", "s", "-5s", "5 s", "1.5s", "5S", "99999999999d"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_bytes_or_has_a_binary_unit() {
        assert_eq!(parse_size("262144"), Some(256 << 10));
        assert_eq!(parse_size("256KiB"), Some(256 << 10));
        assert_eq!(parse_size("1GiB"), Some(1 << 30));
        for text in ["", "KiB", "1kB", "1KB", "-1", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(show_size(256 << 10), "256KiB");
        assert_eq!(show_size(1000), "1000");
    }
}
