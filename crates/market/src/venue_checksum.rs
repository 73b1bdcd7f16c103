//! Checksums of the venues' own, over the best levels of their books.

use crate::{Exponents, Ladder, Level, Side, decimal};

/// What a venue says of its book as it is after a message, so that a copy can be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VenueChecksum {
    /// What the venue found.
    pub told: u32,
    /// How it is found.
    pub rule: ChecksumRule,
    /// The scale in which the levels were read.
    pub exponents: Exponents,
}

/// How a venue finds its checksum: CRC-32 (that of gzip) over a text of the best levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumRule {
    /// The best 10 asks, then the best 10 bids, each from the best on; of each level the price and
    /// the size, without the dot and without zeros in front. Zeros behind the dot count, so it must
    /// be known with how many decimals the venue writes.
    Kraken(Decimals),
    /// The best 25 levels, a bid and an ask in turn as long as there are any, each as `price:size`
    /// without needless zeros, joined by `:`.
    Okx,
}

/// With how many decimals a venue writes an instrument's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimals {
    /// Of a price.
    pub price: u8,
    /// Of a size.
    pub size: u8,
}

impl Decimals {
    /// The more of both: a number that was written with fewer had none to show.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            price: self.price.max(other.price),
            size: self.size.max(other.size),
        }
    }
}

/// The text that a checksum is made over, with its memory, and what it was made of the last time.
///
/// From one message to the next most of the best levels stay. So by Kraken's rule, whose messages
/// have two or three levels, only theirs are written anew.
#[derive(Debug, Clone, Default)]
pub struct ChecksumText {
    text: Vec<u8>,
    /// By Kraken's rule: the parts of asks and bids, each from the best on.
    parts: [Vec<Part>; 2],
    /// The shifts of price and size in which these are written.
    shifts: (i32, i32),
}

/// A level's part of a text.
#[derive(Debug, Clone, Copy)]
struct Part {
    level: Level,
    len: usize,
    digits: [u8; PART_BYTES],
}

/// Two numbers of 63 bits. A level whose part is longer, with zeros behind, is not known from before.
const PART_BYTES: usize = 40;

/// Whole parts are written, and the next one over what was too much of the last.
const TEXT_BYTES: usize = 2 * KRAKEN_DEPTH * PART_BYTES;

impl ChecksumText {
    /// The text by Kraken's rule, in such shifts of price and size.
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
            is_as_before: true,
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

/// Writes a text by parts that are mostly those of the time before.
struct Writer<'t> {
    text: &'t mut [u8],
    end: usize,
    /// Whether all parts so far are: then so is the text of them.
    is_as_before: bool,
    shifts: (i32, i32),
}

impl Writer<'_> {
    /// Writes the best levels of a side; none when one is too long.
    fn write(
        &mut self,
        parts: &mut Vec<Part>,
        levels: impl Iterator<Item = Level>,
        side: Side,
    ) -> Option<()> {
        let mut rank = 0;
        for level in levels {
            if parts.get(rank).is_none_or(|part| part.level != level) {
                self.is_as_before = false;
                self.correct(parts, rank, level, side)?;
            }
            let part = parts.get(rank)?;
            if !self.is_as_before {
                *self.text.get_mut(self.end..)?.first_chunk_mut()? = part.digits;
            }
            self.end += part.len;
            rank += 1;
        }
        self.is_as_before &= parts.len() == rank;
        parts.truncate(rank);
        Some(())
    }

    /// Makes the part at a rank that level's, which it is not; none when it is too long.
    fn correct(&self, parts: &mut Vec<Part>, rank: usize, level: Level, side: Side) -> Option<()> {
        // Those before it are gone from the book.
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
    /// A level's part, unless it is too long.
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

/// How many levels a side Kraken's checksum covers.
const KRAKEN_DEPTH: usize = 10;
/// How many levels a side OKX's checksum covers.
const OKX_DEPTH: usize = 25;

impl VenueChecksum {
    /// The checksum of these levels, both sides from the best on.
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

    /// What is found over both ladders, where it is not what was told.
    pub(crate) fn mismatch(
        &self,
        bids: &Ladder,
        asks: &Ladder,
        text: &mut ChecksumText,
    ) -> Option<u32> {
        let found = self.of_levels(bids.iter(), asks.iter(), text);
        (found != self.told).then_some(found)
    }
}

/// By which power of ten a mantissa becomes the whole number that is written without its dot.
fn shift(exponent: i8, decimals: u8) -> i32 {
    i32::from(exponent) + i32::from(decimals)
}

/// Tells the digits of `mantissa * 10^shift`, piece by piece. Digits that the venue does not write
/// are left out.
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
            told: 0,
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
            told: 0,
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
