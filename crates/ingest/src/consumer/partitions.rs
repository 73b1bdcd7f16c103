use std::collections::HashMap;
use std::sync::Arc;

use market::{Nanos, PartitionIdentity, PartitionIndex, Seq};
use metrics::label::DecodeOutcome;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::Watermark;
use crate::command::{Opening, Restart, SharedPosition, Span};
use crate::topic_id::TopicId;
use crate::{OpenedPartition, PartitionProgress, Progress, Reset, Sink, Source};

/// The partitions of a consumer, and how far each has been read.
///
/// Invariant: `partitions` and `progress.partitions` have the same partitions in the same order.
#[derive(Default)]
pub(super) struct Partitions {
    pub(super) progress: Progress,
    partitions: Vec<Partition>,
    by_name: HashMap<Arc<str>, HashMap<i32, u32>>,
    /// The topic, as the client's pointer, the partition and the index of the last record, since
    /// runs of records are of one partition.
    last: Option<(usize, i32, u32)>,
}

/// What to do with the records of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadState {
    /// Read them.
    Read,
    /// Drop them until the scout has checked: they may be of a recreated topic.
    Held,
    /// The partition no longer exists.
    Closed,
}

/// A partition that is or was read.
pub(super) struct Partition {
    pub(super) source: Arc<Source>,
    identity: PartitionIdentity,
    end: Seq,
    shared_position: Arc<SharedPosition>,
    pub(super) state: ReadState,
    /// Whether the client has fetched the partition to its end. All has been read once the client
    /// has no more records.
    fetched_to_end: bool,
}

impl Partitions {
    /// Opens partitions. Returns what to add to the client's assignment.
    pub(super) fn open<S: Sink>(
        &mut self,
        openings: Vec<Opening>,
        sink: &mut S,
    ) -> TopicPartitionList {
        let mut added = TopicPartitionList::with_capacity(openings.len());
        for opening in openings {
            let Opening {
                source,
                topic,
                partition,
                span,
                shared_position,
            } = opening;
            if let Some(index) = self.index_of(&topic, partition) {
                self.reopen(index, span, shared_position, sink);
                add(&mut added, &topic, partition, self.position(index));
                continue;
            }
            add(&mut added, &topic, partition, span.start);
            let Ok(index) = u32::try_from(self.partitions.len()).map(PartitionIndex) else {
                continue;
            };
            let numbers = self.by_name.entry(topic.clone()).or_default();
            numbers.insert(partition, index.0);
            self.progress.partitions.push(PartitionProgress {
                topic: topic.clone(),
                partition,
                position: span.start.0,
                high_watermark: span.end.0,
                bytes: 0,
                last_log_time: Nanos::default(),
                outcomes: [0; DecodeOutcome::ALL.len()],
                caught_up: false,
                gone: false,
            });
            self.partitions.push(Partition {
                source,
                identity: PartitionIdentity {
                    topic,
                    topic_id: span.topic_id,
                    partition,
                    turns: 0,
                },
                end: span.end,
                shared_position,
                state: ReadState::Read,
                fetched_to_end: false,
            });
            sink.opened(index, &self.opened(index, span));
            self.check_caught_up(index, sink);
        }
        added
    }

    /// Opens a partition again that was closed.
    fn reopen<S: Sink>(
        &mut self,
        index: PartitionIndex,
        span: Span,
        shared_position: Arc<SharedPosition>,
        sink: &mut S,
    ) {
        let position = self.position(index);
        let partition = &mut self.partitions[index.0 as usize];
        partition.state = ReadState::Read;
        partition.shared_position = shared_position;
        self.progress.partitions[index.0 as usize].gone = false;
        if partition.identity.topic_id == span.topic_id && span.topic_id != TopicId::default() {
            // The brokers did not list it for a while, but it is still the same.
            partition.shared_position.set(position);
        } else {
            self.restart(index, span, Reset::TopicRecreated, sink);
        }
    }

    /// Closes partitions. Returns what to remove from the client's assignment.
    pub(super) fn close<S: Sink>(
        &mut self,
        gone: &[(Arc<str>, i32)],
        sink: &mut S,
    ) -> TopicPartitionList {
        let mut removed = TopicPartitionList::with_capacity(gone.len());
        for (topic, partition) in gone {
            if let Some(index) = self.index_of(topic, *partition) {
                self.partitions[index.0 as usize].state = ReadState::Closed;
                self.progress.partitions[index.0 as usize].gone = true;
                removed.add_partition(topic, *partition);
                sink.closed(index);
            }
        }
        removed
    }

    /// Holds the partitions of these topics.
    pub(super) fn hold(&mut self, topics: &[String]) {
        for partition in &mut self.partitions {
            let changed = topics
                .iter()
                .any(|topic| **topic == *partition.identity.topic);
            if changed && partition.state == ReadState::Read {
                partition.state = ReadState::Held;
            }
        }
    }

    /// Restarts partitions.
    pub(super) fn restart_all<S: Sink>(&mut self, restarts: Vec<Restart>, sink: &mut S) {
        for restart in restarts {
            let Some(index) = self.index_of(&restart.topic, restart.partition) else {
                continue;
            };
            self.partitions[index.0 as usize].state = ReadState::Read;
            let position = self.position(index);
            if restart.seen_at.is_none_or(|seen_at| seen_at == position) {
                self.restart(index, restart.span, restart.cause, sink);
            }
        }
    }

    /// Forgets the last record's topic, since another client has other pointers.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Returns whether any partition is held.
    pub(super) fn has_held(&self) -> bool {
        let mut all = self.partitions.iter();
        all.any(|partition| partition.state == ReadState::Held)
    }

    /// Continues held partitions after a check.
    pub(super) fn release_held(&mut self) {
        for partition in &mut self.partitions {
            if partition.state == ReadState::Held {
                partition.state = ReadState::Read;
            }
        }
    }

    /// The client's assignment.
    pub(super) fn assignment(&self) -> TopicPartitionList {
        let mut all = TopicPartitionList::with_capacity(self.partitions.len());
        for (partition, progress) in self.partitions.iter().zip(&self.progress.partitions) {
            if partition.state != ReadState::Closed {
                let PartitionIdentity {
                    topic, partition, ..
                } = &partition.identity;
                add(&mut all, topic, *partition, Seq(progress.position));
            }
        }
        all
    }

    /// Finds the partition of a record; `None` if it is not assigned.
    #[inline]
    pub(super) fn of(&mut self, message: &BorrowedMessage<'_>) -> Option<PartitionIndex> {
        let topic = message.topic_ptr().addr();
        let number = message.partition();
        if let Some((last_topic, last_number, index)) = self.last
            && (last_topic, last_number) == (topic, number)
        {
            return Some(PartitionIndex(index));
        }
        let index = self.index_of(message.topic(), number)?;
        self.last = Some((topic, number, index.0));
        Some(index)
    }

    /// Gets a partition and its progress.
    #[inline]
    pub(super) fn get_mut(
        &mut self,
        index: PartitionIndex,
    ) -> (&Partition, &mut PartitionProgress) {
        let index = index.0 as usize;
        (
            &self.partitions[index],
            &mut self.progress.partitions[index],
        )
    }

    /// Updates the end of a partition.
    pub(super) fn apply_watermark(&mut self, watermark: &Watermark) {
        let Some(index) = self.index_of(&watermark.topic, watermark.partition) else {
            return;
        };
        let partition = &mut self.partitions[index.0 as usize];
        let progress = &mut self.progress.partitions[index.0 as usize];
        progress.high_watermark = watermark.high.max(progress.position);
        partition.fetched_to_end = watermark.fetched_to >= partition.end.0;
    }

    /// Notes that all fetched records have been read. Partitions that were fetched to their end
    /// have caught up, even if the last entry of their log is not a record but a transaction
    /// marker.
    pub(super) fn drained<S: Sink>(&mut self, sink: &mut S) {
        for index in (0..self.partitions.len()).filter_map(|index| u32::try_from(index).ok()) {
            let index = PartitionIndex(index);
            if self.partitions[index.0 as usize].fetched_to_end {
                self.set_caught_up(index, sink);
            }
        }
    }

    /// Checks whether a partition has caught up.
    #[inline]
    pub(super) fn check_caught_up<S: Sink>(&mut self, index: PartitionIndex, sink: &mut S) {
        let (partition, progress) = self.get_mut(index);
        if !progress.caught_up && progress.position >= partition.end.0 {
            self.set_caught_up(index, sink);
        }
    }

    /// Publishes the positions for the scout.
    pub(super) fn publish_positions(&self) {
        for (partition, progress) in self.partitions.iter().zip(&self.progress.partitions) {
            partition.shared_position.set(Seq(progress.position));
        }
    }

    fn set_caught_up<S: Sink>(&mut self, index: PartitionIndex, sink: &mut S) {
        let progress = &mut self.progress.partitions[index.0 as usize];
        if !std::mem::replace(&mut progress.caught_up, true) {
            sink.caught_up(index);
        }
    }

    fn restart<S: Sink>(&mut self, index: PartitionIndex, span: Span, cause: Reset, sink: &mut S) {
        let partition = &mut self.partitions[index.0 as usize];
        let progress = &mut self.progress.partitions[index.0 as usize];
        partition.identity.topic_id = span.topic_id;
        partition.identity.turns += u32::from(cause == Reset::OffsetsWentBack);
        partition.end = span.end;
        partition.fetched_to_end = false;
        partition.shared_position.set(span.start);
        progress.position = span.start.0;
        progress.high_watermark = span.end.0.max(span.start.0);
        progress.caught_up = false;
        sink.reset(index, &self.opened(index, span), cause);
        self.check_caught_up(index, sink);
    }

    fn position(&self, index: PartitionIndex) -> Seq {
        Seq(self.progress.partitions[index.0 as usize].position)
    }

    fn opened(&self, index: PartitionIndex, span: Span) -> OpenedPartition {
        OpenedPartition {
            identity: self.partitions[index.0 as usize].identity.clone(),
            start_offset: span.start,
            end_offset: span.end,
        }
    }

    fn index_of(&self, topic: &str, partition: i32) -> Option<PartitionIndex> {
        let index = self.by_name.get(topic)?.get(&partition)?;
        Some(PartitionIndex(*index))
    }
}

fn add(list: &mut TopicPartitionList, topic: &str, partition: i32, offset: Seq) {
    // This fails only for negative offsets, which no log has.
    let _ = list.add_partition_offset(topic, partition, Offset::Offset(offset.0));
}
