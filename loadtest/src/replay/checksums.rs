use std::collections::BTreeMap;

use market::{ChecksumRule, ChecksumText, Decimals, Level, Price, Size, VenueChecksum};

use super::steps::Step;

/// The books so far, for checksums.
#[derive(Debug)]
pub(super) struct Checksums {
    /// Decimals of numbers.
    decimals: Decimals,
    books: BTreeMap<usize, Checked>,
    text: ChecksumText,
}

/// A book as Kraken keeps it for a subscription as deep as its first snapshot.
#[derive(Debug, Default)]
struct Checked {
    sides: [BTreeMap<Price, Size>; 2],
    window: usize,
}

impl Checksums {
    pub(super) fn new(decimals: Decimals) -> Self {
        Self {
            decimals,
            books: BTreeMap::new(),
            text: ChecksumText::default(),
        }
    }

    /// Decimals of prices and sizes.
    pub(super) const fn decimals(&self) -> Decimals {
        self.decimals
    }

    /// Kraken's checksum of the book after the step.
    pub(super) fn kraken(&mut self, step: &Step) -> u32 {
        let Checked { sides, window } = self.books.entry(step.instrument).or_default();
        if step.is_whole {
            sides.iter_mut().for_each(BTreeMap::clear);
            *window = step.bids.len().max(step.asks.len());
        }
        for (side, levels) in sides.iter_mut().zip([&step.bids, &step.asks]) {
            for level in levels {
                if level.size.is_zero() {
                    side.remove(&level.price);
                } else {
                    side.insert(level.price, level.size);
                }
            }
        }
        let [bids, asks] = sides;
        while bids.len() > *window {
            bids.pop_first();
        }
        while asks.len() > *window {
            asks.pop_last();
        }
        let level = |(price, size): (&Price, &Size)| Level {
            price: *price,
            size: *size,
        };
        let (bids, asks) = (bids.iter().rev().map(level), asks.iter().map(level));
        let checksum = VenueChecksum {
            expected: 0,
            rule: ChecksumRule::Kraken(self.decimals),
            exponents: step.exponents,
        };
        checksum.of_levels(bids, asks, &mut self.text)
    }
}
