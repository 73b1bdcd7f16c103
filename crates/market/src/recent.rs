use std::collections::VecDeque;

use crate::{Level, Nanos, Seq, SeqLink};

/// The most deltas retained for a snapshot that arrives late. A REST response takes a second or
/// two; venues send at most 100 deltas a second (one per 10 ms), and the futures seen send 50.
const MAX_DELTAS: usize = 1024;
/// The maximum number of levels in the retained deltas: 16 per delta on average, 256 KiB.
const MAX_LEVELS: usize = 16 * MAX_DELTAS;

/// A retained delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentDelta {
    /// The offset of its record.
    pub offset: Seq,
    /// Its link in the venue's sequence.
    pub link: SeqLink,
    /// The venue's timestamp.
    pub time: Option<Nanos>,
    /// The record's timestamp.
    pub log_time: Nanos,
    bids: usize,
    asks: usize,
}

/// The latest deltas of an instrument whose snapshots are fetched separately from the stream.
///
/// They form one unbroken chain: a delta that does not link to the last one starts a new chain. The
/// bounds are the same whether the book is live or not, so that all nodes treat a late snapshot
/// alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecentDeltas {
    deltas: VecDeque<RecentDelta>,
    levels: VecDeque<Level>,
}

impl RecentDeltas {
    /// Appends a delta, and starts a new chain if it does not link to the last one.
    pub(crate) fn push(
        &mut self,
        offset: Seq,
        link: SeqLink,
        times: (Option<Nanos>, Nanos),
        bids: &[Level],
        asks: &[Level],
    ) {
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
    }

    /// Finds the index of the first delta after `seq`, which is [`RecentDeltas::len`] if there is
    /// none.
    ///
    /// Fails with the number that this delta builds on if deltas before it are no longer retained.
    pub(crate) fn since(&self, seq: u64) -> Result<usize, u64> {
        let first = self.deltas.partition_point(|delta| delta.link.seq <= seq);
        match self.deltas.get(first) {
            Some(delta) if delta.link.prev > seq => Err(delta.link.prev),
            _ => Ok(first),
        }
    }

    /// The number of deltas.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.deltas.len()
    }

    /// The delta at an index, oldest first.
    #[must_use]
    pub(crate) fn get(&self, index: usize) -> Option<RecentDelta> {
        self.deltas.get(index).copied()
    }

    /// The latest delta.
    #[must_use]
    pub(crate) fn last(&self) -> Option<RecentDelta> {
        self.deltas.back().copied()
    }

    /// Copies the levels of the delta at an index into `bids` and `asks`.
    pub(crate) fn levels_of(&self, index: usize, bids: &mut Vec<Level>, asks: &mut Vec<Level>) {
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

    /// Calls `give` with each delta and its levels, oldest first.
    pub(crate) fn for_each(&self, mut give: impl FnMut(RecentDelta, Vec<Level>, Vec<Level>)) {
        let mut begin = 0;
        for delta in &self.deltas {
            let (middle, end) = (begin + delta.bids, begin + delta.bids + delta.asks);
            let levels = |range| self.levels.range(range).copied().collect();
            give(*delta, levels(begin..middle), levels(middle..end));
            begin = end;
        }
    }

    /// Removes all deltas.
    pub(crate) fn clear(&mut self) {
        self.deltas.clear();
        self.levels.clear();
    }

    fn pop(&mut self) {
        if let Some(delta) = self.deltas.pop_front() {
            self.levels.drain(..delta.bids + delta.asks);
        }
    }
}
