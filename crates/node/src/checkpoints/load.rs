use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ingest::{IngestConfig, ResumeAt};
use market::Seq;
use metrics::CheckpointMetrics;
use metrics::label::CheckpointRefusal;
use streams::{Checkpoint, CheckpointError};

use super::MARK;

/// Time to read the topic: 2,000 books of 1,000 levels per side are 64 MiB, about one second. A node that
/// cannot read it in time starts without checkpoints.
const WITHIN: Duration = Duration::from_secs(10);

/// Checkpoints of partitions that have not been opened yet.
///
/// Invariant: a checkpoint is kept exactly as long as one of its partitions is still to be opened. Each
/// partition is opened once, by the publisher that reads it; the rest is dropped with the last publisher that
/// has caught up.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// By topic and partition; those with a book come first, since they may include newer trades than a
    /// checkpoint of trades alone.
    checkpoints: Mutex<ByPartition>,
}

type ByPartition = HashMap<(Arc<str>, i32), Vec<Arc<Checkpoint>>>;

impl Loaded {
    fn of(checkpoints: Vec<Checkpoint>) -> Self {
        let mut by_partition = ByPartition::new();
        for checkpoint in checkpoints.into_iter().map(Arc::new) {
            for home in checkpoint.sources() {
                let key = (home.topic.clone(), home.partition);
                let here = by_partition.entry(key).or_default();
                // Book and trades may come from the same partition.
                if !here
                    .last()
                    .is_some_and(|last| Arc::ptr_eq(last, &checkpoint))
                {
                    here.push(Arc::clone(&checkpoint));
                }
            }
        }
        Self {
            checkpoints: Mutex::new(by_partition),
        }
    }

    /// Takes the checkpoints of a partition that is being opened.
    pub(crate) fn take(&self, topic: &str, partition: i32) -> Vec<Arc<Checkpoint>> {
        let mut all = self
            .checkpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.remove(&(topic.into(), partition)).unwrap_or_default()
    }
}

/// Reads the topic and sets where each partition is read from.
pub(crate) fn load(topic: &str, config: &mut IngestConfig, metrics: &CheckpointMetrics) -> Loaded {
    let kept = match ingest::read_compacted(config, topic, WITHIN) {
        Ok(Some(kept)) => kept,
        Ok(None) => {
            tracing::info!(topic, "there are no checkpoints yet");
            return Loaded::default();
        }
        Err(error) => {
            metrics.refused[CheckpointRefusal::Unread].inc();
            tracing::warn!(topic, %error, "cannot read the checkpoints; starting without them");
            return Loaded::default();
        }
    };
    let mut checkpoints = Vec::new();
    let mut marks = HashMap::new();
    let mut all_sound = true;
    for (key, value) in kept {
        let mark = key.strip_prefix(MARK.as_bytes());
        if let Some(partition) = mark.and_then(|mark| std::str::from_utf8(mark).ok()) {
            marks.insert(partition.to_owned(), value);
            continue;
        }
        match Checkpoint::decode(&value) {
            Ok(checkpoint) => checkpoints.push(checkpoint),
            Err(error) => {
                all_sound = false;
                metrics.refused[refusal(error)].inc();
                let key = String::from_utf8_lossy(&key);
                tracing::warn!(topic, %key, %error, "cannot read a checkpoint");
            }
        }
    }
    checkpoints.sort_by_key(|checkpoint: &Checkpoint| checkpoint.book.is_none());
    if all_sound {
        config.resume = resumes(&checkpoints, &marks);
    }
    let (count, partitions) = (checkpoints.len(), config.resume.len());
    tracing::info!(
        topic,
        checkpoints = count,
        partitions,
        "read the checkpoints"
    );
    Loaded::of(checkpoints)
}

/// Where each partition is read from: after what all of its checkpoints include. Without its mark, it is
/// unknown whether all of its instruments have one.
fn resumes(
    checkpoints: &[Checkpoint],
    marks: &HashMap<String, Vec<u8>>,
) -> BTreeMap<(String, i32), ResumeAt> {
    let mut resumes: BTreeMap<(String, i32), ResumeAt> = BTreeMap::new();
    for home in checkpoints.iter().flat_map(Checkpoint::sources) {
        let mark = marks.get(&format!("{}/{}", home.topic, home.partition));
        if mark.is_none_or(|mark| *mark != home.topic_id) {
            continue;
        }
        let next = Seq(home.read_to.0 + 1);
        let at = resumes
            .entry((home.topic.to_string(), home.partition))
            .or_insert(ResumeAt {
                topic_id: home.topic_id,
                next,
            });
        at.next = at.next.min(next);
    }
    resumes
}

const fn refusal(error: CheckpointError) -> CheckpointRefusal {
    match error {
        CheckpointError::Version(_) => CheckpointRefusal::Version,
        CheckpointError::Checksum { .. } => CheckpointRefusal::Checksum,
        _ => CheckpointRefusal::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Exponents, InstrumentName, Nanos, Reason, State};
    use streams::{SavedSource, SavedStamp, StatusPart, TradesPart};

    fn checkpoint(topic_id: u8, partition: i32, read_to: i64) -> Checkpoint {
        let last = SavedStamp {
            seq: Seq(1),
            event_time: None,
            log_time: Nanos(0),
        };
        let home = SavedSource {
            topic: "t".into(),
            topic_id: [topic_id; 16],
            partition,
            last_record: Seq(1),
            read_to: Seq(read_to),
        };
        Checkpoint {
            name: InstrumentName::parse("A:B").unwrap(),
            exponents: Exponents::default(),
            defined: None,
            halted: false,
            reference: None,
            book: None,
            trades: Some(TradesPart {
                source: home,
                last,
                broken: None,
            }),
            ticker: None,
            bars: None,
            status: StatusPart {
                state: State::Live,
                reason: Reason::None,
                begun: true,
                last,
            },
        }
    }

    #[test]
    fn a_checkpoint_is_held_until_each_of_its_partitions_was_opened() {
        let mut both = checkpoint(1, 0, 70);
        both.reference = checkpoint(1, 1, 9).trades.map(|trades| trades.source);
        let other = checkpoint(1, 1, 50);
        let loaded = Loaded::of(vec![both, other]);
        let first = loaded.take("t", 0);
        assert_eq!(first.len(), 1);
        assert!(loaded.take("t", 0).is_empty(), "it is opened once");
        assert!(loaded.take("u", 1).is_empty(), "another topic");
        let second = loaded.take("t", 1);
        assert_eq!(second.len(), 2);
        assert!(
            Arc::ptr_eq(&first[0], &second[0]),
            "in their order, and not copied"
        );
        drop(second);
        assert_eq!(Arc::strong_count(&first[0]), 1, "nobody else holds it");
    }

    #[test]
    fn a_book_and_trades_of_one_partition_are_one_checkpoint() {
        let mut both = checkpoint(1, 0, 70);
        both.reference = checkpoint(1, 0, 9).trades.map(|trades| trades.source);
        assert_eq!(Loaded::of(vec![both]).take("t", 0).len(), 1);
    }

    #[test]
    fn a_partition_is_read_from_the_least_offset_that_anybody_needs() {
        let all = [
            checkpoint(1, 0, 70),
            checkpoint(1, 0, 50),
            checkpoint(1, 1, 9),
        ];
        let marks = [
            ("t/0".to_owned(), vec![1; 16]),
            ("t/1".to_owned(), vec![1; 16]),
        ];
        let resumes = resumes(&all, &marks.into());
        assert_eq!(resumes[&("t".to_owned(), 0)].next, Seq(51));
        assert_eq!(resumes[&("t".to_owned(), 1)].next, Seq(10));
    }

    #[test]
    fn a_partition_without_a_mark_of_its_very_topic_is_read_the_other_way() {
        let all = [
            checkpoint(1, 0, 70),
            checkpoint(2, 0, 5),
            checkpoint(1, 1, 9),
        ];
        assert!(resumes(&all, &HashMap::new()).is_empty());
        let marks = HashMap::from([
            ("t/0".to_owned(), vec![1; 16]),
            ("t/1".to_owned(), vec![3; 16]),
        ]);
        let resumes = resumes(&all, &marks);
        assert_eq!(resumes.len(), 1);
        assert_eq!(resumes[&("t".to_owned(), 0)].next, Seq(71));
    }
}
