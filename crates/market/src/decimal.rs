//! Exact conversion between decimal text and mantissas.

/// Why a text cannot be converted to a mantissa at a given exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is not a decimal number.
    #[error("not a decimal number")]
    Malformed,
    /// The number has more decimals than the exponent can represent.
    #[error("has more decimals than exponent {exponent} holds")]
    TooFine {
        /// The requested exponent.
        exponent: i8,
    },
    /// The mantissa needs more than 63 bits.
    #[error("does not fit 63 bits at exponent {exponent}")]
    TooLarge {
        /// The requested exponent.
        exponent: i8,
    },
}

const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut i = 1;
    while i < 20 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// Parses decimal text into a mantissa: `value = mantissa * 10^exponent`. Never rounds.
///
/// Accepts what JSON numbers and quoted decimals contain: an optional minus sign, digits, an
/// optional fraction and an optional power of ten. `"0E-8"` is zero; trailing zeros beyond the
/// exponent carry no precision and are accepted.
pub fn parse(text: &[u8], exponent: i8) -> Result<i64, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let magnitude = match plain(digits, exponent) {
        Some(magnitude) => magnitude,
        None => scale(scan(digits, exponent)?, exponent)?,
    };
    let signed = if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    };
    signed.ok_or(DecimalError::TooLarge { exponent })
}

/// The number of digits that always fit 64 bits.
const SAFE_DIGITS: usize = 19;

/// Parses the common case: a few digits, perhaps with a decimal point, all within the exponent.
/// Returns `None` for anything else.
#[inline]
fn plain(text: &[u8], exponent: i8) -> Option<u64> {
    let plain = plain_magnitude(text, exponent)?;
    (plain.len == text.len()).then_some(plain.magnitude)
}

/// A decimal number at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Its mantissa at the requested exponent.
    pub mantissa: i64,
    /// Its length in bytes.
    pub len: usize,
    /// The number of digits after its decimal point.
    pub decimals: u8,
}

/// Parses the plain decimal at the start of a text: up to 19 bytes of digits, perhaps with a
/// decimal point, all within the exponent. Returns `None` for anything else. What follows the
/// number is not checked.
#[must_use]
#[inline]
pub fn plain_prefix(text: &[u8], exponent: i8) -> Option<Prefix> {
    let plain = plain_magnitude(text, exponent)?;
    Some(Prefix {
        mantissa: i64::try_from(plain.magnitude).ok()?,
        len: plain.len,
        decimals: plain.decimals,
    })
}

/// A plain decimal without a sign.
struct Plain {
    magnitude: u64,
    len: usize,
    decimals: u8,
}

#[inline]
fn plain_magnitude(text: &[u8], exponent: i8) -> Option<Plain> {
    let mut digits: u64 = 0;
    let mut dot = None;
    let mut len = 0;
    for byte in text.iter().take(SAFE_DIGITS + 1) {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits = digits.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else if *byte == b'.' && dot.is_none() && len > 0 {
            dot = Some(len);
        } else {
            break;
        }
        len += 1;
    }
    if len == 0 || len > SAFE_DIGITS {
        return None;
    }
    let decimals = match dot {
        None => 0,
        // No digit follows the decimal point.
        Some(dot) if dot + 1 == len => return None,
        Some(dot) => len - dot - 1,
    };
    let decimals = u8::try_from(decimals).ok()?;
    let shift = -i32::from(exponent) - i32::from(decimals);
    let power = POWERS.get(usize::try_from(shift).ok()?)?;
    Some(Plain {
        magnitude: digits.checked_mul(*power)?,
        len,
        decimals,
    })
}

/// Ten to the power of `exponent`, if it fits 64 bits.
#[must_use]
pub fn power_of_ten(exponent: usize) -> Option<u64> {
    POWERS.get(exponent).copied()
}

/// The number `digits * 10^power`, where `digits` does not end in zero unless it is zero.
struct Scanned {
    digits: u64,
    power: i32,
}

fn scan(text: &[u8], exponent: i8) -> Result<Scanned, DecimalError> {
    let mut digits: u64 = 0;
    // Zeros are held back until another digit follows, so that trailing ones never overflow.
    let mut zeros: usize = 0;
    let mut fraction: i32 = 0;
    let mut in_fraction = false;
    let mut seen_in_part = false;
    let mut power: i32 = 0;
    let mut i = 0;
    while let Some(&byte) = text.get(i) {
        match byte {
            b'0' => zeros += 1,
            b'1'..=b'9' => {
                if digits == 0 {
                    digits = u64::from(byte - b'0');
                } else {
                    digits = POWERS
                        .get(zeros + 1)
                        .and_then(|power| digits.checked_mul(*power))
                        .and_then(|shifted| shifted.checked_add(u64::from(byte - b'0')))
                        .ok_or(DecimalError::TooLarge { exponent })?;
                }
                zeros = 0;
            }
            b'.' if !in_fraction && seen_in_part => {
                in_fraction = true;
                seen_in_part = false;
                i += 1;
                continue;
            }
            b'e' | b'E' if seen_in_part => {
                power = scan_power(&text[i + 1..])?;
                break;
            }
            _ => return Err(DecimalError::Malformed),
        }
        seen_in_part = true;
        fraction += i32::from(in_fraction);
        i += 1;
    }
    if !seen_in_part {
        return Err(DecimalError::Malformed);
    }
    let zeros = i32::try_from(zeros).map_err(|_| DecimalError::Malformed)?;
    Ok(Scanned {
        digits,
        power: power.saturating_add(zeros).saturating_sub(fraction),
    })
}

fn scan_power(text: &[u8]) -> Result<i32, DecimalError> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    // Four digits reach far beyond any exponent that fits; more are an error.
    if digits.is_empty() || digits.len() > 4 {
        return Err(DecimalError::Malformed);
    }
    let mut power = 0;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return Err(DecimalError::Malformed);
        }
        power = power * 10 + i32::from(byte - b'0');
    }
    Ok(if negative { -power } else { power })
}

fn scale(number: Scanned, exponent: i8) -> Result<u64, DecimalError> {
    if number.digits == 0 {
        return Ok(0);
    }
    let shift = number.power - i32::from(exponent);
    if shift < 0 {
        return Err(DecimalError::TooFine { exponent });
    }
    usize::try_from(shift)
        .ok()
        .and_then(|shift| POWERS.get(shift))
        .and_then(|power| number.digits.checked_mul(*power))
        .ok_or(DecimalError::TooLarge { exponent })
}

/// Appends `mantissa * 10^exponent` as a plain decimal without trailing zeros: `61837.63`, `0`.
pub fn write(out: &mut Vec<u8>, mantissa: i64, exponent: i8) {
    if mantissa == 0 {
        out.push(b'0');
        return;
    }
    if mantissa < 0 {
        out.push(b'-');
    }
    let mut magnitude = mantissa.unsigned_abs();
    let mut exponent = i32::from(exponent);
    while exponent < 0 && magnitude.is_multiple_of(10) {
        magnitude /= 10;
        exponent += 1;
    }
    let mut reversed = [b'0'; 20];
    let mut len = 0;
    while magnitude > 0 {
        let digit = (magnitude % 10) as u8;
        reversed[len] = b'0' + digit;
        magnitude /= 10;
        len += 1;
    }
    let decimals = usize::try_from(-exponent).unwrap_or(0);
    if decimals >= len {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', decimals - len));
        out.extend(reversed[..len].iter().rev());
        return;
    }
    out.extend(reversed[decimals..len].iter().rev());
    if decimals > 0 {
        out.push(b'.');
        out.extend(reversed[..decimals].iter().rev());
    }
    out.extend(std::iter::repeat_n(
        b'0',
        usize::try_from(exponent).unwrap_or(0),
    ));
}

/// Formats like [`write()`], for logs and errors.
#[must_use]
pub fn to_string(mantissa: i64, exponent: i8) -> String {
    let mut out = Vec::with_capacity(24);
    write(&mut out, mantissa, exponent);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, exponent: i8, expected: Result<i64, DecimalError>) {
        assert_eq!(parse(text.as_bytes(), exponent), expected, "{text:?}");
    }

    #[test]
    fn what_venues_write_is_read_exactly() {
        check("61737.63000000", -2, Ok(6_173_763));
        check("672", -8, Ok(67_200_000_000));
        check("9.3e-7", -8, Ok(93));
        check("0E-8", -8, Ok(0));
        check("0.00000000", -8, Ok(0));
        check("-1.5", -1, Ok(-15));
        check("1E+3", 0, Ok(1000));
        check("1200", 2, Ok(12));
        check("0.00000000000000000000000000000000000", -8, Ok(0));
        check("9223372036854775807", 0, Ok(i64::MAX));
        check("-9223372036854775808", 0, Ok(i64::MIN));
    }

    #[test]
    fn what_does_not_fit_is_an_error_not_a_rounding() {
        check("0.123", -2, Err(DecimalError::TooFine { exponent: -2 }));
        check("6e-10", -8, Err(DecimalError::TooFine { exponent: -8 }));
        check(
            "9223372036854775808",
            0,
            Err(DecimalError::TooLarge { exponent: 0 }),
        );
        check(
            "92233720368.54775808",
            -8,
            Err(DecimalError::TooLarge { exponent: -8 }),
        );
        check("1e300", -8, Err(DecimalError::TooLarge { exponent: -8 }));
        check(
            "123456789012345678901",
            0,
            Err(DecimalError::TooLarge { exponent: 0 }),
        );
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for text in [
            "", "-", ".", "1.", ".5", "e5", "1e", "1e+", "1x", "0x1", "NaN", "inf", "1.2.3", "--1",
            "+1", " 1", "1 ", "1e5.5", "1,5", "1e99999",
        ] {
            check(text, -8, Err(DecimalError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_returns_the_mantissa(mantissa: i64, exponent in -18i8..=0) {
            let text = to_string(mantissa, exponent);
            prop_assert_eq!(parse(text.as_bytes(), exponent), Ok(mantissa), "{}", text);
        }

        #[test]
        fn no_bytes_can_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..40), exponent: i8) {
            let _ = parse(&text, exponent);
        }

        #[test]
        fn plain_decimals_are_what_the_general_reader_makes_of_them(
            text in "[0-9]{0,12}[.]?[0-9]{0,9}", exponent in -18i8..10,
        ) {
            let text = text.as_bytes();
            if let Some(magnitude) = plain(text, exponent) {
                let general = scan(text, exponent).and_then(|number| scale(number, exponent));
                prop_assert_eq!(general, Ok(magnitude));
            }
        }
    }
}
