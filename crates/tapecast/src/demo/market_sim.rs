//! A simulated market: random books and trades of twenty instruments.
//!
//! It is a pure core: it is given a seed and a start, and is advanced to a time. So the same seed makes the
//! same records, however often it is advanced. Events follow a monotonic clock; the wall clock only dates
//! records, and may be set at any time.
//!
//! Invariants:
//! - Prices are multiples of the tick, sizes of the lot; no book is ever crossed or locked, no side ever empty.
//! - A trade is at the best price, and the delta that follows it removes what was traded.
//! - An instrument's definition and snapshot come first and are repeated, so that a late consumer needs
//!   nothing older.
//!
//! Modules in reading order: [`catalogue`] the instruments, [`chance`] random distributions, [`assets`] how values
//! move, [`shape`] prices and sizes of levels, [`instrument`] one book, [`record`] the records.

mod assets;
mod catalogue;
mod chance;
mod instrument;
mod record;
mod shape;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use market::{Monotonic, Nanos, Now};

use assets::Assets;
use catalogue::{INSTRUMENTS, Listing};
use chance::Chance;
use instrument::SimInstrument;

/// Events per second in the whole market at rate 1; some make two records.
const EVENTS_PER_SECOND: f64 = 500.0;
/// The instrument of rank k has k to the power of minus this times the events of the first.
const ZIPF: f64 = 0.9;
/// Interval of snapshots at rate 1. The mock broker retains 5 MiB per partition, 100 s at 50 KiB/s in the busiest
/// one, so it always has several snapshots of each instrument.
const REFRESH_EVERY: Duration = Duration::from_secs(20);

/// A record to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The instrument's name: the record's key.
    pub(super) instrument: &'static str,
    /// When it happened.
    pub(super) time: Nanos,
    /// The value, in our own format.
    pub(super) json: &'a [u8],
}

/// The market.
#[derive(Debug)]
pub(super) struct MarketSim {
    assets: Assets,
    instruments: Vec<Entry>,
    calendar: BinaryHeap<Reverse<Appointment>>,
    refresh_every: u64,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    sim: SimInstrument,
    arrivals: Chance,
    /// Mean time between two events in ns, at normal volatility.
    interval: f64,
}

/// Scheduled work, ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Appointment {
    at: Monotonic,
    instrument: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Refresh,
    Event,
}

impl MarketSim {
    /// The names of all instruments, busiest first.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        INSTRUMENTS.iter().map(|listing| listing.name)
    }

    /// A market that starts at `start`; `rate` multiplies the number of events.
    pub(super) fn new(seed: u64, start: Monotonic, rate: f64) -> Self {
        let mut seeds = Chance::new(seed);
        let assets = Assets::new(seeds.fork(), start);
        let weights: f64 = (1..=INSTRUMENTS.len()).map(weight).sum();
        let mut calendar = BinaryHeap::new();
        let mut instruments = Vec::with_capacity(INSTRUMENTS.len());
        for (index, listing) in INSTRUMENTS.iter().enumerate() {
            let share = weight(index + 1) / weights;
            let sim = SimInstrument::new(listing, seeds.fork(), assets.value(listing.asset), start);
            let mut entry = Entry {
                sim,
                arrivals: seeds.fork(),
                interval: 1e9 / (EVENTS_PER_SECOND * rate * share),
            };
            let first = start.0 + chance::nanos(entry.arrivals.exponential(entry.interval));
            calendar.extend([
                Reverse(Appointment {
                    at: start,
                    instrument: index,
                    what: What::Refresh,
                }),
                Reverse(Appointment {
                    at: Monotonic(first.max(start.0 + 1)),
                    instrument: index,
                    what: What::Event,
                }),
            ]);
            instruments.push(entry);
        }
        Self {
            assets,
            instruments,
            calendar,
            refresh_every: chance::nanos(REFRESH_EVERY.as_secs_f64() * 1e9 / rate.max(1.0)),
            text: Vec::new(),
        }
    }

    /// When the next event is due.
    pub(super) fn next_at(&self) -> Option<Monotonic> {
        self.calendar.peek().map(|Reverse(next)| next.at)
    }

    /// Runs all events up to `now`, and emits their records in order of time.
    pub(super) fn advance(&mut self, now: Now, emit: &mut impl FnMut(Record<'_>)) {
        while let Some(Reverse(next)) = self.calendar.peek().copied() {
            if next.at > now.monotonic {
                return;
            }
            self.calendar.pop();
            self.assets.advance(next.at);
            let ago = now.monotonic.nanos_since(next.at);
            let time = Nanos(now.wall.0.saturating_sub(ago));
            let after = match next.what {
                What::Refresh => self.refresh(next, time, emit),
                What::Event => self.event(next, time, emit),
            };
            self.calendar
                .push(Reverse(Appointment { at: after, ..next }));
        }
    }

    /// Postpones all events so that the next one is due at `now`.
    pub(super) fn skip_to(&mut self, now: Monotonic) {
        let late = self
            .next_at()
            .map_or(Duration::ZERO, |next| now.since(next));
        let calendar = std::mem::take(&mut self.calendar);
        self.calendar = calendar
            .into_iter()
            .map(|Reverse(next)| {
                Reverse(Appointment {
                    at: next.at + late,
                    ..next
                })
            })
            .collect();
    }

    fn refresh(
        &mut self,
        now: Appointment,
        time: Nanos,
        emit: &mut impl FnMut(Record<'_>),
    ) -> Monotonic {
        let entry = &self.instruments[now.instrument];
        let listing = entry.sim.listing();
        self.text.clear();
        record::definition(&mut self.text, listing, time);
        emit(of(listing, time, &self.text));
        self.text.clear();
        record::snapshot(
            &mut self.text,
            listing,
            time,
            entry.sim.seq(),
            entry.sim.book(),
        );
        emit(of(listing, time, &self.text));
        // The first snapshots come together; later ones take turns.
        let wait = if now.at == self.assets.start() {
            let turn = now.instrument as u64 + 1;
            self.refresh_every * turn / self.instruments.len() as u64
        } else {
            self.refresh_every
        };
        Monotonic(now.at.0 + wait.max(1))
    }

    fn event(
        &mut self,
        now: Appointment,
        time: Nanos,
        emit: &mut impl FnMut(Record<'_>),
    ) -> Monotonic {
        let entry = &mut self.instruments[now.instrument];
        let listing = entry.sim.listing();
        let value = self.assets.value(listing.asset);
        entry.sim.happen(now.at, value);
        if !entry.sim.prints().is_empty() {
            self.text.clear();
            record::trades(&mut self.text, listing, time, entry.sim.prints());
            emit(of(listing, time, &self.text));
        }
        if !entry.sim.changes().is_empty() {
            self.text.clear();
            let seq = entry.sim.next_seq();
            record::delta(&mut self.text, listing, time, seq, entry.sim.changes());
            emit(of(listing, time, &self.text));
        }
        let mean = entry.interval / self.assets.excitement(listing.asset);
        let wait = chance::nanos(entry.arrivals.exponential(mean));
        Monotonic(now.at.0 + wait.max(1))
    }
}

fn weight(rank: usize) -> f64 {
    (rank as f64).powf(-ZIPF)
}

fn of<'a>(listing: &'static Listing, time: Nanos, json: &'a [u8]) -> Record<'a> {
    Record {
        instrument: listing.name,
        time,
        json,
    }
}

#[cfg(test)]
mod tests;
