//! Checksums of the venues' own, over the best levels of their books.

use crate::{Exponents, Ladder, Level, decimal};

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

/// How many levels a side Kraken's checksum covers.
const KRAKEN_DEPTH: usize = 10;
/// How many levels a side OKX's checksum covers.
const OKX_DEPTH: usize = 25;

impl VenueChecksum {
    /// The checksum of these levels, both sides from the best on. `text` is used and left dirty.
    #[must_use]
    pub fn of_levels(
        &self,
        bids: impl Iterator<Item = Level>,
        asks: impl Iterator<Item = Level>,
        text: &mut Vec<u8>,
    ) -> u32 {
        text.clear();
        match self.rule {
            ChecksumRule::Kraken(decimals) => {
                let price = shift(self.exponents.price, decimals.price);
                let size = shift(self.exponents.size, decimals.size);
                for level in asks.take(KRAKEN_DEPTH).chain(bids.take(KRAKEN_DEPTH)) {
                    write_digits(text, level.price.0, price);
                    write_digits(text, level.size.0, size);
                }
            }
            ChecksumRule::Okx => {
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
            }
        }
        crc32fast::hash(text)
    }

    /// What is found over both ladders, where it is not what was told.
    pub(crate) fn mismatch(&self, bids: &Ladder, asks: &Ladder, text: &mut Vec<u8>) -> Option<u32> {
        let found = self.of_levels(bids.iter(), asks.iter(), text);
        (found != self.told).then_some(found)
    }
}

/// By which power of ten a mantissa becomes the whole number that is written without its dot.
fn shift(exponent: i8, decimals: u8) -> i32 {
    i32::from(exponent) + i32::from(decimals)
}

/// The digits of `mantissa * 10^shift`. Digits that the venue does not write are left out.
fn write_digits(text: &mut Vec<u8>, mantissa: i64, shift: i32) {
    let magnitude = mantissa.unsigned_abs();
    let count = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    if shift < 0 {
        let digits = decimal::power_of_ten(count).map_or(0, |power| magnitude / power);
        text.extend_from_slice(itoa::Buffer::new().format(digits).as_bytes());
    } else {
        text.extend_from_slice(itoa::Buffer::new().format(magnitude).as_bytes());
        text.extend(std::iter::repeat_n(b'0', count));
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
        let mut text = Vec::new();
        let found = checksum.of_levels(bids.into_iter(), asks.into_iter(), &mut text);
        assert!(text.starts_with(b"50055005010500"));
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
        let mut text = Vec::new();
        let _ = checksum.of_levels(bids.into_iter(), asks.into_iter(), &mut text);
        assert_eq!(text, b"3366.1:7:3366.8:9:3366:6.5");
    }
}
