use market::{Price, Side};

use super::catalogue::Listing;
use super::chance::{Chance, whole};

/// Depth of the book, as a fraction of the price.
const REACH: f64 = 0.015;
/// Fraction of the depth beyond which levels thin out, and the exponent of their density.
const BEND: f64 = 0.05;
const ALPHA: f64 = 1.2;
/// Probability that a new level is near the best price, where most trading is.
const CLOSE: f64 = 0.45;
/// How fast sizes change with the distance from the best price.
const SIZE_FALL: f64 = 0.6;
/// Spread of sizes: the standard deviation of their logarithm.
const SIZE_SIGMA: f64 = 1.1;
/// Fraction of prices chosen by people, who prefer round ones.
const ROUND_PRICES: f64 = 0.35;
/// Fraction of sizes that are round.
const ROUND_SIZES: f64 = 0.2;
/// Move of the value before quotes follow, in basis points.
const PATIENCE: f64 = 0.15;

/// Prices and sizes of levels, in ticks and lots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Maximum distance of a level from the best price.
    pub(super) reach: f64,
    /// Distance between value and mid-price before quotes follow.
    pub(super) patience: f64,
    scale: f64,
    close: f64,
    spread: f64,
    /// Lots of a typical level at the best price.
    lots: f64,
}

impl Shape {
    pub(super) fn new(listing: &Listing, value: f64) -> Self {
        let price = value / listing.tick_value();
        let reach = (REACH * price).max(1.4 * listing.depth as f64);
        Self {
            reach,
            patience: (PATIENCE * 1e-4 * price).max(0.7),
            scale: (BEND * reach).max(4.0),
            close: (reach / 4_000.0).max(1.5),
            spread: listing.spread,
            lots: listing.touch / value / listing.lot_value(),
        }
    }

    /// A new spread in ticks, at least 1.
    pub(super) fn spread(&self, chance: &mut Chance) -> i64 {
        let extra = self.spread - 1.0;
        1 + whole(chance.exponential(extra.max(0.05)).round())
    }

    /// The price of a new level in ticks, beyond the best one of its side.
    pub(super) fn price(&self, side: Side, best: i64, chance: &mut Chance) -> i64 {
        let distance = if chance.happens(CLOSE) {
            chance.exponential(self.close)
        } else {
            chance.distance(self.scale, ALPHA, self.reach)
        };
        let distance = 1 + whole(distance);
        let price = behind(side, best, distance);
        if !chance.happens(ROUND_PRICES) {
            return price;
        }
        let round = [1_000, 500, 100, 50, 10, 5]
            .into_iter()
            .find(|round| round * 3 <= distance);
        let Some(round) = round else { return price };
        // Rounded away from the best price, so that it stays beyond it.
        match side {
            Side::Bid => price.div_euclid(round) * round,
            Side::Ask => (price + round - 1).div_euclid(round) * round,
        }
    }

    /// The size of a level in lots, at least 1.
    pub(super) fn size(&self, price: i64, distance: i64, chance: &mut Chance) -> i64 {
        let away = distance.max(0) as f64 / self.scale;
        let usual = self.lots * (1.0 + away).powf(-SIZE_FALL) * crowd(price);
        let lots = whole(usual * chance.log_normal(SIZE_SIGMA)).max(1);
        if !chance.happens(ROUND_SIZES) {
            return lots;
        }
        let digits = lots.ilog10();
        let round = 10i64.pow(digits.saturating_sub(1));
        (lots / round).max(1) * round
    }

    /// The size of a trade in lots, at least 1; mostly small compared with the best level.
    pub(super) fn trade(&self, chance: &mut Chance) -> i64 {
        whole(0.08 * self.lots * chance.log_normal(1.4)).max(1)
    }
}

/// Factor of the size at a round price.
fn crowd(price: i64) -> f64 {
    match price {
        price if price % 1_000 == 0 => 7.0,
        price if price % 500 == 0 => 5.0,
        price if price % 100 == 0 => 3.5,
        price if price % 50 == 0 => 2.2,
        price if price % 10 == 0 => 1.5,
        _ => 1.0,
    }
}

/// The price that many ticks beyond another one of its side.
pub(super) fn behind(side: Side, price: i64, ticks: i64) -> i64 {
    match side {
        Side::Bid => price - ticks,
        Side::Ask => price + ticks,
    }
}

/// How many ticks a price is beyond another one of its side.
pub(super) fn distance(side: Side, from: i64, to: i64) -> i64 {
    match side {
        Side::Bid => from - to,
        Side::Ask => to - from,
    }
}

/// A price in ticks.
pub(super) fn ticks(listing: &Listing, price: Price) -> i64 {
    price.0 / listing.tick
}
