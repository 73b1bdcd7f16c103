use market::{At, Epoch, Exponents, Nanos, PartitionIdentity, PartitionIndex, Seq};

use crate::checkpoint::SavedHome;

/// How long a source partition is silent before another one that brings the instrument may replace it, by
/// the timestamps of their records: longer than a producer takes to restart.
const SILENT_AFTER: u64 = 60_000_000_000;
/// How many records another partition brings in that time, at least. Where two topics have the same
/// instrument by mistake, a quiet one is not moved because one record is read before the other's.
const LEAST_RECORDS: u32 = 16;

/// The partition that a channel of an instrument is read from.
///
/// Invariant: which partition it is once all logs have been read depends on the logs alone, and not on
/// the order in which partitions are read. Of two that bring records at the same time the first by topic
/// and number wins; of two that bring them one after the other, the later one.
#[derive(Debug)]
pub(super) struct Home {
    index: PartitionIndex,
    identity: PartitionIdentity,
    /// The last record that came from there; none since it was begun, or begun anew.
    heard: Seq,
    /// The timestamp of that record; 0 where it has none.
    heard_at: Nanos,
    /// Records of other partitions since then.
    others: u32,
    /// Its topic or partition no longer exists.
    is_gone: bool,
}

impl Home {
    pub(super) fn new(index: PartitionIndex, identity: &PartitionIdentity) -> Self {
        Self {
            index,
            identity: identity.clone(),
            heard: Seq::NONE,
            heard_at: Nanos(0),
            others: 0,
            is_gone: false,
        }
    }

    /// One of which all records up to `heard` have been taken, the last of them at that time.
    pub(super) fn heard(
        index: PartitionIndex,
        identity: &PartitionIdentity,
        heard: Seq,
        heard_at: Nanos,
    ) -> Self {
        Self {
            heard,
            heard_at,
            ..Self::new(index, identity)
        }
    }

    pub(super) fn saved(&self, read_to: &impl Fn(PartitionIndex) -> Seq) -> SavedHome {
        SavedHome::of(
            &self.identity,
            self.heard,
            read_to(self.index).max(self.heard),
        )
    }

    pub(super) const fn identity(&self) -> &PartitionIdentity {
        &self.identity
    }

    pub(super) const fn is(&self, index: PartitionIndex) -> bool {
        self.index.0 == index.0
    }

    /// The epoch of what is read from here.
    pub(super) fn epoch(&self, exponents: Exponents) -> Epoch {
        self.identity.epoch(exponents)
    }

    /// Returns whether the channel moves to another partition, by a record of it.
    ///
    /// It does when this one is gone, or has brought nothing since its topic was recreated, which may bring
    /// it anywhere; when the other comes first and the record is not from long before this one's last; and
    /// when this one has been silent for a minute while the other went on, as after a topic was renamed or
    /// got more partitions.
    pub(super) fn yields_to(&mut self, other: &PartitionIdentity, at: At) -> bool {
        if self.is_gone || self.heard == Seq::NONE {
            return true;
        }
        let have_times = self.heard_at != Nanos(0) && at.log_time != Nanos(0);
        let yields = if other.comes_before(&self.identity) {
            !have_times || at.log_time.0.saturating_add(SILENT_AFTER) >= self.heard_at.0
        } else {
            let is_silent = at.log_time.0 > self.heard_at.0.saturating_add(SILENT_AFTER);
            have_times && is_silent && self.others >= LEAST_RECORDS
        };
        self.others = self.others.saturating_add(u32::from(!yields));
        yields
    }

    /// Returns whether the channel may miss records of the partition that it moves to: those that were
    /// skipped while it was read from here.
    pub(super) const fn has_skipped_others(&self) -> bool {
        self.others > 0
    }

    /// Its topic or partition no longer exists: any other one may bring the channel.
    pub(super) const fn give_up(&mut self) {
        self.is_gone = true;
    }

    /// Whether the record is news; if so, those up to it are not any more.
    pub(super) fn hear(&mut self, at: At) -> bool {
        let is_news = at.seq > self.heard;
        if is_news {
            self.heard = at.seq;
            self.heard_at = at.log_time;
            self.others = 0;
            self.is_gone = false;
        }
        is_news
    }
}
