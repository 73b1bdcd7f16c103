use market::{Book, Changes, Level, Monotonic, Side};

use super::catalogue::Listing;
use super::chance::{Chance, whole};
use super::shape::{Shape, behind, distance, ticks};

/// Probability that an event is a trade while quotes match the value.
const TRADES: f64 = 0.18;
/// Probability that a move trades through levels instead of cancelling them.
const TRADED_MOVES: f64 = 0.4;
/// Probability that a trade is on the same side as the last: large orders are split.
const SAME_SIDE: f64 = 0.7;
/// Maximum prints of a trade.
const MAX_PRINTS: usize = 12;
/// Maximum levels of one change of quotes; the number is geometric.
const MAX_REQUOTES: usize = 7;
const MORE_REQUOTES: f64 = 0.55;
/// Deviation of a venue's price from the others: basis points, and duration in seconds.
const BASIS_POINTS: f64 = 0.35;
const BASIS_SECONDS: f64 = 10.0;
/// Sequence number of the first snapshot; venues do not start at 1 either.
const FIRST_SEQ: u64 = 1_000_000;

/// One instrument of one venue.
#[derive(Debug)]
pub(super) struct SimInstrument {
    listing: &'static Listing,
    shape: Shape,
    chance: Chance,
    book: Book,
    /// Deviation of the venue's price in basis points.
    basis: f64,
    last: Monotonic,
    seq: u64,
    trade_id: u64,
    /// The side of the last trade.
    taken: Side,
    changes: Changes,
    prints: Vec<Print>,
}

/// A trade at one level.
#[derive(Debug, Clone, Copy)]
pub(super) struct Print {
    /// Price and size.
    pub(super) level: Level,
    /// Whether the buyer was the aggressor.
    pub(super) buy: bool,
    pub(super) id: u64,
}

impl SimInstrument {
    pub(super) fn new(
        listing: &'static Listing,
        chance: Chance,
        value: f64,
        start: Monotonic,
    ) -> Self {
        let mut new = Self {
            listing,
            shape: Shape::new(listing, value),
            chance,
            book: Book::new(),
            basis: 0.0,
            last: start,
            seq: FIRST_SEQ,
            trade_id: FIRST_SEQ,
            taken: Side::Ask,
            changes: Changes::default(),
            prints: Vec::new(),
        };
        let bid = whole(value / listing.tick_value());
        new.quote(Side::Bid, bid);
        new.quote(Side::Ask, bid + 1);
        for side in Side::BOTH {
            while new.book.side(side).len() < listing.depth {
                new.add(side);
            }
        }
        new.changes.clear();
        new
    }

    pub(super) const fn listing(&self) -> &'static Listing {
        self.listing
    }

    pub(super) const fn book(&self) -> &Book {
        &self.book
    }

    /// The sequence number of the book.
    pub(super) const fn seq(&self) -> u64 {
        self.seq
    }

    /// Advances the sequence number; returns the previous and the new one.
    pub(super) const fn next_seq(&mut self) -> (u64, u64) {
        self.seq += 1;
        (self.seq - 1, self.seq)
    }

    /// The trades of the last event.
    pub(super) fn prints(&self) -> &[Print] {
        &self.prints
    }

    /// The changes of the last event, normalised.
    pub(super) const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Runs one event: quotes follow the value, a trade, or makers change quotes.
    pub(super) fn happen(&mut self, now: Monotonic, value: f64) {
        self.changes.clear();
        self.prints.clear();
        self.move_basis(now);
        let fair = value * (1.0 + self.basis * 1e-4) / self.listing.tick_value();
        let middle = (self.best(Side::Bid) + self.best(Side::Ask)) as f64 / 2.0;
        let patience = self.shape.patience * (0.5 + self.chance.exponential(0.5));
        if (fair - middle).abs() > patience {
            self.follow(fair, middle);
        } else if self.chance.happens(TRADES) {
            self.trade();
        } else {
            self.requote();
        }
        // What was just traded is not quoted again in the same event.
        if self.prints.is_empty() {
            self.mend(fair);
        }
        self.changes.normalize();
    }

    fn move_basis(&mut self, now: Monotonic) {
        let seconds = now.since(self.last).as_secs_f64();
        self.last = now;
        let kept = (-seconds / BASIS_SECONDS).exp();
        let moved = BASIS_POINTS * (1.0 - kept * kept).sqrt();
        self.basis = self.basis * kept + moved * self.chance.normal();
    }

    /// Moves quotes to the value: levels in between are traded or cancelled.
    fn follow(&mut self, fair: f64, middle: f64) {
        let spread = self.shape.spread(&mut self.chance);
        let half = spread as f64 / 2.0;
        let (taken, best) = if fair > middle {
            (Side::Ask, whole((fair + half).ceil()))
        } else {
            (Side::Bid, whole((fair - half).floor()))
        };
        let traded = self.chance.happens(TRADED_MOVES);
        while let Some(level) = self.book.side(taken).best() {
            let price = ticks(self.listing, level.price);
            if distance(taken, best, price) >= 0 {
                break;
            }
            if traded && self.prints.len() < MAX_PRINTS {
                self.print(taken, level);
            }
            self.set(taken, price, 0);
        }
        self.quote(taken, best);
        let given = taken.opposite();
        self.quote(given, behind(given, best, spread));
        for _ in 0..self.chance.geometric(0.6, 4) {
            self.add(given);
        }
    }

    /// A trade takes part of the best level, all of it, or more.
    fn trade(&mut self) {
        if !self.chance.happens(SAME_SIDE) {
            self.taken = self.taken.opposite();
        }
        let taken = self.taken;
        let mut left = self.shape.trade(&mut self.chance);
        while left > 0 && self.prints.len() < MAX_PRINTS {
            let Some(level) = self.book.side(taken).best() else {
                return;
            };
            let there = level.size.0 / self.listing.lot;
            let filled = left.min(there);
            let level_part = Level::new(level.price.0, filled * self.listing.lot);
            self.print(taken, level_part);
            self.set(taken, ticks(self.listing, level.price), there - filled);
            left -= filled;
        }
    }

    /// Makers add, cancel and resize levels.
    fn requote(&mut self) {
        let count = 1 + self.chance.geometric(MORE_REQUOTES, MAX_REQUOTES - 1);
        for _ in 0..count {
            let side = if self.chance.happens(0.5) {
                Side::Bid
            } else {
                Side::Ask
            };
            // Keeps the number of levels around its target.
            let fullness = self.book.side(side).len() as f64 / self.listing.depth as f64;
            let dice = self.chance.even();
            if dice < 0.4 {
                let rank = self.chance.geometric(0.7, self.listing.depth);
                self.resize(side, rank);
            } else if dice < 0.4 + 0.3 * (2.0 - fullness).clamp(0.0, 2.0) {
                self.add(side);
            } else {
                let depth = self.book.side(side).len();
                let rank = if self.chance.happens(0.5) {
                    self.chance.geometric(0.9, depth)
                } else {
                    self.chance.below(depth)
                };
                self.cancel(side, rank);
            }
        }
    }

    /// Narrows a wide spread and keeps the depth around its target.
    fn mend(&mut self, fair: f64) {
        let (bid, ask) = (self.best(Side::Bid), self.best(Side::Ask));
        let spread = self.shape.spread(&mut self.chance);
        if ask - bid > spread.max(whole(self.listing.spread.ceil())) {
            // The side farther from the value moves closer.
            if ask as f64 - fair > fair - bid as f64 {
                self.quote(Side::Ask, bid + spread);
            } else {
                self.quote(Side::Bid, ask - spread);
            }
        }
        for side in Side::BOTH {
            let depth = self.listing.depth;
            if self.book.side(side).len() < depth - depth / 20 {
                self.add(side);
            }
            for _ in 0..2 {
                let len = self.book.side(side).len();
                let worst = self.book.side(side).at_rank(len - 1);
                let Some(worst) = worst.map(|level| ticks(self.listing, level.price)) else {
                    return;
                };
                let away = distance(side, self.best(side), worst) as f64;
                if len > depth + depth / 20 || (away > 1.5 * self.shape.reach && len > depth / 2) {
                    self.set(side, worst, 0);
                }
            }
        }
    }

    /// Adds a level at a price that has none.
    fn quote(&mut self, side: Side, price: i64) {
        let level = Level::new(price * self.listing.tick, 0);
        if self.book.side(side).size_at(level.price).is_zero() {
            let lots = self.shape.size(price, 0, &mut self.chance);
            self.set(side, price, lots);
        }
    }

    /// Adds a level at a free price beyond the best one.
    fn add(&mut self, side: Side) {
        let best = self.best(side);
        let mut price = self.shape.price(side, best, &mut self.chance);
        while !self.is_free(side, price) {
            price = behind(side, price, 1);
        }
        // Bids stay above zero.
        if price > 0 {
            let away = distance(side, best, price);
            let lots = self.shape.size(price, away, &mut self.chance);
            self.set(side, price, lots);
        }
    }

    fn resize(&mut self, side: Side, rank: usize) {
        if let Some(level) = self.book.side(side).at_rank(rank) {
            let price = ticks(self.listing, level.price);
            let away = distance(side, self.best(side), price);
            let lots = self.shape.size(price, away, &mut self.chance);
            self.set(side, price, lots);
        }
    }

    fn cancel(&mut self, side: Side, rank: usize) {
        let ladder = self.book.side(side);
        if ladder.len() > self.listing.depth / 2
            && let Some(level) = ladder.at_rank(rank)
        {
            self.set(side, ticks(self.listing, level.price), 0);
        }
    }

    fn print(&mut self, taken: Side, level: Level) {
        self.trade_id += 1;
        self.prints.push(Print {
            level,
            buy: taken == Side::Ask,
            id: self.trade_id,
        });
    }

    fn set(&mut self, side: Side, price: i64, lots: i64) {
        let level = Level::new(price * self.listing.tick, lots * self.listing.lot);
        let change = self.book.set(side, level);
        if change.before != change.after {
            self.changes.side_mut(side).push(change);
        }
    }

    fn is_free(&self, side: Side, price: i64) -> bool {
        let level = Level::new(price * self.listing.tick, 0);
        self.book.side(side).size_at(level.price).is_zero()
    }

    /// The best price of a side, in ticks.
    fn best(&self, side: Side) -> i64 {
        let best = self.book.side(side).best();
        best.map_or(0, |level| ticks(self.listing, level.price))
    }
}
