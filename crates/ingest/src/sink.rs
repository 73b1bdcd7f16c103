use std::time::Duration;

use market::{At, Event, Handle, PartitionIdentity, PartitionIndex, Seq};

use crate::{DecodeError, Progress, Resolve};

/// A partition that was opened or restarted, and the range of offsets to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedPartition {
    /// The partition's identity.
    pub identity: PartitionIdentity,
    /// The first offset to read; there may be no record at it.
    pub start_offset: Seq,
    /// The offset after the last record when the partition was opened; once the reader gets there
    /// it has caught up.
    pub end_offset: Seq,
}

/// The reason why a partition is not continued where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// The topic was deleted and recreated; it is read from its start.
    TopicRecreated,
    /// The partition ends before the offset that was read last; it is read from its start.
    OffsetsWentBack,
    /// Kafka deleted records before they were read: those from `lost_from` to just before
    /// `lost_to`.
    Retention {
        /// The first lost offset.
        lost_from: Seq,
        /// The first offset after the loss.
        lost_to: Seq,
    },
}

/// Receives what a [`Consumer`](crate::Consumer) reads, in the consumer's thread.
pub trait Sink: Resolve {
    /// A partition was opened and is read from `partition.start_offset`.
    fn opened(&mut self, index: PartitionIndex, partition: &OpenedPartition);

    /// A record has an event. Records without one are only counted.
    fn event(&mut self, at: At, instrument: Handle, event: Event<'_>);

    /// A record could not be decoded. The partition continues with the next record.
    fn rejected(&mut self, at: At, error: &DecodeError);

    /// A partition continues at another offset.
    fn reset(&mut self, index: PartitionIndex, partition: &OpenedPartition, cause: Reset);

    /// A partition or its whole topic no longer exists. If it comes back, it continues where it
    /// was, unless it was recreated, which is a [`reset`].
    ///
    /// [`reset`]: Sink::reset
    fn closed(&mut self, partition: PartitionIndex);

    /// All records that existed when the partition was opened or restarted have been read.
    fn caught_up(&mut self, partition: PartitionIndex);

    /// The end of a batch, after which its results can be sent and timers can run. It is also
    /// called at every wake-up, even if there was nothing to read, and at least every 100 ms.
    fn advance(&mut self, progress: &Progress);

    /// The time until the next timer is due. While there is nothing to read, [`Sink::advance`] is
    /// called no later than that.
    fn due_in(&self) -> Duration {
        Duration::MAX
    }
}
