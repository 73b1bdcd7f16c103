use market::{Epoch, Exponents, Seq};

use crate::PartitionIdentity;
use crate::checkpoint::SavedHome;

/// The partition that a channel of an instrument is read from.
#[derive(Debug)]
pub(super) struct Home {
    index: u32,
    identity: PartitionIdentity,
    /// The last record that came from there; none since it was begun, or begun anew.
    heard: Seq,
}

impl Home {
    pub(super) fn new(index: u32, identity: &PartitionIdentity) -> Self {
        Self {
            index,
            identity: identity.clone(),
            heard: Seq::NONE,
        }
    }

    /// One of which all records up to `heard` have been taken.
    pub(super) fn heard(index: u32, identity: &PartitionIdentity, heard: Seq) -> Self {
        Self {
            heard,
            ..Self::new(index, identity)
        }
    }

    pub(super) fn saved(&self, read_to: &impl Fn(u32) -> Seq) -> SavedHome {
        SavedHome::of(
            &self.identity,
            self.heard,
            read_to(self.index).max(self.heard),
        )
    }

    pub(super) const fn identity(&self) -> &PartitionIdentity {
        &self.identity
    }

    pub(super) const fn is(&self, index: u32) -> bool {
        self.index == index
    }

    /// The epoch of what is read from here.
    pub(super) fn epoch(&self, exponents: Exponents) -> Epoch {
        self.identity.epoch(exponents)
    }

    /// Whether the channel may move to another partition: the one that comes first keeps it. A
    /// topic that was made anew may bring it anywhere.
    pub(super) fn yields_to(&self, other: &PartitionIdentity) -> bool {
        self.heard == Seq::NONE || other.comes_before(&self.identity)
    }

    /// Whether the record at `seq` is news; if so, those up to it are not any more.
    pub(super) fn hear(&mut self, seq: Seq) -> bool {
        let is_news = seq > self.heard;
        self.heard = self.heard.max(seq);
        is_news
    }
}
