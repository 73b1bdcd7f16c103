use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ingest::Topics;

use crate::threads::failure::ThreadFailure;

/// A publisher that has not turned for so long is stuck: it turns at least every 100 ms when there
/// is nothing to do, and its largest batch takes milliseconds.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Whether clients should be sent here, and whether the node is alive.
///
/// A node becomes ready when every publisher has listed its partitions and caught up with all of
/// them. It then stays so until it drains: partitions that appear later are caught up with while
/// the others are served, since a new topic would otherwise take every node of the fleet out of the
/// load balancer at once. It is not ready again while it hears nothing from Kafka, since what it has
/// grows old, and nobody can say how old; while there is no topic to read; and once a thread has ended that
/// it cannot serve without.
pub(crate) struct Readiness {
    since: Instant,
    progress: Mutex<Progress>,
    draining: AtomicBool,
    /// Is told whether the node is ready, each time that it may have changed.
    gate: OnceLock<Gate>,
}

type Gate = Box<dyn Fn(bool) + Send + Sync>;

#[derive(Default)]
struct Progress {
    was_ready: bool,
    /// Publishers that have not listed their partitions yet.
    starting: usize,
    behind: BTreeSet<TopicPartition>,
    /// Publishers that hear nothing from Kafka, or have not caught up since.
    cut_off: usize,
    /// How many topics there are, as the last publisher was told.
    topics: Option<Topics>,
    /// Threads that the node cannot serve without, and that have ended.
    failed: Vec<ThreadFailure>,
    pulses: Vec<Arc<AtomicU64>>,
}

type TopicPartition = (Arc<str>, i32);

/// What is told to whoever asks whether the node is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    /// Whether clients should be sent here.
    pub(crate) ready: bool,
    /// Whether the node is stopping.
    pub(crate) draining: bool,
    /// Publishers that have not listed their partitions yet.
    pub(crate) starting: usize,
    /// Partitions that are not caught up with.
    pub(crate) behind: Vec<TopicPartition>,
    /// Publishers that hear nothing from Kafka, or have not caught up since.
    pub(crate) cut_off: usize,
    /// How many topics the brokers list, and how many of them are read; `None` before one has answered.
    pub(crate) topics: Option<Topics>,
    /// Threads that the node cannot serve without, and that have ended.
    pub(crate) failed: Vec<ThreadFailure>,
}

impl Report {
    /// Why the node is not ready, for people; nothing while it is.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.draining {
            reasons.push("the node is stopping".to_owned());
        }
        reasons.extend(self.failed.iter().map(ToString::to_string));
        if self.ready {
            return reasons;
        }
        if let Some(Topics { listed, matched: 0 }) = self.topics {
            reasons.push(format!(
                "no topic matches [[topics]]; the brokers list {listed}"
            ));
        }
        if self.starting > 0 {
            let starting = self.starting;
            reasons.push(format!(
                "{starting} publishers have not listed their partitions"
            ));
        }
        if !self.behind.is_empty() {
            let behind = self.behind.len();
            reasons.push(format!("{behind} partitions are not caught up with"));
        }
        if self.cut_off > 0 {
            reasons.push("no response from Kafka, or not caught up since".to_owned());
        }
        reasons
    }
}

/// One publisher's share of the readiness.
pub(crate) struct PublisherReadiness {
    readiness: Arc<Readiness>,
    pulse: Arc<AtomicU64>,
    listed: bool,
    cut_off: bool,
    topics: Option<Topics>,
}

impl Readiness {
    /// Of a node whose publishers are to be added, each by [`Readiness::publisher`], before anybody
    /// asks.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            since: Instant::now(),
            progress: Mutex::default(),
            draining: AtomicBool::new(false),
            gate: OnceLock::new(),
        })
    }

    /// From now on, sessions are let in while the node is ready, and only then. Only the first call
    /// counts.
    pub(crate) fn govern(&self, gate: Gate) {
        let progress = self.progress();
        gate(progress.is_ready());
        // There is one fan-out.
        let _first = self.gate.set(gate);
    }

    /// Adds a publisher, which is not ready.
    pub(crate) fn publisher(self: &Arc<Self>) -> PublisherReadiness {
        let pulse = Arc::new(AtomicU64::new(self.millis(Instant::now())));
        let mut progress = self.progress();
        progress.starting += 1;
        progress.pulses.push(Arc::clone(&pulse));
        drop(progress);
        PublisherReadiness {
            readiness: Arc::clone(self),
            pulse,
            listed: false,
            cut_off: false,
            topics: None,
        }
    }

    /// The node stops: it is not ready from now on. Tells whether that is new.
    pub(crate) fn drain(&self) -> bool {
        !self.draining.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn report(&self) -> Report {
        let draining = self.draining.load(Ordering::SeqCst);
        let progress = self.progress();
        Report {
            ready: progress.is_ready() && !draining,
            draining,
            starting: progress.starting,
            behind: progress.behind.iter().cloned().collect(),
            cut_off: progress.cut_off,
            topics: progress.topics,
            failed: progress.failed.clone(),
        }
    }

    /// A thread that the node cannot serve without has ended: it is not ready any more.
    pub(crate) fn thread_failed(&self, failure: ThreadFailure) {
        self.change(|progress| progress.failed.push(failure));
    }

    /// The numbers of publishers that do not turn any more.
    pub(crate) fn stuck(&self, now: Instant) -> Vec<usize> {
        let now = self.millis(now);
        let allowed = u64::try_from(STUCK_AFTER.as_millis()).unwrap_or(u64::MAX);
        let progress = self.progress();
        let pulses = progress.pulses.iter().enumerate();
        pulses
            .filter(|(_, pulse)| now.saturating_sub(pulse.load(Ordering::Relaxed)) > allowed)
            .map(|(number, _)| number)
            .collect()
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress();
        change(&mut progress);
        progress.was_ready |=
            progress.starting == 0 && progress.behind.is_empty() && !progress.has_no_topics();
        if let Some(gate) = self.gate.get() {
            gate(progress.is_ready());
        }
    }

    /// A panic elsewhere leaves it whole, since each change is made of single calls.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self, now: Instant) -> u64 {
        let span = now.saturating_duration_since(self.since);
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Progress {
    const fn is_ready(&self) -> bool {
        self.was_ready && self.cut_off == 0 && self.failed.is_empty() && !self.has_no_topics()
    }

    /// Returns whether the brokers have answered, and nothing that they have is to be read.
    const fn has_no_topics(&self) -> bool {
        matches!(self.topics, Some(Topics { matched: 0, .. }))
    }
}

impl PublisherReadiness {
    /// A partition will be read that may have records already.
    pub(crate) fn opened(&self, topic: &Arc<str>, partition: i32) {
        self.readiness.change(|progress| {
            progress.behind.insert((Arc::clone(topic), partition));
        });
    }

    /// What stood in the partition when it was opened has been read, or it is gone.
    pub(crate) fn caught_up(&self, topic: &Arc<str>, partition: i32) {
        self.readiness.change(|progress| {
            progress.behind.remove(&(Arc::clone(topic), partition));
        });
    }

    /// The partitions that exist at the start were all opened. Only the first call says anything.
    pub(crate) fn listed(&mut self) {
        if !self.listed {
            self.listed = true;
            self.readiness.change(|progress| progress.starting -= 1);
        }
    }

    /// How many topics there are now.
    pub(crate) fn topics(&mut self, topics: Topics) {
        if self.topics != Some(topics) {
            self.topics = Some(topics);
            self.readiness
                .change(|progress| progress.topics = Some(topics));
        }
    }

    /// Whether it hears nothing from Kafka, or has not caught up since.
    pub(crate) fn cut_off(&mut self, cut_off: bool) {
        if self.cut_off != cut_off {
            self.cut_off = cut_off;
            self.readiness.change(|progress| {
                progress.cut_off = if cut_off {
                    progress.cut_off + 1
                } else {
                    progress.cut_off.saturating_sub(1)
                };
            });
        }
    }

    /// The publisher is alive.
    pub(crate) fn turned(&self, now: Instant) {
        self.pulse
            .store(self.readiness.millis(now), Ordering::Relaxed);
    }
}
