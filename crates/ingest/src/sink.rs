use std::sync::Arc;
use std::time::Duration;

use market::{Event, Nanos, Seq};

use crate::{DecodeError, Handle, Progress, Resolve};

/// Stands for a partition inside one thread: dense, in the order of opening, never used again for
/// another. Indexes [`Progress::partitions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PartitionIndex(pub u32);

/// What is read when a partition is opened or begun anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionAbout {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number in its topic.
    pub partition: i32,
    /// The topic's UUID; all zero when the broker does not say.
    pub topic_id: [u8; 16],
    /// The first offset that will be read, if there is a record at it.
    pub start_offset: Seq,
    /// The offset behind the last record at the time of opening; reaching it is being caught up.
    pub end_offset: Seq,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// In which partition.
    pub partition: PartitionIndex,
    /// At which offset.
    pub offset: Seq,
    /// The record's timestamp; zero when it has none.
    pub log_time: Nanos,
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
    /// A partition will be read from `about.start_offset` on.
    fn opened(&mut self, partition: PartitionIndex, about: &PartitionAbout);

    /// A record said something. Records that say nothing are only counted.
    fn event(&mut self, at: At, instrument: Handle, event: Event<'_>);

    /// A record could not be read. The partition goes on behind it.
    fn refused(&mut self, at: At, error: &DecodeError);

    /// A partition goes on elsewhere than where it was.
    fn reset(&mut self, partition: PartitionIndex, about: &PartitionAbout, cause: Reset);

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
