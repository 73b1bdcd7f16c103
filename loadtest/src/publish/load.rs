use std::fmt::Write as _;

use market::{
    Aggressor, Definition, Event, Exponents, InstrumentName, Level, NameError, Nanos, Price,
    SeqLink, Size, SnapshotOrigin, Trade,
};

use super::Mix;

/// The exponents of all instruments: cents, and thousandths of a unit.
pub(crate) const EXPONENTS: Exponents = Exponents {
    price: -2,
    size: -3,
};
/// The largest size, as a mantissa.
const MAX_SIZE: u32 = 99_999;
/// Share of changes below the touch that delete a level.
const DELETES: f64 = 0.1;
/// Probability that a change skips a level: most changes are near the touch.
const PASSES: f64 = 0.6;

/// One instrument, with fixed prices and changing sizes.
#[derive(Debug)]
pub(super) struct Book {
    name: InstrumentName,
    /// The best bid's price; bids go down from it cent by cent, asks go up from the next cent.
    bid: i64,
    bids: Box<[u32]>,
    asks: Box<[u32]>,
    seq: u64,
    trades: u64,
}

/// Generates events.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) random: fastrand::Rng,
    mix: Mix,
    changes: f64,
    trades: f64,
    /// Scratch for the levels and the trade id of the current event.
    bids: Vec<Level>,
    asks: Vec<Level>,
    id: String,
}

impl Book {
    /// Creates an instrument by its number, with that many levels per side.
    pub(super) fn new(
        number: usize,
        levels: usize,
        random: &mut fastrand::Rng,
    ) -> Result<Self, NameError> {
        let mut sizes = || {
            (0..levels.max(1))
                .map(|_| random.u32(1..=MAX_SIZE))
                .collect()
        };
        let (bids, asks) = (sizes(), sizes());
        Ok(Self {
            name: InstrumentName::new("LOAD", &format!("I{number:05}"))?,
            bid: 100_000 + i64::try_from(levels).unwrap_or_default() + random.i64(0..900_000),
            bids,
            asks,
            seq: 0,
            trades: 0,
        })
    }

    pub(super) const fn name(&self) -> &InstrumentName {
        &self.name
    }
}

impl Load {
    /// `changes` is the mean number of levels of a delta, `trades` the share of trades.
    pub(super) fn new(mix: Mix, changes: f64, trades: f64, seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            mix,
            changes: changes.max(1.0),
            trades,
            bids: Vec::new(),
            asks: Vec::new(),
            id: String::new(),
        }
    }

    /// The definition of an instrument.
    pub(super) const fn definition(time: u64) -> Event<'static> {
        Event::Definition {
            time: Some(Nanos(time)),
            definition: Definition {
                exponents: EXPONENTS,
                tick_size: None,
                lot_size: None,
            },
        }
    }

    /// A snapshot.
    pub(super) fn whole(&mut self, book: &Book, time: u64) -> Event<'_> {
        let side = |out: &mut Vec<Level>, sizes: &[u32], best: i64, step: i64| {
            out.clear();
            let there = (0..).zip(sizes).filter(|(_, size)| **size > 0);
            out.extend(there.map(|(rank, size)| Level::new(best + step * rank, (*size).into())));
        };
        side(&mut self.bids, &book.bids, book.bid, -1);
        side(&mut self.asks, &book.asks, book.bid + 1, 1);
        Event::Snapshot {
            seq: Some(book.seq),
            origin: SnapshotOrigin::InBand,
            time: Some(Nanos(time)),
            bids: &self.bids,
            asks: &self.asks,
        }
    }

    /// Generates the next event of an instrument.
    pub(super) fn next<R>(
        &mut self,
        book: &mut Book,
        time: u64,
        take: impl FnOnce(&InstrumentName, &Event<'_>) -> R,
    ) -> R {
        match self.mix {
            Mix::Bbo => self.touch(book),
            Mix::Market if self.random.f64() < self.trades => return self.trade(book, time, take),
            Mix::Market => self.levels(book),
        }
        let prev = book.seq;
        book.seq += 1;
        let event = Event::Delta {
            link: Some(SeqLink {
                prev,
                seq: book.seq,
            }),
            origin: SnapshotOrigin::InBand,
            time: Some(Nanos(time)),
            bids: &self.bids,
            asks: &self.asks,
        };
        take(&book.name, &event)
    }

    fn trade<R>(
        &mut self,
        book: &mut Book,
        time: u64,
        take: impl FnOnce(&InstrumentName, &Event<'_>) -> R,
    ) -> R {
        book.trades += 1;
        self.id.clear();
        // Writing to memory cannot fail.
        let _written = write!(self.id, "{}", book.trades);
        let buy = self.random.bool();
        let trade = Trade {
            price: Price(book.bid + i64::from(buy)),
            size: Size(self.random.i64(1..=1_000)),
            side: if buy { Aggressor::Buy } else { Aggressor::Sell },
            id: &self.id,
        };
        let event = Event::Trades {
            time: Some(Nanos(time)),
            trades: &[trade],
        };
        take(&book.name, &event)
    }

    /// Changes the size of the best bid or the best offer, and nothing else.
    fn touch(&mut self, book: &mut Book) {
        self.bids.clear();
        self.asks.clear();
        let (out, sizes, price) = if self.random.bool() {
            (&mut self.bids, &mut book.bids, book.bid)
        } else {
            (&mut self.asks, &mut book.asks, book.bid + 1)
        };
        if let Some(size) = sizes.first_mut() {
            // Any size but the current one.
            let other = self.random.u32(1..MAX_SIZE);
            *size = other + u32::from(other >= *size);
            out.push(Level::new(price, (*size).into()));
        }
    }

    /// Changes some levels; their number is geometric with the given mean.
    fn levels(&mut self, book: &mut Book) {
        let again = 1.0 - 1.0 / self.changes;
        let mut count = 1;
        while self.random.f64() < again {
            count += 1;
        }
        let bids = if self.random.bool() {
            count / 2
        } else {
            count - count / 2
        };
        let random = &mut self.random;
        change(random, &mut self.bids, &mut book.bids, bids, book.bid, -1);
        let asks = count - bids;
        change(
            random,
            &mut self.asks,
            &mut book.asks,
            asks,
            book.bid + 1,
            1,
        );
    }
}

/// Changes `count` levels of a side at geometric distances from the touch, no price twice.
fn change(
    random: &mut fastrand::Rng,
    out: &mut Vec<Level>,
    sizes: &mut [u32],
    count: usize,
    best: i64,
    step: i64,
) {
    out.clear();
    let mut rank = 0;
    for _ in 0..count {
        while random.f64() < PASSES {
            rank += 1;
        }
        let Some(size) = sizes.get_mut(rank) else {
            return;
        };
        // The touch is never deleted, so that a book is never crossed or empty.
        let gone = rank > 0 && *size > 0 && random.f64() < DELETES;
        *size = if gone { 0 } else { random.u32(1..=MAX_SIZE) };
        let price = best + step * i64::try_from(rank).unwrap_or_default();
        out.push(Level::new(price, (*size).into()));
        rank += 1;
    }
}

#[cfg(test)]
mod tests {
    use market::{Changes, DeltaOutcome, Seq, SnapshotOutcome, VenueBook};

    use super::*;

    fn check(mix: Mix, mut each: impl FnMut(&Event<'_>, &Changes)) {
        let mut load = Load::new(mix, 4.0, 0.1, 7);
        let mut book = Book::new(1, 20, &mut load.random).unwrap();
        let mut builder = VenueBook::new();
        let mut changes = Changes::default();
        for step in 0..20_000 {
            if step % 1_000 == 0 {
                let Event::Snapshot {
                    seq,
                    origin,
                    bids,
                    asks,
                    ..
                } = load.whole(&book, step)
                else {
                    panic!("no whole book");
                };
                let known = builder.is_live();
                let outcome = builder.snapshot(seq, origin, bids, asks, Seq::NONE, &mut changes);
                assert_eq!(outcome, SnapshotOutcome::Applied);
                assert!(
                    !known || changes.is_empty(),
                    "a whole book says what the deltas said"
                );
            }
            load.next(&mut book, step, |_, event| {
                if let Event::Delta {
                    link,
                    origin,
                    time,
                    bids,
                    asks,
                } = *event
                {
                    let outcome = builder.delta(
                        Seq(0),
                        Nanos(0),
                        link,
                        origin,
                        time,
                        bids,
                        asks,
                        &mut changes,
                    );
                    assert_eq!(outcome, DeltaOutcome::Applied);
                }
                each(event, &changes);
            });
        }
    }

    #[test]
    fn every_change_is_chained_and_no_book_is_ever_crossed() {
        let (mut deltas, mut trades) = (0, 0);
        check(Mix::Market, |event, _| match event {
            Event::Delta { .. } => deltas += 1,
            Event::Trades { .. } => trades += 1,
            other => panic!("{other:?}"),
        });
        assert!(deltas > 17_000 && trades > 1_700, "{deltas} {trades}");
    }

    #[test]
    fn each_change_of_a_touch_is_a_new_best_bid_or_offer() {
        check(Mix::Bbo, |event, changes| {
            let Event::Delta { bids, asks, .. } = event else {
                panic!("{event:?}");
            };
            assert_eq!(bids.len() + asks.len(), 1);
            assert!(!changes.is_empty(), "the size is another one");
        });
    }
}
