use market::{Price, Side};

use super::catalogue::Listing;
use super::chance::{Chance, whole};

/// How far the book reaches, as a part of the price.
const REACH: f64 = 0.015;
/// Beyond which part of the reach levels thin out, and how fast (exponent of the density).
const BEND: f64 = 0.05;
const ALPHA: f64 = 1.2;
/// How many of the new levels come close to the touch, where most of the trading is.
const CLOSE: f64 = 0.45;
/// How fast sizes fall off with the distance.
const SIZE_FALL: f64 = 0.6;
/// How unlike the sizes are: the logarithm's standard deviation.
const SIZE_SIGMA: f64 = 1.1;
/// How many prices are chosen by people, who like round ones.
const ROUND_PRICES: f64 = 0.35;
/// How many sizes are round too.
const ROUND_SIZES: f64 = 0.2;
/// How far the value may go before the quotes follow, in basis points.
const PATIENCE: f64 = 0.15;

/// Where levels stand and how large they are, in ticks and lots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The farthest distance of a level from the touch.
    pub(super) reach: f64,
    /// The distance that the value may have from the middle before the quotes follow.
    pub(super) patience: f64,
    scale: f64,
    close: f64,
    spread: f64,
    /// Lots at the touch that a level of usual size has.
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

    /// How many ticks a venue's makers leave between the best prices, at least one.
    pub(super) fn spread(&self, chance: &mut Chance) -> i64 {
        let extra = self.spread - 1.0;
        1 + whole(chance.exponential(extra.max(0.05)).round())
    }

    /// The price of a new level, in ticks: behind the best one of its side.
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
        // Away from the touch, so that it stays behind it.
        match side {
            Side::Bid => price.div_euclid(round) * round,
            Side::Ask => (price + round - 1).div_euclid(round) * round,
        }
    }

    /// The size of a level, in lots, at least one.
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

    /// How much a trade takes, in lots, at least one: mostly small against the touch.
    pub(super) fn trade(&self, chance: &mut Chance) -> i64 {
        whole(0.08 * self.lots * chance.log_normal(1.4)).max(1)
    }
}

/// How much more stands at a round price.
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

/// The price so many ticks behind another one of its side.
pub(super) fn behind(side: Side, price: i64, ticks: i64) -> i64 {
    match side {
        Side::Bid => price - ticks,
        Side::Ask => price + ticks,
    }
}

/// How many ticks a price stands behind another one of its side.
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
