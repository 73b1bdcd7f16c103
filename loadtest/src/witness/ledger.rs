use std::time::{Duration, Instant};

use serde::Serialize;

use super::chain::{Chain, Hole, Link};
use super::log::Log;
use super::phase::Phase;
use super::wire::Wire;

/// A client that had an item of the market no longer ago than this is up to date: instruments speak
/// several times a second.
const FRESH: Duration = Duration::from_secs(2);
/// The streams of an instrument that are followed item by item.
pub(super) const STREAMS: usize = 2;

/// All that was seen.
#[derive(Debug)]
pub(super) struct Ledger {
    phases: Vec<Phase>,
    pub(super) wire: Wire,
    seats: Vec<Seat>,
    instruments: usize,
    clients: usize,
}

/// Where one client stands.
#[derive(Debug, Default)]
struct Seat {
    /// When it had the last item of the market.
    heard: Option<Instant>,
    /// Its book, its trades.
    chains: [Chain; STREAMS],
    /// Whether its book is the log's, at the end.
    is_right: bool,
    is_stale: bool,
}

/// How all stand at the moment.
#[derive(Debug, Serialize)]
pub(super) struct Now {
    clients: usize,
    /// Clients that are up to date.
    fresh: usize,
    phase: usize,
}

/// What is told in the end.
#[derive(Debug, Serialize)]
pub(super) struct Seen<'a> {
    clients: usize,
    phases: &'a [Phase],
    check: Check,
}

/// How all stand against Kafka's log.
#[derive(Debug, Default, Serialize)]
struct Check {
    /// Clients whose book is the log's, level by level, at its end.
    right_books: usize,
    /// Clients that had every record behind where they began, once: what a snapshot or a net change
    /// stands for is counted beside, and is told to the client.
    complete: usize,
    /// Items of the market that clients were given.
    items: u64,
    /// Records of books that a snapshot or a net change stands for.
    by_snapshot: u64,
    conflated: u64,
    /// Trades that no client will ever get, although it was there.
    lost: u64,
    /// Records that a client has not, and nobody told it.
    silently_lost: u64,
    /// Numbers that were told and that the log has not.
    invented: u64,
}

impl Ledger {
    pub(super) fn new(clients: usize, instruments: usize) -> Self {
        Self {
            phases: vec![Phase::new("start".to_owned(), clients)],
            wire: Wire::new(instruments * STREAMS),
            seats: (0..clients).map(|_| Seat::default()).collect(),
            instruments,
            clients,
        }
    }

    /// What is seen from here on belongs to another phase.
    pub(super) fn begin(&mut self, name: String) {
        self.phases.push(Phase::new(name, self.clients));
    }

    /// The phase that what is seen belongs to.
    pub(super) fn phase(&mut self) -> &mut Phase {
        let last = self.phases.len() - 1;
        &mut self.phases[last]
    }

    pub(super) const fn instrument(&self, client: usize) -> usize {
        client % self.instruments
    }

    pub(super) fn chain(&mut self, client: usize, stream: usize) -> &mut Chain {
        &mut self.seats[client].chains[stream]
    }

    /// A client had an item of the market.
    pub(super) fn heard(&mut self, client: usize, now: Instant) {
        let before = self.seats[client].heard.replace(now);
        self.seats[client].is_stale = false;
        if let Some(before) = before {
            let pause = now.saturating_duration_since(before).as_millis();
            let pause = u32::try_from(pause).unwrap_or(u32::MAX);
            let longest = &mut self.phase().pauses_ms[client];
            *longest = (*longest).max(pause);
        }
    }

    /// A client was told that its instrument is stale.
    pub(super) fn stale(&mut self, client: usize) {
        if !std::mem::replace(&mut self.seats[client].is_stale, true) {
            self.phase().told_stale += 1;
        }
    }

    /// Counts what an item was to its chain.
    pub(super) fn linked(&mut self, link: Link) {
        let phase = self.phase();
        match link {
            Link::Begins | Link::Follows => {}
            Link::Leads => phase.conflated += 1,
            Link::Repeats => phase.faults.repeated += 1,
            Link::Misses => phase.faults.missing += 1,
            Link::OtherEpoch => phase.faults.other_epoch += 1,
        }
    }

    /// Whether a client's book is the log's.
    pub(super) fn judge(&mut self, client: usize, is_right: bool) {
        self.seats[client].is_right = is_right;
    }

    pub(super) fn now(&self) -> Now {
        let now = Instant::now();
        let is_fresh = |seat: &&Seat| {
            let heard = seat.heard;
            heard.is_some_and(|heard| now.saturating_duration_since(heard) < FRESH)
        };
        Now {
            clients: self.clients,
            fresh: self.seats.iter().filter(is_fresh).count(),
            phase: self.phases.len() - 1,
        }
    }

    /// Whether every client has the last that the log has for it.
    pub(super) fn all_have(&self, log: &Log) -> bool {
        self.seats.iter().enumerate().all(|(client, seat)| {
            let instrument = self.instrument(client);
            let ends = |(stream, chain): (usize, &Chain)| {
                let offsets = log.offsets(instrument, stream == 0);
                // Who began behind the last trade has all of them.
                offsets.last().is_none_or(|end| chain.last() >= Some(*end))
            };
            seat.chains.iter().enumerate().all(ends)
        })
    }

    pub(super) fn seen(&self, log: &Log) -> Seen<'_> {
        let mut check = Check::default();
        for (client, seat) in self.seats.iter().enumerate() {
            check.right_books += usize::from(seat.is_right);
            let instrument = self.instrument(client);
            let mut is_complete = true;
            for (stream, chain) in seat.chains.iter().enumerate() {
                is_complete &= check.add(log, instrument, stream == 0, chain);
            }
            check.complete += usize::from(is_complete);
        }
        for instrument in 0..self.instruments {
            for stream in 0..STREAMS {
                let offsets = log.offsets(instrument, stream == 0);
                let told = self.wire.seqs(instrument * STREAMS + stream);
                let is_invented = |seq: &i64| offsets.binary_search(seq).is_err();
                check.invented += told.filter(is_invented).count() as u64;
            }
        }
        Seen {
            clients: self.clients,
            phases: &self.phases,
            check,
        }
    }
}

impl Check {
    /// Adds one client's stream; whether the client has all that it could have.
    fn add(&mut self, log: &Log, instrument: usize, is_book: bool, chain: &Chain) -> bool {
        let between = |from, to| log.between(instrument, is_book, from, to);
        let mut silent = 0;
        let mut before: Option<i64> = None;
        for span in chain.spans() {
            self.items += span.items;
            silent += between(span.from, span.to).abs_diff(span.items);
            if let Some(before) = before {
                let hole = between(before, span.from);
                match span.hole {
                    Hole::Silent => silent += hole,
                    Hole::Anew if is_book => self.by_snapshot += hole,
                    Hole::Anew => self.lost += hole,
                    Hole::Conflated => self.conflated += hole,
                }
            }
            before = Some(span.to);
        }
        // What the log has behind the last that came.
        let rest = match before {
            Some(last) => between(last, i64::MAX),
            None => between(-1, i64::MAX),
        };
        silent += rest;
        self.silently_lost += silent;
        silent == 0 && !chain.spans().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::tests::head;
    use super::*;

    const BOOK: [i64; 5] = [0, 2, 3, 5, 8];
    const TRADES: [i64; 3] = [1, 4, 6];

    /// What comes of one client that was given a whole book at 0, and then these.
    fn check(book: &[(i64, i64)], trades: &[(i64, i64)]) -> Check {
        let log = Log::of(&BOOK, &TRADES);
        let mut ledger = Ledger::new(1, 1);
        ledger.chain(0, 0).whole(&head(-1, 0));
        for (stream, steps) in [(0, book), (1, trades)] {
            for (prev, seq) in steps {
                let link = ledger.chain(0, stream).step(&head(*prev, *seq));
                ledger.linked(link);
            }
        }
        ledger.judge(0, true);
        ledger.seen(&log).check
    }

    const ALL: [(i64, i64); 4] = [(0, 2), (2, 3), (3, 5), (5, 8)];

    #[test]
    fn who_had_every_record_once_is_complete() {
        let check = check(&ALL, &[(-1, 1), (1, 4), (4, 6)]);
        assert_eq!((check.complete, check.silently_lost, check.lost), (1, 0, 0));
        assert_eq!((check.right_books, check.items), (1, 7));
    }

    #[test]
    fn what_the_log_has_and_a_client_has_not_is_lost_even_where_its_chain_is_whole() {
        // A node that leaves a record out could still chain what it sends.
        let skipped = check(&[(0, 2), (2, 5), (5, 8)], &[(-1, 1), (1, 4), (4, 6)]);
        assert_eq!((skipped.complete, skipped.silently_lost), (0, 1));
        let late = check(&ALL[..3], &[(-1, 1), (1, 4), (4, 6)]);
        assert_eq!((late.complete, late.silently_lost), (0, 1));
        let gap = check(&ALL, &[(-1, 1), (4, 6)]);
        assert_eq!((gap.complete, gap.silently_lost), (0, 1));
    }
}
