use market::{Channel, Seq};

use super::instrument::Instrument;
use crate::PartitionIdentity;

/// The partitions that are read, by the index that ingest gave them.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    open: Vec<Option<Partition>>,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) identity: PartitionIdentity,
    /// What stands before the first record that is read of it.
    pub(super) base: Seq,
}

/// Why an event was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwanted {
    /// The partition was never opened.
    #[error("partition index {0} was not opened")]
    NotOpened(u32),
    /// The instrument is read from another partition.
    #[error("the instrument's {channel} is read from another partition")]
    OtherPartition {
        /// Which of its channels.
        channel: &'static str,
    },
    /// The record came before, or one behind it did.
    #[error("offset {} is not behind the last one", .0.0)]
    Repeated(Seq),
    /// No such instrument.
    #[error("no instrument has handle {0}")]
    NoInstrument(u32),
}

impl Partitions {
    pub(super) fn open(&mut self, index: u32, identity: PartitionIdentity, start: Seq) {
        let slot = index as usize;
        if self.open.len() <= slot {
            self.open.resize_with(slot + 1, || None);
        }
        self.open[slot] = Some(Partition {
            identity,
            base: Seq(start.0 - 1),
        });
    }

    /// What stands before `next` is never read; returns what that follows on.
    pub(super) fn pass(&mut self, index: u32, next: Seq) -> Seq {
        let base = Seq(next.0 - 1);
        if let Some(Some(partition)) = self.open.get_mut(index as usize) {
            partition.base = base;
        }
        base
    }

    pub(super) fn get(&self, index: u32) -> Option<&Partition> {
        self.open.get(index as usize)?.as_ref()
    }

    /// Whether the instrument's channel may be read from this partition: none when it is its home
    /// already, and the partition when it becomes that.
    ///
    /// The first partition that brings it is its home. Where two bring it, the one that comes
    /// first by topic and number wins, so that all nodes end with the same; the other's records
    /// are refused.
    pub(super) fn claim(
        &self,
        index: u32,
        instrument: &Instrument,
        channel: Channel,
    ) -> Result<Option<&Partition>, Unwanted> {
        let here = self.get(index).ok_or(Unwanted::NotOpened(index))?;
        match instrument.home(channel) {
            Some(home) if home.is(index) => Ok(None),
            Some(home) if !home.yields_to(&here.identity) => Err(Unwanted::OtherPartition {
                channel: channel.name(),
            }),
            _ => Ok(Some(here)),
        }
    }
}
