//! Converts venues' timestamps to nanoseconds since 1970.

use market::{Nanos, decimal};
use simd_json::tape::Node;

use crate::ErrorKind;
use crate::json::{Document, Fault, Field, TapePos};

/// Reads integer milliseconds, as a number or a string.
pub(crate) fn millis(document: &Document<'_, '_>, pos: TapePos) -> Result<Nanos, Fault> {
    let count = match document.node(pos) {
        Node::String(text) => digits(text.as_bytes()),
        _ => Some(document.unsigned(pos)?),
    };
    count
        .and_then(|count| in_range(count.checked_mul(1_000_000)?))
        .ok_or(Fault::at(pos, ErrorKind::BadTime))
}

/// Parses seconds with up to nine decimals.
pub(crate) fn seconds(text: &[u8], pos: TapePos) -> Result<Nanos, Fault> {
    const NANOS: i8 = -9;
    scaled(text, NANOS, pos)
}

/// Parses a decimal in a unit in which a nanosecond is 10^`nanos`.
pub(crate) fn scaled(text: &[u8], nanos: i8, pos: TapePos) -> Result<Nanos, Fault> {
    match decimal::parse(text, nanos).map(u64::try_from) {
        Ok(Ok(nanos)) => Ok(Nanos(nanos)),
        _ => Err(Fault::at(pos, ErrorKind::BadTime)),
    }
}

/// Reads a date such as `2019-08-01T00:00:03.816Z`, with up to nine decimals.
pub(crate) fn date(document: &Document<'_, '_>, pos: TapePos) -> Result<Nanos, Fault> {
    nanos_of_date(document.text(pos)?.as_bytes()).ok_or(Fault::at(pos, ErrorKind::BadTime))
}

/// Parses a date such as `2019-08-01T00:00:03.816Z`, with up to nine decimals.
#[must_use]
pub fn date_of(text: &str) -> Option<Nanos> {
    nanos_of_date(text.as_bytes())
}

/// Reads an optional date.
pub(crate) fn optional_date(
    document: &Document<'_, '_>,
    time: Field,
) -> Result<Option<Nanos>, Fault> {
    let pos = time.not_null(document);
    pos.map(|pos| date(document, pos)).transpose()
}

fn nanos_of_date(text: &[u8]) -> Option<Nanos> {
    let (date, rest) = text.split_at_checked(19)?;
    let marks = [date[4], date[7], date[10], date[13], date[16]];
    if &marks != b"--T::" {
        return None;
    }
    let fraction = match rest {
        b"Z" | b"+00:00" => &[],
        [b'.', fraction @ .., b'Z'] => fraction,
        [b'.', rest @ ..] => rest.strip_suffix(b"+00:00")?,
        _ => return None,
    };
    let scale = decimal::power_of_ten(9_usize.checked_sub(fraction.len())?)?;
    let below_second = if fraction.is_empty() {
        0
    } else {
        digits(fraction)? * scale
    };
    let year = two_digits(date, 0)? * 100 + two_digits(date, 2)?;
    let days = days_since_1970(year, two_digits(date, 5)?, two_digits(date, 8)?)?;
    let (hour, minute) = (two_digits(date, 11)?, two_digits(date, 14)?);
    let second = two_digits(date, 17)?;
    // A leap second counts as the second after it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    in_range(
        seconds
            .checked_mul(1_000_000_000)?
            .checked_add(below_second)?,
    )
}

/// Howard Hinnant's `days_from_civil`, for years since 1970.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // In a year that starts in March, the leap day is the last day.
    let year = if month > 2 { year } else { year - 1 };
    let month = (month + 9) % 12;
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Parses two digits.
#[inline]
fn two_digits(text: &[u8], at: usize) -> Option<u64> {
    let [tens, ones] = text.get(at..at + 2)?.first_chunk()?;
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u64::from(tens) * 10 + u64::from(ones))
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then_some(u64::from(byte & 0xf))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Checks that a time fits into 63 bits.
fn in_range(nanos: u64) -> Option<Nanos> {
    i64::try_from(nanos).is_ok().then_some(Nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, nanos: Option<u64>) {
        assert_eq!(nanos_of_date(text.as_bytes()), nanos.map(Nanos), "{text}");
    }

    #[test]
    fn dates_are_read_to_the_nanosecond() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2019-08-01T00:00:03.816Z", Some(1_564_617_603_816_000_000));
        check(
            "2019-08-01T00:00:03.816000Z",
            Some(1_564_617_603_816_000_000),
        );
        check(
            "2024-02-29T23:59:59.000000001Z",
            Some(1_709_251_199_000_000_001),
        );
        check("2000-03-01T00:00:00+00:00", Some(951_868_800_000_000_000));
        check(
            "2026-07-10T00:00:01.5+00:00",
            Some(1_783_641_601_500_000_000),
        );
    }

    #[test]
    fn what_is_no_date_is_an_error() {
        for text in [
            "",
            "2019-08-01",
            "0001-01-01T00:00:00.000000Z",
            "2019-13-01T00:00:00Z",
            "2019-08-01T24:00:00Z",
            "2019-08-01 00:00:00Z",
            "2019-08-01T00:00:00",
            "2019-08-01T00:00:00.Z0",
            "2019-08-01T00:00:00.1234567890Z",
            "2019-08-01T00:00:00+02:00",
            "2300-08-01T00:00:00Z",
            "2019-08-0é00:00:00Z",
        ] {
            check(text, None);
        }
    }
}
