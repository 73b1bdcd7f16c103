use std::collections::VecDeque;

use crate::{Level, Link, Nanos, Seq};

/// How many deltas are kept for a whole book that comes late. A REST answer takes a second or
/// two; venues send at most 100 diffs a second (10 ms), and futures seen send 50.
const MAX_DELTAS: usize = 1024;
/// How many levels these may have: 16 a delta on average, 256 KiB.
const MAX_LEVELS: usize = 16 * MAX_DELTAS;

/// One delta that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentDelta {
    /// The record it came in.
    pub offset: Seq,
    /// Its place in the venue's sequence.
    pub link: Link,
    /// When the venue made it.
    pub time: Option<Nanos>,
    /// The record's timestamp.
    pub log_time: Nanos,
    bids: usize,
    asks: usize,
}

/// The latest deltas of an instrument whose whole books are fetched beside the stream.
///
/// They form one unbroken chain: what does not link to the last one starts a new chain. The
/// bounds are the same whether the book is live or not, so that two nodes judge a late whole
/// book alike.
#[derive(Debug, Clone, Default)]
pub struct RecentDeltas {
    deltas: VecDeque<RecentDelta>,
    levels: VecDeque<Level>,
}

impl RecentDeltas {
    /// Keeps a delta; returns whether it linked to the one before.
    pub fn push(
        &mut self,
        offset: Seq,
        link: Link,
        times: (Option<Nanos>, Nanos),
        bids: &[Level],
        asks: &[Level],
    ) -> bool {
        let linked = self
            .deltas
            .back()
            .is_none_or(|last| link.prev <= last.link.seq);
        if !linked {
            self.clear();
        }
        let incoming = bids.len() + asks.len();
        while self.deltas.len() >= MAX_DELTAS
            || (self.levels.len() + incoming > MAX_LEVELS && !self.deltas.is_empty())
        {
            self.pop();
        }
        self.levels.extend(bids.iter().chain(asks));
        self.deltas.push_back(RecentDelta {
            offset,
            link,
            time: times.0,
            log_time: times.1,
            bids: bids.len(),
            asks: asks.len(),
        });
        linked
    }

    /// The kept deltas that lead beyond `seq`, oldest first, if the first of them builds on it.
    ///
    /// `Ok` with nothing when none leads beyond; `Err` with the first one's `prev` when what
    /// stands between is no longer kept.
    pub fn since(&self, seq: u64) -> Result<usize, u64> {
        let first = self.deltas.partition_point(|delta| delta.link.seq <= seq);
        match self.deltas.get(first) {
            Some(delta) if delta.link.prev > seq => Err(delta.link.prev),
            _ => Ok(first),
        }
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.deltas.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deltas.is_empty()
    }

    /// The kept delta at an index, oldest first.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<RecentDelta> {
        self.deltas.get(index).copied()
    }

    /// The last one kept.
    #[must_use]
    pub fn last(&self) -> Option<RecentDelta> {
        self.deltas.back().copied()
    }

    /// Copies the levels of the delta at an index into `bids` and `asks`.
    pub fn levels_of(&self, index: usize, bids: &mut Vec<Level>, asks: &mut Vec<Level>) {
        bids.clear();
        asks.clear();
        let start: usize = self
            .deltas
            .range(..index.min(self.deltas.len()))
            .map(|delta| delta.bids + delta.asks)
            .sum();
        if let Some(delta) = self.deltas.get(index) {
            let middle = start + delta.bids;
            bids.extend(self.levels.range(start..middle));
            asks.extend(self.levels.range(middle..middle + delta.asks));
        }
    }

    /// Calls `give` with each of them and its levels, oldest first.
    pub(crate) fn for_each(&self, mut give: impl FnMut(RecentDelta, Vec<Level>, Vec<Level>)) {
        let mut begin = 0;
        for delta in &self.deltas {
            let (middle, end) = (begin + delta.bids, begin + delta.bids + delta.asks);
            let levels = |range| self.levels.range(range).copied().collect();
            give(*delta, levels(begin..middle), levels(middle..end));
            begin = end;
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.deltas.clear();
        self.levels.clear();
    }

    fn pop(&mut self) {
        if let Some(delta) = self.deltas.pop_front() {
            self.levels.drain(..delta.bids + delta.asks);
        }
    }
}
