use market::{At, Epoch, Exponents, Nanos, PartitionIdentity, PartitionIndex, Seq};

use crate::checkpoint::SavedSource;

/// How long a source partition must be silent before another may replace it, by the timestamps of
/// their records: longer than a producer takes to restart.
const SILENT_AFTER: u64 = 60_000_000_000;
/// The least number of records that the other partition must bring in that time. If two topics
/// carry the same instrument by mistake, a quiet one must not be replaced just because a record of
/// it is read later.
const LEAST_RECORDS: u32 = 16;

/// The partition that a channel of an instrument is read from.
///
/// Invariant: which partition it is once all logs have been read depends only on the logs, not on
/// the order in which partitions are read. If two bring records at the same time, the first by
/// topic and number wins; if one follows the other, the later one.
#[derive(Debug)]
pub(super) struct SourcePartition {
    index: PartitionIndex,
    identity: PartitionIdentity,
    /// The last record that came from it; none since it was opened or restarted.
    last_record: Seq,
    /// The timestamp of that record; 0 if it has none.
    last_log_time: Nanos,
    /// The number of records of other partitions since then.
    others: u32,
    /// Whether its topic or partition no longer exists.
    is_gone: bool,
}

impl SourcePartition {
    pub(super) fn new(index: PartitionIndex, identity: &PartitionIdentity) -> Self {
        Self {
            index,
            identity: identity.clone(),
            last_record: Seq::NONE,
            last_log_time: Nanos(0),
            others: 0,
            is_gone: false,
        }
    }

    /// Creates one of which everything up to `last_record` has been applied.
    pub(super) fn restored(
        index: PartitionIndex,
        identity: &PartitionIdentity,
        last_record: Seq,
        last_log_time: Nanos,
    ) -> Self {
        Self {
            last_record,
            last_log_time,
            ..Self::new(index, identity)
        }
    }

    pub(super) fn save(&self, read_to: &impl Fn(PartitionIndex) -> Seq) -> SavedSource {
        SavedSource::of(
            &self.identity,
            self.last_record,
            read_to(self.index).max(self.last_record),
        )
    }

    pub(super) const fn identity(&self) -> &PartitionIdentity {
        &self.identity
    }

    pub(super) const fn is(&self, index: PartitionIndex) -> bool {
        self.index.0 == index.0
    }

    /// The epoch of streams that are read from this partition.
    pub(super) fn epoch(&self, exponents: Exponents) -> Epoch {
        self.identity.epoch(exponents)
    }

    /// Returns whether a record of another partition moves the channel there.
    ///
    /// It does if this partition is gone, or has brought nothing since its topic was recreated,
    /// which may put the instrument anywhere; if the other precedes it and the record is not much
    /// older than this one's last; and if this one has been silent for a minute while the other
    /// continued, as after a topic was renamed or got more partitions.
    pub(super) fn yields_to(&mut self, other: &PartitionIdentity, at: At) -> bool {
        if self.is_gone || self.last_record == Seq::NONE {
            return true;
        }
        let have_times = self.last_log_time != Nanos(0) && at.log_time != Nanos(0);
        let yields = if other.comes_before(&self.identity) {
            !have_times || at.log_time.0.saturating_add(SILENT_AFTER) >= self.last_log_time.0
        } else {
            let is_silent = at.log_time.0 > self.last_log_time.0.saturating_add(SILENT_AFTER);
            have_times && is_silent && self.others >= LEAST_RECORDS
        };
        self.others = self.others.saturating_add(u32::from(!yields));
        yields
    }

    /// Returns whether records of other partitions were skipped, which the channel then lacks if it
    /// moves there.
    pub(super) const fn has_skipped_others(&self) -> bool {
        self.others > 0
    }

    /// Lets any other partition take over, because this one no longer exists.
    pub(super) const fn partition_gone(&mut self) {
        self.is_gone = true;
    }

    /// Accepts a record unless it is a repetition. Returns whether it was accepted.
    pub(super) fn accept(&mut self, at: At) -> bool {
        let is_new = at.seq > self.last_record;
        if is_new {
            self.last_record = at.seq;
            self.last_log_time = at.log_time;
            self.others = 0;
            self.is_gone = false;
        }
        is_new
    }
}
