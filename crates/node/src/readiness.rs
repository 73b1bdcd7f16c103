use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ingest::Topics;

use crate::threads::failure::ThreadFailure;

/// Time without a turn after which a publisher is stuck: an idle one turns every 100 ms, and the largest batch
/// takes milliseconds.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// Whether the node is ready for clients, and whether it is alive.
///
/// A node becomes ready once every publisher has listed its partitions and caught up with all of them, and stays
/// ready until it drains. Partitions that appear later are caught up with while the others are served: a new
/// topic must not take every node of the fleet out of the load balancer at once. The node is not ready while it
/// has lost contact with Kafka, since its data then has an unknown age; while there is no topic to read; and
/// after an essential thread has ended.
pub(crate) struct Readiness {
    since: Instant,
    progress: Mutex<Progress>,
    draining: AtomicBool,
    /// Called with the readiness whenever it may have changed.
    gate: OnceLock<Gate>,
}

type Gate = Box<dyn Fn(bool) + Send + Sync>;

#[derive(Default)]
struct Progress {
    was_ready: bool,
    /// Number of publishers that have not listed their partitions yet.
    starting: usize,
    behind: BTreeSet<TopicPartition>,
    /// Number of publishers without contact to Kafka, or that have not caught up since.
    cut_off: usize,
    /// Number of topics, from the last publisher that got them.
    topics: Option<Topics>,
    /// Essential threads that have ended.
    failed: Vec<ThreadFailure>,
    pulses: Vec<Arc<AtomicU64>>,
}

type TopicPartition = (Arc<str>, i32);

/// The readiness and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) ready: bool,
    pub(crate) draining: bool,
    /// Number of publishers that have not listed their partitions yet.
    pub(crate) starting: usize,
    /// Partitions that have not been caught up with.
    pub(crate) behind: Vec<TopicPartition>,
    /// Number of publishers without contact to Kafka, or that have not caught up since.
    pub(crate) cut_off: usize,
    /// Topics listed by the brokers, and those read; `None` before the first response.
    pub(crate) topics: Option<Topics>,
    /// Essential threads that have ended.
    pub(crate) failed: Vec<ThreadFailure>,
}

impl Report {
    /// Why the node is not ready, for people; empty while it is.
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

/// What one publisher contributes to the readiness.
pub(crate) struct PublisherReadiness {
    readiness: Arc<Readiness>,
    pulse: Arc<AtomicU64>,
    listed: bool,
    cut_off: bool,
    topics: Option<Topics>,
}

impl Readiness {
    /// The readiness of a node without publishers; they are added by [`Readiness::publisher`] before the first
    /// report.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            since: Instant::now(),
            progress: Mutex::default(),
            draining: AtomicBool::new(false),
            gate: OnceLock::new(),
        })
    }

    /// Sets what to call with the readiness. Only the first call has an effect.
    pub(crate) fn govern(&self, gate: Gate) {
        let progress = self.progress();
        gate(progress.is_ready());
        // There is one fan-out.
        let _first = self.gate.set(gate);
    }

    /// Adds a publisher that is not ready.
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

    /// Marks the node as draining. Returns false if it was already.
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

    /// Records the end of an essential thread: the node is not ready anymore.
    pub(crate) fn thread_failed(&self, failure: ThreadFailure) {
        self.change(|progress| progress.failed.push(failure));
    }

    /// The numbers of publishers that are stuck.
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

    /// A panic elsewhere leaves it consistent, since changes are single calls.
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

    /// Returns whether the brokers have responded and none of their topics is read.
    const fn has_no_topics(&self) -> bool {
        matches!(self.topics, Some(Topics { matched: 0, .. }))
    }
}

impl PublisherReadiness {
    /// A partition was opened and may already have records.
    pub(crate) fn opened(&self, topic: &Arc<str>, partition: i32) {
        self.readiness.change(|progress| {
            progress.behind.insert((Arc::clone(topic), partition));
        });
    }

    /// The records a partition had when it was opened have been read, or it no longer exists.
    pub(crate) fn caught_up(&self, topic: &Arc<str>, partition: i32) {
        self.readiness.change(|progress| {
            progress.behind.remove(&(Arc::clone(topic), partition));
        });
    }

    /// All partitions that existed at startup have been opened. Only the first call has an effect.
    pub(crate) fn listed(&mut self) {
        if !self.listed {
            self.listed = true;
            self.readiness.change(|progress| progress.starting -= 1);
        }
    }

    /// Reports the current number of topics.
    pub(crate) fn topics(&mut self, topics: Topics) {
        if self.topics != Some(topics) {
            self.topics = Some(topics);
            self.readiness
                .change(|progress| progress.topics = Some(topics));
        }
    }

    /// Reports whether contact with Kafka is lost, or the publisher has not caught up since.
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

    /// Reports that the publisher is alive.
    pub(crate) fn turned(&self, now: Instant) {
        self.pulse
            .store(self.readiness.millis(now), Ordering::Relaxed);
    }
}
