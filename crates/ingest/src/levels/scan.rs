use market::{Exponents, decimal};
use memchr::memchr;

use super::count_decimals;
use crate::json::is_same;

/// The longest unquoted number. simd-json may reject a number with more digits.
const MAX_NUMBER: usize = 18;

/// Reads levels from their text, as venues write them. Anything else gives `None`, and is then read
/// from the tape.
///
/// Invariant: text that is read to its end is valid JSON, with the same content as its tape.
pub(crate) struct Scan<'a> {
    text: &'a [u8],
}

/// A price or a size.
#[derive(Clone, Copy)]
pub(crate) struct Found {
    pub(crate) mantissa: i64,
    /// The number of digits after the decimal point.
    pub(crate) decimals: u8,
}

impl<'a> Scan<'a> {
    /// Reads the content of a list, element by element.
    #[inline]
    pub(crate) fn list(
        text: &'a [u8],
        mut element: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        let mut scan = Self { text };
        loop {
            element(&mut scan)?;
            scan.skip_space();
            match scan.text {
                [] => return Some(()),
                [b',', rest @ ..] => scan.text = rest,
                _ => return None,
            }
        }
    }

    /// Consumes a byte.
    #[inline]
    pub(crate) fn pass(&mut self, byte: u8) -> Option<()> {
        self.skip_space();
        match self.text {
            [first, rest @ ..] if *first == byte => {
                self.text = rest;
                Some(())
            }
            _ => None,
        }
    }

    /// Consumes a JSON text, with optional whitespace between its tokens.
    #[inline]
    pub(crate) fn pass_text(&mut self, text: &[u8]) -> Option<()> {
        if let Some((found, rest)) = self.text.split_at_checked(text.len())
            && is_same(found, text)
        {
            self.text = rest;
            return Some(());
        }
        self.pass_spaced(text)
    }

    #[cold]
    fn pass_spaced(&mut self, text: &[u8]) -> Option<()> {
        let mut is_in_string = false;
        for byte in text {
            if !is_in_string {
                self.skip_space();
            }
            self.text = self.text.strip_prefix(&[*byte])?;
            is_in_string ^= *byte == b'"';
        }
        Some(())
    }

    /// Reads a string like [`Scan::string`], optimized for short ones.
    #[inline]
    pub(crate) fn word(&mut self) -> Option<&'a [u8]> {
        self.pass(b'"')?;
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' if *byte != b'"' && *byte != b'\\');
        let len = self.text.iter().position(|byte| !is_plain(byte))?;
        let (word, rest) = self.text.split_at_checked(len)?;
        self.text = rest.strip_prefix(b"\"")?;
        Some(word)
    }

    /// Reads a string of printable ASCII without backslashes.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        self.pass(b'"')?;
        let (string, rest) = self.text.split_at_checked(memchr(b'"', self.text)?)?;
        // Without an early exit, since this is vectorized.
        let are_plain = |all: bool, byte: &u8| all & matches!(byte, b' '..=b'~') & (*byte != b'\\');
        if !string.iter().fold(true, are_plain) {
            return None;
        }
        self.text = rest.get(1..)?;
        Some(string)
    }

    /// Reads a string that often equals the one before.
    #[inline]
    pub(crate) fn string_like(&mut self, before: &[u8]) -> Option<&'a [u8]> {
        if let [b'"', rest @ ..] = self.text
            && let Some((string, [b'"', rest @ ..])) = rest.split_at_checked(before.len())
            && string == before
        {
            self.text = rest;
            return Some(string);
        }
        self.string()
    }

    /// Reads a decimal, quoted or not.
    #[inline]
    fn decimal(&mut self, exponent: i8) -> Option<Found> {
        self.skip_space();
        let (is_quoted, text) = match self.text {
            [b'"', rest @ ..] => (true, rest),
            text => (false, text),
        };
        if let Some(found) = decimal::plain_prefix(text, exponent)
            && let Some((number, rest)) = text.split_at_checked(found.len)
        {
            let after = match rest {
                [b'"', after @ ..] if is_quoted => Some(after),
                // JSON does not allow leading zeros.
                _ if is_quoted || matches!(number, [b'0', b'0'..=b'9', ..]) => None,
                rest => rest.first().is_none_or(ends_number).then_some(rest),
            };
            if let Some(after) = after {
                self.text = after;
                return Some(Found {
                    mantissa: found.mantissa,
                    decimals: found.decimals,
                });
            }
        }
        self.rare_decimal(is_quoted, exponent)
    }

    /// Reads a decimal with a sign, an exponent or more digits than usual.
    #[cold]
    fn rare_decimal(&mut self, is_quoted: bool, exponent: i8) -> Option<Found> {
        let text = if is_quoted {
            self.word()?
        } else {
            let text = self.text;
            let len = text.iter().position(ends_number).unwrap_or(text.len());
            let (number, rest) = text.split_at_checked(len)?;
            let digits = number.strip_prefix(b"-").unwrap_or(number);
            if len > MAX_NUMBER || matches!(digits, [b'0', b'0'..=b'9', ..]) {
                return None;
            }
            self.text = rest;
            number
        };
        Some(Found {
            mantissa: decimal::parse(text, exponent).ok()?,
            decimals: count_decimals(text),
        })
    }

    /// Reads a price.
    #[inline]
    pub(crate) fn price(&mut self, exponents: Exponents) -> Option<Found> {
        self.decimal(exponents.price)
    }

    /// Reads a price that is the key of a member.
    #[inline]
    pub(crate) fn key_price(&mut self, exponents: Exponents) -> Option<Found> {
        self.skip_space();
        match self.text {
            [b'"', ..] => self.decimal(exponents.price),
            _ => None,
        }
    }

    /// Reads a size, which is not negative.
    #[inline]
    pub(crate) fn size(&mut self, exponents: Exponents) -> Option<Found> {
        self.decimal(exponents.size)
            .filter(|size| size.mantissa >= 0)
    }

    #[inline]
    fn skip_space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.text {
            self.text = rest;
        }
    }
}

/// Returns whether a byte ends a number.
#[inline]
const fn ends_number(byte: &u8) -> bool {
    matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t')
}
