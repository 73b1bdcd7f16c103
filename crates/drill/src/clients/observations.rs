//! Everything that a group of clients observes.

use super::history::{Continuity, History};
use super::payloads::Payloads;
use super::phase_stats::{Fault, PhaseStats, count};
use super::verification::Verification;
use super::{BOOK, Results, STREAMS};
use crate::kafka_log::KafkaLog;
use std::time::{Duration, Instant};

/// A client whose last item is younger is up to date: instruments publish several times a second.
const UP_TO_DATE: Duration = Duration::from_secs(2);

/// Everything that a group of clients observes.
#[derive(Debug)]
pub(super) struct Observations {
    /// The last one is the current phase.
    phases: Vec<PhaseStats>,
    pub(super) payloads: Payloads,
    clients: Vec<ClientState>,
    instruments: usize,
}

#[derive(Debug, Default)]
struct ClientState {
    last_item: Option<Instant>,
    histories: [History; STREAMS],
    /// Whether its book equals that of the log, at the end.
    is_right: bool,
    is_stale: bool,
}

impl Observations {
    pub(super) fn new(clients: usize, instruments: usize) -> Self {
        Self {
            phases: vec![PhaseStats::new("start", clients)],
            payloads: Payloads::new(instruments * STREAMS),
            clients: (0..clients).map(|_| ClientState::default()).collect(),
            instruments,
        }
    }

    pub(super) fn begin_phase(&mut self, name: &str) {
        self.phases.push(PhaseStats::new(name, self.clients.len()));
    }

    /// The current phase.
    pub(super) fn phase(&mut self) -> &mut PhaseStats {
        let last = self.phases.len() - 1;
        &mut self.phases[last]
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        count(&mut self.phase().faults, fault);
    }

    /// The instrument that a client subscribes to.
    pub(super) const fn instrument(&self, client: usize) -> usize {
        client % self.instruments
    }

    pub(super) fn history(&mut self, client: usize, stream: usize) -> &mut History {
        &mut self.clients[client].histories[stream]
    }

    /// Compares a message with what others were sent. Counts one that the client has already.
    pub(super) fn payload(&mut self, client: usize, stream: usize, message: &[u8]) {
        if self.history(client, stream).is_conflated() {
            return;
        }
        let number = self.instrument(client) * STREAMS + stream;
        if let Some(recorded) = self.payloads.record(number, message) {
            let is_old = self.history(client, stream).includes(recorded.seq);
            self.phase().skipped += u64::from(is_old);
            if !recorded.is_same {
                self.fault(Fault::Different);
            }
        }
    }

    /// A client received an item of the market.
    pub(super) fn item(&mut self, client: usize, continuity: Continuity) {
        self.continuity(continuity);
        let now = Instant::now();
        let before = self.clients[client].last_item.replace(now);
        self.clients[client].is_stale = false;
        if let Some(before) = before {
            let pause = now.saturating_duration_since(before).as_millis();
            let pause = u32::try_from(pause).unwrap_or(u32::MAX);
            let longest = &mut self.phase().pauses_ms[client];
            *longest = (*longest).max(pause);
        }
    }

    /// Counts how an item or a heartbeat relates to those before it.
    pub(super) fn continuity(&mut self, continuity: Continuity) {
        match continuity {
            Continuity::Start | Continuity::Next => {}
            Continuity::Conflated => self.phase().conflated += 1,
            Continuity::Repeated => self.fault(Fault::Repeated),
            Continuity::Missing => self.fault(Fault::Missing),
            Continuity::OtherEpoch => self.fault(Fault::OtherEpoch),
        }
    }

    /// A client received `STALE` for its instrument.
    pub(super) fn stale(&mut self, client: usize) {
        if !std::mem::replace(&mut self.clients[client].is_stale, true) {
            self.phase().stale += 1;
        }
    }

    pub(super) fn set_right(&mut self, client: usize, is_right: bool) {
        self.clients[client].is_right = is_right;
    }

    /// How many clients are up to date.
    pub(super) fn up_to_date(&self) -> usize {
        let now = Instant::now();
        let is_up_to_date = |client: &&ClientState| {
            let last = client.last_item;
            last.is_some_and(|last| now.saturating_duration_since(last) < UP_TO_DATE)
        };
        self.clients.iter().filter(is_up_to_date).count()
    }

    /// Returns whether every client has the last record of the log.
    pub(super) fn all_have(&self, log: &KafkaLog) -> bool {
        self.clients.iter().enumerate().all(|(number, client)| {
            let instrument = self.instrument(number);
            let has_last = |(stream, history): (usize, &History)| {
                let offsets = log.offsets(instrument, stream == BOOK);
                offsets
                    .last()
                    .is_none_or(|last| history.last() >= Some(*last))
            };
            client.histories.iter().enumerate().all(has_last)
        })
    }

    pub(super) fn results(&self, log: &KafkaLog) -> Results {
        let mut check = Verification::default();
        for (number, client) in self.clients.iter().enumerate() {
            check.right_books += usize::from(client.is_right);
            let instrument = self.instrument(number);
            let is_complete = check.add_client(log, instrument, &client.histories);
            check.complete += usize::from(is_complete);
        }
        for instrument in 0..self.instruments {
            for stream in 0..STREAMS {
                let offsets = log.offsets(instrument, stream == BOOK);
                let seqs = self.payloads.seqs(instrument * STREAMS + stream);
                let is_invented = |seq: &i64| offsets.binary_search(seq).is_err();
                check.invented += seqs.filter(is_invented).count() as u64;
            }
        }
        Results {
            clients: self.clients.len(),
            phases: self.phases.clone(),
            check,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::TRADES;
    use super::super::history::tests::head;
    use super::*;

    const OFFSETS: [i64; 5] = [0, 2, 3, 5, 8];
    const TRADE_OFFSETS: [i64; 3] = [1, 4, 6];

    /// Checks one client that received a snapshot at 0, and then these items.
    fn check(book: &[(i64, i64)], trades: &[(i64, i64)]) -> Verification {
        let log = KafkaLog::of(&OFFSETS, &TRADE_OFFSETS);
        let mut observations = Observations::new(1, 1);
        observations.history(0, BOOK).snapshot(&head(-1, 0));
        for (stream, items) in [(BOOK, book), (TRADES, trades)] {
            for (prev, seq) in items {
                let continuity = observations.history(0, stream).item(&head(*prev, *seq));
                observations.continuity(continuity);
            }
        }
        observations.set_right(0, true);
        observations.results(&log).check
    }

    const ALL: [(i64, i64); 4] = [(0, 2), (2, 3), (3, 5), (5, 8)];

    #[test]
    fn a_client_with_every_record_once_is_complete() {
        let check = check(&ALL, &[(-1, 1), (1, 4), (4, 6)]);
        assert_eq!((check.complete, check.silently_lost, check.lost), (1, 0, 0));
        assert_eq!((check.right_books, check.items), (1, 7));
        assert!(check.faults(1).is_empty());
        assert_eq!(check.faults(2).len(), 2);
    }

    #[test]
    fn a_record_of_the_log_that_a_client_misses_is_lost_even_in_an_unbroken_sequence() {
        // A node that leaves a record out could still chain what it sends.
        let skipped = check(&[(0, 2), (2, 5), (5, 8)], &[(-1, 1), (1, 4), (4, 6)]);
        assert_eq!((skipped.complete, skipped.silently_lost), (0, 1));
        let late = check(&ALL[..3], &[(-1, 1), (1, 4), (4, 6)]);
        assert_eq!((late.complete, late.silently_lost), (0, 1));
        let gap = check(&ALL, &[(-1, 1), (4, 6)]);
        assert_eq!((gap.complete, gap.silently_lost), (0, 1));
    }
}
