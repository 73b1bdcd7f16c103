//! What clients observed during one phase.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// What the clients of one group, or of several, observed during one phase.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct PhaseStats {
    pub(crate) name: String,
    /// Sessions that ended, by cause.
    pub(crate) sessions_lost: BTreeMap<String, u64>,
    /// Failed attempts to connect, by cause.
    pub(crate) failed_attempts: BTreeMap<String, u64>,
    /// Streams of books and trades that resumed.
    pub(crate) resumed: u64,
    /// Those that started again with a snapshot, by the node's reason.
    pub(crate) snapshots: BTreeMap<String, u64>,
    /// Subscriptions that a node rejected, by code.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Gaps that nodes reported or clients found, by cause.
    pub(crate) gaps: BTreeMap<String, u64>,
    /// Clients that received `STALE` for their instrument.
    pub(crate) stale: u64,
    /// Messages that arrived twice, and that clients skipped by the protocol's rule.
    pub(crate) skipped: u64,
    /// Net changes over several messages, reported as such.
    pub(crate) conflated: u64,
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Each client's longest time between two items, in milliseconds.
    #[serde(skip)]
    pub(crate) pauses_ms: Vec<u32>,
}

/// What must never happen, whatever fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// A client was given an item twice.
    Repeated,
    /// A client was given an item that does not continue what it had.
    Missing,
    /// An item had another epoch, although the topic was not recreated.
    OtherEpoch,
    /// A book did not match its checksum.
    ChecksumMismatch,
    /// Two clients received different bytes under the same `seq`.
    Different,
    /// A message could not be decoded.
    Undecodable,
    /// A book or trades stream was not `LIVE`.
    NotLive,
    /// A client gave up, or one of its streams was rejected for good.
    GaveUp,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Repeated => "repeated",
            Self::Missing => "missing",
            Self::OtherEpoch => "other epoch",
            Self::ChecksumMismatch => "checksum mismatch",
            Self::Different => "different",
            Self::Undecodable => "undecodable",
            Self::NotLive => "not live",
            Self::GaveUp => "gave up",
        })
    }
}

impl PhaseStats {
    pub(super) fn new(name: &str, clients: usize) -> Self {
        Self {
            name: name.to_owned(),
            pauses_ms: vec![0; clients],
            ..Self::default()
        }
    }

    /// Adds what other clients observed in the same phase.
    pub(super) fn add(&mut self, other: Self) {
        add(&mut self.sessions_lost, other.sessions_lost);
        add(&mut self.failed_attempts, other.failed_attempts);
        add(&mut self.snapshots, other.snapshots);
        add(&mut self.rejected, other.rejected);
        add(&mut self.gaps, other.gaps);
        add(&mut self.faults, other.faults);
        self.resumed += other.resumed;
        self.stale += other.stale;
        self.skipped += other.skipped;
        self.conflated += other.conflated;
        self.pauses_ms.extend(other.pauses_ms);
    }

    /// The longest pause in milliseconds of that share of the clients, the least affected first.
    pub(crate) fn pause(&self, share: f64) -> u32 {
        let mut pauses = self.pauses_ms.clone();
        pauses.sort_unstable();
        let count = pauses.len();
        let rank = (1..=count).find(|rank| *rank as f64 >= share * count as f64);
        rank.and_then(|rank| pauses.get(rank - 1))
            .copied()
            .unwrap_or(0)
    }
}

/// Counts one more.
pub(super) fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: impl Into<K>) {
    *counts.entry(key.into()).or_default() += 1;
}

fn add<K: Ord>(counts: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *counts.entry(key).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_clients_are_summed() {
        let stats = |pauses: &[u32]| PhaseStats {
            resumed: 2,
            faults: BTreeMap::from([(Fault::Missing, 1)]),
            pauses_ms: pauses.to_vec(),
            ..PhaseStats::default()
        };
        let mut all = stats(&[10, 30]);
        all.add(stats(&[20, 40]));
        assert_eq!((all.resumed, all.faults[&Fault::Missing]), (4, 2));
        let pauses = [0.5, 0.99, 1.0].map(|share| all.pause(share));
        assert_eq!(pauses, [20, 40, 40]);
    }
}
