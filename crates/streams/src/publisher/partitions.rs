use market::{At, Channel, PartitionIdentity, PartitionIndex, Seq};

use super::instrument::Instrument;

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
    pub(super) fn open(&mut self, index: PartitionIndex, identity: PartitionIdentity, start: Seq) {
        let slot = index.0 as usize;
        if self.open.len() <= slot {
            self.open.resize_with(slot + 1, || None);
        }
        self.open[slot] = Some(Partition {
            identity,
            base: Seq(start.0 - 1),
        });
    }

    /// What stands before `next` is never read; returns what that follows on.
    pub(super) fn pass(&mut self, index: PartitionIndex, next: Seq) -> Seq {
        let base = Seq(next.0 - 1);
        if let Some(Some(partition)) = self.open.get_mut(index.0 as usize) {
            partition.base = base;
        }
        base
    }

    pub(super) fn get(&self, index: PartitionIndex) -> Option<&Partition> {
        self.open.get(index.0 as usize)?.as_ref()
    }

    /// Whether the instrument's channel may be read from this partition: none when it is its home
    /// already, and the partition with what stands before the first record that counts when it
    /// becomes that.
    ///
    /// The first partition that brings it is its home until [`Home::yields_to`] another; until then
    /// the other's records are skipped.
    ///
    /// [`Home::yields_to`]: super::home::Home::yields_to
    pub(super) fn claim(
        &self,
        at: At,
        instrument: &mut Instrument,
        channel: Channel,
    ) -> Result<Option<(&Partition, Seq)>, Unwanted> {
        let here = self.get(at.partition);
        let here = here.ok_or(Unwanted::NotOpened(at.partition.0))?;
        let Some(home) = instrument.home_mut(channel) else {
            return Ok(Some((here, here.base)));
        };
        if home.is(at.partition) {
            return Ok(None);
        }
        if !home.yields_to(&here.identity, at) {
            return Err(Unwanted::OtherPartition {
                channel: channel.name(),
            });
        }
        // Its records so far may have been skipped: the stream begins with this one.
        let base = if home.has_skipped_others() {
            here.base.max(Seq(at.seq.0 - 1))
        } else {
            here.base
        };
        Ok(Some((here, base)))
    }
}
