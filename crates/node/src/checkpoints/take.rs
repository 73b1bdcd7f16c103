use std::collections::{HashSet, VecDeque};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use ingest::Progress;
use market::{Handle, Monotonic, PartitionIdentity, PartitionIndex, Seq};
use streams::Publisher;

use super::writer::Job;
use super::{TRADES, key_of, mark_of};

/// Time spent on checkpoints per turn. Each one copies a book, about ten microseconds per thousand levels. There
/// is a turn for every batch of records, and ten a second without any; all instruments of a node have to be
/// taken within a minute.
const A_TURN: Duration = Duration::from_millis(1);

/// Takes checkpoints of a publisher's instruments, spread evenly over the interval.
///
/// Invariants:
/// - An instrument without a checkpoint is taken before any other is taken again, and one thread writes in
///   that order. So a checkpoint that says how far its partition was read follows those of all instruments
///   seen there until then, and a node that starts from it misses none.
/// - A partition is marked once every instrument has been taken since the mark was decided on.
pub(crate) struct Taker {
    every: Duration,
    jobs: SyncSender<Job>,
    /// When the current pass started, its number of instruments, and how many have been taken.
    began: Monotonic,
    count: u32,
    done: u32,
    /// Instruments already considered for their first checkpoint.
    seen: u32,
    /// Instruments restored from a checkpoint, which need no first one.
    restored: HashSet<Handle>,
    /// The partitions at the start of the pass, to be marked at its end.
    marks: Option<Vec<PartitionIdentity>>,
    /// Jobs the writer had no room for: at most one, and a mark for each partition.
    waiting: VecDeque<Job>,
}

impl Taker {
    pub(crate) fn new(every: Duration, jobs: SyncSender<Job>, now: Monotonic) -> Self {
        Self {
            every,
            jobs,
            began: now,
            count: 0,
            done: 0,
            seen: 0,
            restored: HashSet::new(),
            marks: None,
            waiting: VecDeque::new(),
        }
    }

    /// Records that the instrument was restored, so it has a checkpoint.
    pub(crate) fn restored(&mut self, handle: Handle) {
        self.restored.insert(handle);
    }

    /// Takes the checkpoints that are due; returns their number.
    pub(crate) fn advance(
        &mut self,
        publisher: &Publisher,
        progress: &Progress,
        identities: &[Option<PartitionIdentity>],
        now: Monotonic,
    ) -> u64 {
        if self.marks.is_none() {
            self.marks = Some(identities.iter().flatten().cloned().collect());
        }
        let mut taken = 0;
        let begin = Instant::now();
        while begin.elapsed() < A_TURN {
            if !self.give_waiting() {
                break;
            }
            let Some(handle) = self.next(publisher, identities, now) else {
                break;
            };
            let read_to = |partition: PartitionIndex| {
                let at = progress.partitions.get(partition.0 as usize);
                at.map_or(Seq::NONE, |at| Seq(at.position - 1))
            };
            let Some(checkpoint) = publisher.checkpoint(handle, read_to) else {
                continue;
            };
            taken += 1;
            let replaces = (checkpoint.book.is_some() && checkpoint.trades.is_some())
                .then(|| format!("{}{TRADES}", checkpoint.name));
            self.waiting.push_back(Job::Keep {
                key: key_of(&checkpoint),
                checkpoint: Box::new(checkpoint),
                replaces,
            });
        }
        self.give_waiting();
        taken
    }

    /// The next instrument that is due.
    fn next(
        &mut self,
        publisher: &Publisher,
        identities: &[Option<PartitionIdentity>],
        now: Monotonic,
    ) -> Option<Handle> {
        let known = u32::try_from(publisher.instruments()).unwrap_or(u32::MAX);
        while self.seen < known {
            let handle = Handle(self.seen);
            self.seen += 1;
            if !self.restored.remove(&handle) {
                return Some(handle);
            }
        }
        let passed = now.since(self.began);
        if self.done >= self.count {
            self.mark(identities);
            if passed >= self.every {
                self.began = now;
                self.done = 0;
                self.count = known;
                self.marks = None;
            }
            return None;
        }
        let due = passed.as_secs_f64() / self.every.as_secs_f64() * f64::from(self.count);
        if f64::from(self.done) >= due {
            return None;
        }
        self.done += 1;
        Some(Handle(self.done - 1))
    }

    /// Marks the partitions that have not changed, once every instrument has been taken.
    fn mark(&mut self, identities: &[Option<PartitionIdentity>]) {
        for before in self.marks.as_mut().map(std::mem::take).unwrap_or_default() {
            let mut now = identities.iter().flatten();
            if before.topic_id != [0; 16] && now.any(|identity| *identity == before) {
                self.waiting.push_back(Job::Mark {
                    key: mark_of(&before.topic, before.partition),
                    topic_id: before.topic_id,
                });
            }
        }
    }

    /// Sends waiting jobs; returns whether the writer had room for all of them.
    fn give_waiting(&mut self) -> bool {
        while let Some(job) = self.waiting.pop_front() {
            match self.jobs.try_send(job) {
                // A writer that ended has reported why.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
                Err(TrySendError::Full(job)) => {
                    self.waiting.push_front(job);
                    return false;
                }
            }
        }
        true
    }
}
