use market::{At, Channel, PartitionIdentity, PartitionIndex, Seq};

use super::instrument::Instrument;
use super::skipped::Skipped;

/// The partitions that are read, by their index.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    open: Vec<Option<Partition>>,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) identity: PartitionIdentity,
    /// The offset before the first one that is read.
    pub(super) base: Seq,
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

    /// Notes that nothing before `next` will be read. Returns the offset before it.
    pub(super) fn skip_to(&mut self, index: PartitionIndex, next: Seq) -> Seq {
        let base = Seq(next.0 - 1);
        if let Some(Some(partition)) = self.open.get_mut(index.0 as usize) {
            partition.base = base;
        }
        base
    }

    pub(super) fn get(&self, index: PartitionIndex) -> Option<&Partition> {
        self.open.get(index.0 as usize)?.as_ref()
    }

    /// Decides whether the instrument's channel is read from the record's partition.
    ///
    /// Returns `None` if it is already, and the partition and the offset after which the channel
    /// starts if it moves there. The first partition that brings a channel is its source until it
    /// [yields][`SourcePartition::yields_to`] to another; records of others are skipped.
    ///
    /// [`SourcePartition::yields_to`]: super::source_partition::SourcePartition::yields_to
    pub(super) fn decide_source(
        &self,
        at: At,
        instrument: &mut Instrument,
        channel: Channel,
    ) -> Result<Option<(&Partition, Seq)>, Skipped> {
        let here = self.get(at.partition);
        let here = here.ok_or(Skipped::NotOpened(at.partition.0))?;
        let Some(source) = instrument.source_mut(channel) else {
            return Ok(Some((here, here.base)));
        };
        if source.is(at.partition) {
            return Ok(None);
        }
        if !source.yields_to(&here.identity, at) {
            return Err(Skipped::OtherPartition {
                channel: channel.name(),
            });
        }
        // Earlier records of this partition may have been skipped, so the stream starts here.
        let base = if source.has_skipped_others() {
            here.base.max(Seq(at.seq.0 - 1))
        } else {
            here.base
        };
        Ok(Some((here, base)))
    }
}
