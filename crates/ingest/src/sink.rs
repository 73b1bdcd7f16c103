use std::time::Duration;

use market::{At, Event, Handle, PartitionIdentity, PartitionIndex, Seq};

use crate::{DecodeError, Progress, Resolve};

/// A partition that was opened or restarted, and what there is to read of it.
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

/// Why a partition does not go on where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// The topic was deleted and made anew; it is read from its beginning.
    TopicRecreated,
    /// The log ends before what has been read; it is read from its beginning.
    OffsetsWentBack,
    /// Kafka deleted records before they were read: those from `lost_from` to before `lost_to`.
    Retention {
        /// The first offset that is lost.
        lost_from: Seq,
        /// The first offset that is not.
        lost_to: Seq,
    },
}

/// Takes what a [`Consumer`](crate::Consumer) reads, in its thread.
pub trait Sink: Resolve {
    /// A partition will be read from `partition.start_offset` on.
    fn opened(&mut self, index: PartitionIndex, partition: &OpenedPartition);

    /// A record said something. Records that say nothing are only counted.
    fn event(&mut self, at: At, instrument: Handle, event: Event<'_>);

    /// A record could not be read. The partition goes on behind it.
    fn rejected(&mut self, at: At, error: &DecodeError);

    /// A partition goes on elsewhere than where it was.
    fn reset(&mut self, index: PartitionIndex, partition: &OpenedPartition, cause: Reset);

    /// A partition, or its whole topic, no longer exists. Should it come back, it is [`reset`] where it is
    /// another one, and goes on where it was otherwise.
    ///
    /// [`reset`]: Sink::reset
    fn closed(&mut self, partition: PartitionIndex);

    /// All that stood in the partition when it was opened, or begun anew, has been read.
    fn caught_up(&mut self, partition: PartitionIndex);

    /// A batch ends: what it said can be sent, and what is due can be done. Called at every wake-up
    /// too, also when there was nothing to read, and at least every 100 ms.
    fn advance(&mut self, progress: &Progress);

    /// How long until something is due: while there is nothing to read, [`Sink::advance`] is called
    /// no later than that.
    fn due_in(&self) -> Duration {
        Duration::MAX
    }
}
