use market::{Epoch, Exponents, Seq};

use crate::PartitionIdentity;

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
