//! The thread that looks for topics, so that the threads that read never wait for a broker's
//! response.
//!
//! Modules: `broker` sends the requests, and `reset_of` decides what the responses mean for a
//! partition that is being read.

mod broker;
mod reset_of;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::command::{CheckRequest, Command, Opening, Restart, SharedPosition, Span, Topics};
use crate::shares::share_of;
use crate::topic_id::TopicId;
use crate::{IngestConfig, Reset, Source, Start, Stop, Waker};
pub(crate) use broker::Broker;
use broker::QueryError;

/// The minimum interval of requests, however often the scout is woken.
const MIN_PAUSE: Duration = Duration::from_millis(100);
/// The number of rounds after which a missing topic counts as deleted. Once is not enough, since a
/// broker that has just started may not know all topics yet.
const MISSING_ROUNDS: u32 = 3;
/// The maximum number of a topic's former UUIDs to keep. Only the last one may still be reported,
/// by a broker that lags.
const MAX_FORMER_IDS: usize = 4;
/// The delay before a failed round is repeated.
const RETRY: Duration = Duration::from_millis(250);

/// The scout's connection to a consumer.
pub(crate) struct ConsumerLink {
    pub(crate) commands: SyncSender<Command>,
    pub(crate) waker: Waker,
    pub(crate) request: Arc<CheckRequest>,
}

/// Looks for topics and partitions, and checks those that are being read.
pub(crate) struct Scout {
    config: IngestConfig,
    broker: Broker,
    consumers: Vec<ConsumerLink>,
    waker: Waker,
    stop: Stop,
    topics: BTreeMap<Arc<str>, Topic>,
    /// The partitions that existed when a broker first responded; `None` until then. All others are
    /// new and are read from their start.
    at_start: Option<TopicPartitions>,
    discovered: bool,
    /// The number of topics that was last sent to the consumers.
    published: Option<Topics>,
}

/// Partitions by topic and number.
type TopicPartitions = BTreeSet<(Arc<str>, i32)>;

/// A topic that is being read.
struct Topic {
    source: Arc<Source>,
    id: TopicId,
    /// Its former UUIDs, which a broker that lags may still report.
    former_ids: Vec<TopicId>,
    /// The positions of its partitions, by number.
    partitions: BTreeMap<i32, Arc<SharedPosition>>,
    /// The number of rounds in a row in which it was missing.
    rounds_missing: u32,
}

impl Scout {
    pub(crate) fn new(
        config: IngestConfig,
        broker: Broker,
        consumers: Vec<ConsumerLink>,
        waker: Waker,
        stop: Stop,
    ) -> Self {
        Self {
            config,
            broker,
            consumers,
            waker,
            stop,
            topics: BTreeMap::new(),
            at_start: None,
            discovered: false,
            published: None,
        }
    }

    /// Runs until it is stopped.
    pub(crate) fn run(mut self) {
        self.waker.adopt();
        while !self.stop.is_stopped() {
            let began = Instant::now();
            let pause = match self.round() {
                Ok(()) => self.config.discovery,
                Err(error) => {
                    tracing::warn!(%error, "cannot look for topics");
                    RETRY
                }
            };
            self.waker.park(pause);
            std::thread::sleep(MIN_PAUSE.saturating_sub(began.elapsed()));
        }
    }

    /// Checks all topics and partitions once.
    fn round(&mut self) -> Result<(), QueryError> {
        // Taken before any query, so that the responses are newer than the requests.
        let requested: Vec<bool> = self
            .consumers
            .iter()
            .map(|consumer| consumer.request.take())
            .collect();
        let done = self.check_all(&requested);
        if done.is_err() {
            let consumers = self.consumers.iter().zip(&requested);
            consumers
                .filter(|(_, requested)| **requested)
                .for_each(|(consumer, _)| consumer.request.set());
        }
        done
    }

    fn check_all(&mut self, requested: &[bool]) -> Result<(), QueryError> {
        let present = self.broker.topics(&self.config.topics)?;
        let ids = if self.config.topic_ids {
            self.broker.ids(&present)?
        } else {
            HashMap::new()
        };
        let listed = present.listed;
        let present = present.by_name;
        self.at_start.get_or_insert_with(|| {
            let names = present.iter();
            let all = names
                .flat_map(|(name, found)| found.partitions.iter().map(|one| (name.clone(), *one)));
            all.collect()
        });
        self.close_missing(&present);
        let mut failed = None;
        for (name, found) in present {
            let id = ids.get(&*name).copied().unwrap_or_default();
            if let Err(error) = self.check_topic(&name, found, id) {
                // A topic without a leader must not delay the others.
                failed = Some(error);
            }
        }
        self.publish_topics(listed);
        for (index, _) in requested
            .iter()
            .enumerate()
            .filter(|(_, requested)| **requested)
        {
            self.check_positions(index)?;
        }
        match failed {
            Some(error) => Err(error),
            None => {
                self.publish_discovered();
                Ok(())
            }
        }
    }

    /// Closes topics that no longer exist. If they come back they are new.
    fn close_missing(&mut self, present: &BTreeMap<Arc<str>, broker::FoundTopic>) {
        let mut gone: BTreeMap<usize, Vec<(Arc<str>, i32)>> = BTreeMap::new();
        let threads = self.consumers.len();
        let at_start = &mut self.at_start;
        self.topics.retain(|name, topic| {
            topic.rounds_missing += u32::from(!present.contains_key(name));
            if topic.rounds_missing < MISSING_ROUNDS {
                return true;
            }
            tracing::warn!(topic = %name, "the topic no longer exists");
            for partition in topic.partitions.keys() {
                let one = (name.clone(), *partition);
                if let Some(at_start) = at_start {
                    at_start.remove(&one);
                }
                gone.entry(share_of(name, *partition, threads))
                    .or_default()
                    .push(one);
            }
            false
        });
        for (share, gone) in gone {
            self.send(share, Command::Close(gone));
        }
    }

    /// Checks one topic and opens its new partitions.
    fn check_topic(
        &mut self,
        name: &Arc<str>,
        found: broker::FoundTopic,
        id: TopicId,
    ) -> Result<(), QueryError> {
        if let Some(topic) = self.topics.get(name)
            && reset_of::is_recreated(topic.id, id)
            && !topic.former_ids.contains(&id)
        {
            self.restart_recreated(name, &found, id)?;
        }
        let source = Arc::new(found.source);
        let topic = self.topics.entry(name.clone()).or_insert_with(|| Topic {
            source,
            id,
            former_ids: Vec::new(),
            partitions: BTreeMap::new(),
            rounds_missing: 0,
        });
        topic.rounds_missing = 0;
        if topic.id == TopicId::default() {
            // The broker has learnt it since, or could not be queried before.
            topic.id = id;
        }
        let mut openings: BTreeMap<usize, Vec<Opening>> = BTreeMap::new();
        let mut failed = None;
        for partition in found.partitions {
            if topic.partitions.contains_key(&partition) {
                continue;
            }
            let known = self.at_start.as_ref();
            let start = match known.map(|all| all.contains(&(name.clone(), partition))) {
                Some(true) => self.config.start,
                _ => Start::Earliest,
            };
            let resume = self.config.resume.get(&(name.to_string(), partition));
            // The state to resume from is dropped once all partitions of the start were opened.
            let resume =
                resume.filter(|at| at.topic_id == topic.id && known.is_some() && !self.discovered);
            let (start, end) = match self.broker.start_of(name, partition, start, resume) {
                Ok(span) => span,
                Err(error) => {
                    failed = Some(error);
                    continue;
                }
            };
            let shared_position = Arc::new(SharedPosition::at(start));
            topic.partitions.insert(partition, shared_position.clone());
            let share = share_of(name, partition, self.consumers.len());
            openings.entry(share).or_default().push(Opening {
                source: topic.source.clone(),
                topic: name.clone(),
                partition,
                span: Span {
                    topic_id: topic.id,
                    start,
                    end,
                },
                shared_position,
            });
        }
        for (share, openings) in openings {
            self.send(share, Command::Open(openings));
        }
        failed.map_or(Ok(()), Err)
    }

    /// Restarts all partitions of a recreated topic from their start.
    fn restart_recreated(
        &mut self,
        name: &Arc<str>,
        found: &broker::FoundTopic,
        id: TopicId,
    ) -> Result<(), QueryError> {
        let Some(topic) = self.topics.get_mut(name) else {
            return Ok(());
        };
        let mut spans = Vec::new();
        for partition in topic.partitions.keys().copied() {
            if found.partitions.contains(&partition) {
                let (start, end) = self.broker.ends(name, partition)?;
                let topic_id = id;
                let span = Span {
                    topic_id,
                    start,
                    end,
                };
                spans.push((partition, Some(span)));
            } else {
                spans.push((partition, None));
            }
        }
        tracing::warn!(topic = %name, "the topic was recreated and is read from its start");
        topic.former_ids.push(std::mem::replace(&mut topic.id, id));
        if topic.former_ids.len() > MAX_FORMER_IDS {
            topic.former_ids.remove(0);
        }
        let mut restarted: BTreeMap<usize, Vec<Restart>> = BTreeMap::new();
        let mut closed: BTreeMap<usize, Vec<(Arc<str>, i32)>> = BTreeMap::new();
        for (partition, span) in spans {
            let share = share_of(name, partition, self.consumers.len());
            let Some(span) = span else {
                topic.partitions.remove(&partition);
                let closed = closed.entry(share).or_default();
                closed.push((name.clone(), partition));
                continue;
            };
            restarted.entry(share).or_default().push(Restart {
                topic: name.clone(),
                partition,
                span,
                cause: Reset::TopicRecreated,
                seen_at: None,
            });
        }
        for (share, closed) in closed {
            self.send(share, Command::Close(closed));
        }
        for (share, restarted) in restarted {
            self.send(share, Command::Restart(restarted));
        }
        Ok(())
    }

    /// Checks all partitions of a consumer, since one of them has no record at its offset and the
    /// client does not report which.
    fn check_positions(&mut self, index: usize) -> Result<(), QueryError> {
        let mut restarts = Vec::new();
        for (name, topic) in &self.topics {
            for (partition, shared_position) in &topic.partitions {
                if share_of(name, *partition, self.consumers.len()) != index {
                    continue;
                }
                // Read before the query: a log cannot end before an offset that was read from it.
                let at = shared_position.get();
                let (start, end) = self.broker.ends(name, *partition)?;
                let Some(cause) = reset_of::reset_of(at, start, end) else {
                    continue;
                };
                tracing::warn!(
                    topic = %name, partition, position = at.0, start = start.0, end = end.0, ?cause,
                    "the partition has no record at its offset and is restarted"
                );
                restarts.push(Restart {
                    topic: name.clone(),
                    partition: *partition,
                    span: Span {
                        topic_id: topic.id,
                        start,
                        end,
                    },
                    cause,
                    seen_at: Some(at),
                });
            }
        }
        self.send(index, Command::Checked(restarts));
        Ok(())
    }

    /// Sends the number of topics, after the commands that open or close them. A pattern that
    /// matches nothing is most likely a mistake, so it is logged.
    fn publish_topics(&mut self, listed: u64) {
        let matched = u64::try_from(self.topics.len()).unwrap_or(u64::MAX);
        let topics = Topics { listed, matched };
        if self.published == Some(topics) {
            return;
        }
        let matched_before = self.published.map(|published| published.matched);
        self.published = Some(topics);
        if matched == 0 && matched_before != Some(0) {
            let patterns: Vec<&str> = self
                .config
                .topics
                .iter()
                .map(|rule| rule.pattern.as_str())
                .collect();
            tracing::warn!(
                ?patterns,
                topics_listed = listed,
                "no topic matches [[topics]], so nothing is read; the node is not ready until one does"
            );
        } else if matched > 0 && matched_before == Some(0) {
            tracing::info!(topics_matched = matched, "a topic matches [[topics]]");
        }
        for index in 0..self.consumers.len() {
            self.send(index, Command::Topics(topics));
        }
    }

    fn publish_discovered(&mut self) {
        if std::mem::replace(&mut self.discovered, true) {
            return;
        }
        for index in 0..self.consumers.len() {
            self.send(index, Command::Discovered);
        }
    }

    fn send(&self, index: usize, command: Command) {
        if let Some(consumer) = self.consumers.get(index) {
            // A consumer that has ended takes no more commands.
            let _ = consumer.commands.send(command);
            consumer.waker.wake();
        }
    }
}
