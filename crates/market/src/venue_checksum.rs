//! The venues' own checksums over the best levels of their books.

use crate::{Exponents, Ladder, Level, Side, decimal};

/// A venue's checksum of its book after a message, for verifying a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VenueChecksum {
    /// The venue's checksum.
    pub expected: u32,
    /// How it is computed.
    pub rule: ChecksumRule,
    /// The scale of the levels' mantissas.
    pub exponents: Exponents,
}

/// How a venue computes its checksum: CRC-32 (that of gzip) over a text of the best levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumRule {
    /// The best 10 asks, then the best 10 bids, each side best first: the price and the size of
    /// each level, without decimal point and leading zeros. Trailing zeros count, so the number of
    /// decimals that the venue writes must be known.
    Kraken(Decimals),
    /// The best 25 levels of each side, a bid and an ask in turn while there are any, each as
    /// `price:size` without trailing zeros, joined by `:`.
    Okx,
}

/// How many decimals a venue writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimals {
    /// The decimals of a price.
    pub price: u8,
    /// The decimals of a size.
    pub size: u8,
}

impl Decimals {
    /// The larger of both, per field: a number with fewer decimals ended in zeros.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            price: self.price.max(other.price),
            size: self.size.max(other.size),
        }
    }
}

/// The text that a checksum covers, reused from one message to the next.
///
/// Between messages most of the best levels stay the same. So for Kraken, whose messages update two
/// or three levels, only the text of those is written again.
#[derive(Debug, Clone, Default)]
pub struct ChecksumText {
    text: Vec<u8>,
    /// For Kraken: the texts of the levels, asks and bids, each best first.
    parts: [Vec<Part>; 2],
    /// The decimal shifts of price and size with which these were written.
    shifts: (i32, i32),
}

/// The text of one level.
#[derive(Debug, Clone, Copy)]
struct Part {
    level: Level,
    len: usize,
    digits: [u8; PART_BYTES],
}

/// Two numbers of 63 bits. The text of a level that is longer, with trailing zeros, is not reused.
const PART_BYTES: usize = 40;

/// Parts are copied at their full length, so that each overwrites the surplus of the one before.
const TEXT_BYTES: usize = 2 * KRAKEN_DEPTH * PART_BYTES;

impl ChecksumText {
    /// Builds the text that Kraken's rule covers, with these shifts of price and size.
    fn of_kraken(
        &mut self,
        bids: impl Iterator<Item = Level> + Clone,
        asks: impl Iterator<Item = Level> + Clone,
        shifts: (i32, i32),
    ) -> &[u8] {
        let Self { text, parts, .. } = self;
        let [asks_parts, bids_parts] = parts;
        if self.shifts != shifts || text.len() != TEXT_BYTES {
            self.shifts = shifts;
            asks_parts.clear();
            bids_parts.clear();
            text.resize(TEXT_BYTES, 0);
        }
        let (bids, asks) = (bids.take(KRAKEN_DEPTH), asks.take(KRAKEN_DEPTH));
        let mut writer = Writer {
            text,
            end: 0,
            is_unchanged: true,
            shifts,
        };
        let written = writer
            .write(asks_parts, asks.clone(), Side::Ask)
            .and_then(|()| writer.write(bids_parts, bids.clone(), Side::Bid));
        let end = writer.end;
        if written.is_some() {
            return &text[..end];
        }
        text.clear();
        let mut put = |digits: &[u8]| text.extend_from_slice(digits);
        for level in asks.chain(bids) {
            put_digits(&mut put, level.price.0, shifts.0);
            put_digits(&mut put, level.size.0, shifts.1);
        }
        text
    }
}

/// Writes a text of parts, most of which are unchanged since the last time.
struct Writer<'t> {
    text: &'t mut [u8],
    end: usize,
    /// Whether all parts so far are unchanged, and so the text of them.
    is_unchanged: bool,
    shifts: (i32, i32),
}

impl Writer<'_> {
    /// Writes the best levels of a side; `None` if the text of one is too long.
    fn write(
        &mut self,
        parts: &mut Vec<Part>,
        levels: impl Iterator<Item = Level>,
        side: Side,
    ) -> Option<()> {
        let mut rank = 0;
        for level in levels {
            if parts.get(rank).is_none_or(|part| part.level != level) {
                self.is_unchanged = false;
                self.replace(parts, rank, level, side)?;
            }
            let part = parts.get(rank)?;
            if !self.is_unchanged {
                *self.text.get_mut(self.end..)?.first_chunk_mut()? = part.digits;
            }
            self.end += part.len;
            rank += 1;
        }
        self.is_unchanged &= parts.len() == rank;
        parts.truncate(rank);
        Some(())
    }

    /// Replaces the part at a rank by that of `level`; `None` if it is too long.
    fn replace(&self, parts: &mut Vec<Part>, rank: usize, level: Level, side: Side) -> Option<()> {
        // Better levels are no longer in the book.
        while parts
            .get(rank)
            .is_some_and(|part| side.is_better(part.level.price, level.price))
        {
            parts.remove(rank);
        }
        match parts.get_mut(rank) {
            Some(part) if part.level == level => {}
            Some(part) if part.level.price == level.price => *part = Part::of(level, self.shifts)?,
            _ => parts.insert(rank, Part::of(level, self.shifts)?),
        }
        Some(())
    }
}

impl Part {
    /// Writes the text of a level; `None` if it is too long.
    fn of(level: Level, (price, size): (i32, i32)) -> Option<Self> {
        let mut part = Self {
            level,
            len: 0,
            digits: [0; PART_BYTES],
        };
        let mut put = |digits: &[u8]| {
            if let Some(room) = part.digits.get_mut(part.len..part.len + digits.len()) {
                room.copy_from_slice(digits);
            }
            part.len += digits.len();
        };
        put_digits(&mut put, level.price.0, price);
        put_digits(&mut put, level.size.0, size);
        (part.len <= PART_BYTES).then_some(part)
    }
}

/// The number of levels per side that Kraken's checksum covers.
const KRAKEN_DEPTH: usize = 10;
/// The number of levels per side that OKX's checksum covers.
const OKX_DEPTH: usize = 25;

impl VenueChecksum {
    /// Computes the checksum of these levels, both sides best first.
    #[must_use]
    pub fn of_levels(
        &self,
        bids: impl Iterator<Item = Level> + Clone,
        asks: impl Iterator<Item = Level> + Clone,
        text: &mut ChecksumText,
    ) -> u32 {
        match self.rule {
            ChecksumRule::Kraken(decimals) => {
                let price = shift(self.exponents.price, decimals.price);
                let size = shift(self.exponents.size, decimals.size);
                crc32fast::hash(text.of_kraken(bids, asks, (price, size)))
            }
            ChecksumRule::Okx => {
                let text = &mut text.text;
                text.clear();
                let (mut bids, mut asks) = (bids.take(OKX_DEPTH), asks.take(OKX_DEPTH));
                loop {
                    let pair = [bids.next(), asks.next()];
                    if pair == [None, None] {
                        break;
                    }
                    for level in pair.into_iter().flatten() {
                        decimal::write(text, level.price.0, self.exponents.price);
                        text.push(b':');
                        decimal::write(text, level.size.0, self.exponents.size);
                        text.push(b':');
                    }
                }
                text.pop();
                crc32fast::hash(text)
            }
        }
    }

    /// Computes the checksum of both ladders and returns it if it differs from the venue's.
    pub(crate) fn mismatch(
        &self,
        bids: &Ladder,
        asks: &Ladder,
        text: &mut ChecksumText,
    ) -> Option<u32> {
        let found = self.of_levels(bids.iter(), asks.iter(), text);
        (found != self.expected).then_some(found)
    }
}

/// The power of ten that turns a mantissa into the integer that is written without a decimal point.
fn shift(exponent: i8, decimals: u8) -> i32 {
    i32::from(exponent) + i32::from(decimals)
}

/// Passes the digits of `mantissa * 10^shift` to `put`, piece by piece. Digits that the venue does
/// not write are omitted.
fn put_digits(put: &mut impl FnMut(&[u8]), mantissa: i64, shift: i32) {
    let magnitude = mantissa.unsigned_abs();
    let count = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    if shift < 0 {
        let digits = decimal::power_of_ten(count).map_or(0, |power| magnitude / power);
        put(itoa::Buffer::new().format(digits).as_bytes());
    } else {
        put(itoa::Buffer::new().format(magnitude).as_bytes());
        (0..count).for_each(|_| put(b"0"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(all: &[(&str, &str)], exponents: Exponents) -> Vec<Level> {
        let parse = |text: &str, exponent| decimal::parse(text.as_bytes(), exponent).unwrap();
        all.iter()
            .map(|(p, s)| Level::new(parse(p, exponents.price), parse(s, exponents.size)))
            .collect()
    }

    /// The example of Kraken's own documentation.
    const ASKS: [(&str, &str); 10] = [
        ("0.05005", "0.00000500"),
        ("0.05010", "0.00000500"),
        ("0.05015", "0.00000500"),
        ("0.05020", "0.00000500"),
        ("0.05025", "0.00000500"),
        ("0.05030", "0.00000500"),
        ("0.05035", "0.00000500"),
        ("0.05040", "0.00000500"),
        ("0.05045", "0.00000500"),
        ("0.05050", "0.00000500"),
    ];
    const BIDS: [(&str, &str); 10] = [
        ("0.05000", "0.00000500"),
        ("0.04995", "0.00000500"),
        ("0.04990", "0.00000500"),
        ("0.04980", "0.00000500"),
        ("0.04975", "0.00000500"),
        ("0.04970", "0.00000500"),
        ("0.04965", "0.00000500"),
        ("0.04960", "0.00000500"),
        ("0.04955", "0.00000500"),
        ("0.04950", "0.00000500"),
    ];

    #[track_caller]
    fn check_kraken(price: i8, size: i8) {
        let exponents = Exponents { price, size };
        let checksum = VenueChecksum {
            expected: 0,
            rule: ChecksumRule::Kraken(Decimals { price: 5, size: 8 }),
            exponents,
        };
        let (bids, asks) = (levels(&BIDS, exponents), levels(&ASKS, exponents));
        let mut text = ChecksumText::default();
        let found = checksum.of_levels(bids.into_iter(), asks.into_iter(), &mut text);
        assert!(text.text.starts_with(b"50055005010500"));
        assert_eq!(found, 974_947_235);
    }

    #[test]
    fn krakens_own_example_is_found_whatever_the_scale() {
        check_kraken(-5, -8);
        check_kraken(-8, -8);
        check_kraken(-5, -6);
        check_kraken(-9, -12);
    }

    #[test]
    fn a_side_of_okx_that_is_longer_goes_on_alone() {
        let exponents = Exponents::default();
        let checksum = VenueChecksum {
            expected: 0,
            rule: ChecksumRule::Okx,
            exponents,
        };
        let bids = levels(&[("3366.1", "7"), ("3366.0", "6.50")], exponents);
        let asks = levels(&[("3366.8", "9")], exponents);
        let mut text = ChecksumText::default();
        let _ = checksum.of_levels(bids.into_iter(), asks.into_iter(), &mut text);
        assert_eq!(text.text, b"3366.1:7:3366.8:9:3366:6.5");
    }
}
