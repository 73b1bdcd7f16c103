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

/// The partitions of one consumer, and how far each has been read.
///
/// Invariant: `partitions` and `progress.partitions` are of the same partitions in the same command.
#[derive(Default)]
pub(super) struct Partitions {
    pub(super) progress: Progress,
    partitions: Vec<Partition>,
    by_name: HashMap<Arc<str>, HashMap<i32, u32>>,
    /// The topic, as the client's pointer, and the partition of the last record; runs of records
    /// are of one partition.
    last: Option<(usize, i32, u32)>,
}

/// What is done with the records of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadState {
    /// They are read.
    Read,
    /// They are forgotten until the scout has looked: they may be of another topic.
    Held,
    /// There are none any more.
    Closed,
}

/// A partition that is being read, or was.
pub(super) struct Partition {
    pub(super) source: Arc<Source>,
    identity: PartitionIdentity,
    end: Seq,
    reached: Arc<SharedPosition>,
    pub(super) state: ReadState,
    /// The client has fetched all there is; whether all of it has been read is seen when there is
    /// no more.
    fetched_to_end: bool,
}

impl Partitions {
    /// Takes partitions in, and says what to add to the client's assignment.
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
                reached,
            } = opening;
            if let Some(index) = self.index_of(&topic, partition) {
                self.reopen(index, span, reached, sink);
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
                reached,
                state: ReadState::Read,
                fetched_to_end: false,
            });
            sink.opened(index, &self.opened(index, span));
            self.note_position(index, sink);
        }
        added
    }

    /// Takes a partition up again that was let go.
    fn reopen<S: Sink>(
        &mut self,
        index: PartitionIndex,
        span: Span,
        reached: Arc<SharedPosition>,
        sink: &mut S,
    ) {
        let position = self.position(index);
        let partition = &mut self.partitions[index.0 as usize];
        partition.state = ReadState::Read;
        partition.reached = reached;
        self.progress.partitions[index.0 as usize].gone = false;
        if partition.identity.topic_id == span.topic_id && span.topic_id != TopicId::default() {
            // It was hidden for a while, and is still the same.
            partition.reached.set(position);
        } else {
            self.restart(index, span, Reset::TopicRecreated, sink);
        }
    }

    /// Lets partitions go, and says what to take out of the client's assignment.
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

    /// Reads no records of these topics.
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

    /// Sets partitions to where they go on; the others go on where they are.
    pub(super) fn begin<S: Sink>(&mut self, beginnings: Vec<Restart>, sink: &mut S) {
        for beginning in beginnings {
            let Some(index) = self.index_of(&beginning.topic, beginning.partition) else {
                continue;
            };
            self.partitions[index.0 as usize].state = ReadState::Read;
            let position = self.position(index);
            if beginning.seen_at.is_none_or(|seen_at| seen_at == position) {
                self.restart(index, beginning.span, beginning.cause, sink);
            }
        }
    }

    /// Forgets which partition was read last: another client has other pointers.
    pub(super) fn forget_last(&mut self) {
        self.last = None;
    }

    /// Whether some are held.
    pub(super) fn are_held(&self) -> bool {
        let mut all = self.partitions.iter();
        all.any(|partition| partition.state == ReadState::Held)
    }

    /// The scout has looked: what is not to begin elsewhere is what it was.
    pub(super) fn release(&mut self) {
        for partition in &mut self.partitions {
            if partition.state == ReadState::Held {
                partition.state = ReadState::Read;
            }
        }
    }

    /// What the client is to read, and from where.
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

    /// Whose record this is; none when it is of a partition that was let go.
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

    /// A partition and its progress.
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

    /// Notes what the client told of a log's end.
    pub(super) fn learn(&mut self, told: &Watermark) {
        let Some(index) = self.index_of(&told.topic, told.partition) else {
            return;
        };
        let partition = &mut self.partitions[index.0 as usize];
        let progress = &mut self.progress.partitions[index.0 as usize];
        progress.high_watermark = told.high.max(progress.position);
        partition.fetched_to_end = told.fetched_to >= partition.end.0;
    }

    /// All that the client had fetched has been read: where it had fetched everything, a partition
    /// has caught up, also when what stands last in it is no record (the mark of a transaction).
    pub(super) fn drained<S: Sink>(&mut self, sink: &mut S) {
        for index in (0..self.partitions.len()).filter_map(|index| u32::try_from(index).ok()) {
            let index = PartitionIndex(index);
            if self.partitions[index.0 as usize].fetched_to_end {
                self.note_caught_up(index, sink);
            }
        }
    }

    /// Tells that a partition has caught up, when it has.
    #[inline]
    pub(super) fn note_position<S: Sink>(&mut self, index: PartitionIndex, sink: &mut S) {
        let (partition, progress) = self.get_mut(index);
        if !progress.caught_up && progress.position >= partition.end.0 {
            self.note_caught_up(index, sink);
        }
    }

    /// Lets the scout see how far every partition has been read.
    pub(super) fn publish_positions(&self) {
        for (partition, progress) in self.partitions.iter().zip(&self.progress.partitions) {
            partition.reached.set(Seq(progress.position));
        }
    }

    fn note_caught_up<S: Sink>(&mut self, index: PartitionIndex, sink: &mut S) {
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
        partition.reached.set(span.start);
        progress.position = span.start.0;
        progress.high_watermark = span.end.0.max(span.start.0);
        progress.caught_up = false;
        sink.reset(index, &self.opened(index, span), cause);
        self.note_position(index, sink);
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
    // Refused are offsets below zero only, and no log has those.
    let _ = list.add_partition_offset(topic, partition, Offset::Offset(offset.0));
}
