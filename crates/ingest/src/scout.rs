//! The thread that looks for topics, so that no thread that reads ever waits for an answer.
//!
//! Modules in reading command: `broker` asks, `verdict` says what the answers mean for a partition
//! that is being read.

mod broker;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use crate::command::{CheckRequest, Command, Opening, Restart, SharedPosition, Span, Topics};
use crate::shares::share_of;
use crate::topic_id::TopicId;
use crate::{IngestConfig, Reset, Source, Start, Stop, Waker};
pub(crate) use broker::Broker;
use broker::Unanswered;

/// However often it is woken, a broker is asked at most this often.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// A topic that was not there this often is gone. Once is not enough: a broker that has just
/// started may not know all topics yet.
const GONE_AFTER: u32 = 3;
/// How many of a topic's former identities are remembered. Only the last one can still be told,
/// by a broker that lags behind.
const RETIRED: usize = 4;
/// How soon it tries again what a broker did not answer.
const RETRY: Duration = Duration::from_millis(250);

/// A consumer, as the scout sees it.
pub(crate) struct Reader {
    pub(crate) commands: SyncSender<Command>,
    pub(crate) waker: Waker,
    pub(crate) request: Arc<CheckRequest>,
}

/// Looks for topics and partitions, and at what became of those that are being read.
pub(crate) struct Scout {
    config: IngestConfig,
    broker: Broker,
    readers: Vec<Reader>,
    waker: Waker,
    stop: Stop,
    topics: BTreeMap<Arc<str>, Topic>,
    /// The partitions that there were when a broker first answered; others are new, and are read
    /// from their beginning. None before.
    at_start: Option<TopicPartitions>,
    discovered: bool,
    /// What consumers were told of the number of topics.
    counted: Option<Topics>,
}

/// Partitions, by topic and number.
type TopicPartitions = BTreeSet<(Arc<str>, i32)>;

/// A topic that is being read.
struct Topic {
    source: Arc<Source>,
    id: TopicId,
    /// Identities that it had before; a broker that lags behind may still tell them.
    retired: Vec<TopicId>,
    /// By number; how far each has been read.
    partitions: BTreeMap<i32, Arc<SharedPosition>>,
    /// How often in a row it was not there.
    missed: u32,
}

impl Scout {
    pub(crate) fn new(
        config: IngestConfig,
        broker: Broker,
        readers: Vec<Reader>,
        waker: Waker,
        stop: Stop,
    ) -> Self {
        Self {
            config,
            broker,
            readers,
            waker,
            stop,
            topics: BTreeMap::new(),
            at_start: None,
            discovered: false,
            counted: None,
        }
    }

    /// Runs until stopped.
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
            std::thread::sleep(LEAST_PAUSE.saturating_sub(began.elapsed()));
        }
    }

    /// One look at everything.
    fn round(&mut self) -> Result<(), Unanswered> {
        // Taken before anything is asked, so that the answers are younger than the question.
        let asking: Vec<bool> = self
            .readers
            .iter()
            .map(|reader| reader.request.take())
            .collect();
        let done = self.look(&asking);
        if done.is_err() {
            let readers = self.readers.iter().zip(&asking);
            readers
                .filter(|(_, asking)| **asking)
                .for_each(|(reader, _)| reader.request.ask());
        }
        done
    }

    fn look(&mut self, asking: &[bool]) -> Result<(), Unanswered> {
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
        self.let_go(&present);
        let mut unanswered = None;
        for (name, found) in present {
            let id = ids.get(&*name).copied().unwrap_or_default();
            if let Err(error) = self.look_at(&name, found, id) {
                // One topic without a leader is no reason to leave the others alone.
                unanswered = Some(error);
            }
        }
        self.tell_topics(listed);
        for (index, _) in asking.iter().enumerate().filter(|(_, asking)| **asking) {
            self.answer(index)?;
        }
        match unanswered {
            Some(error) => Err(error),
            None => {
                self.tell_discovered();
                Ok(())
            }
        }
    }

    /// Lets topics go that are gone. When they come back they are new.
    fn let_go(&mut self, present: &BTreeMap<Arc<str>, broker::Found>) {
        let mut gone: BTreeMap<usize, Vec<(Arc<str>, i32)>> = BTreeMap::new();
        let threads = self.readers.len();
        let at_start = &mut self.at_start;
        self.topics.retain(|name, topic| {
            topic.missed += u32::from(!present.contains_key(name));
            if topic.missed < GONE_AFTER {
                return true;
            }
            tracing::warn!(topic = %name, "the topic is gone");
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
            self.tell(share, Command::Close(gone));
        }
    }

    /// One look at one topic.
    fn look_at(
        &mut self,
        name: &Arc<str>,
        found: broker::Found,
        id: TopicId,
    ) -> Result<(), Unanswered> {
        if let Some(topic) = self.topics.get(name)
            && verdict::is_recreated(topic.id, id)
            && !topic.retired.contains(&id)
        {
            self.begin_anew(name, &found, id)?;
        }
        let source = Arc::new(found.source);
        let topic = self.topics.entry(name.clone()).or_insert_with(|| Topic {
            source,
            id,
            retired: Vec::new(),
            partitions: BTreeMap::new(),
            missed: 0,
        });
        topic.missed = 0;
        if topic.id == TopicId::default() {
            // Told late: the broker has learnt it, or could not be asked before.
            topic.id = id;
        }
        let mut openings: BTreeMap<usize, Vec<Opening>> = BTreeMap::new();
        let mut unanswered = None;
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
            // Whoever kept what stands before has let it go once everything of the start was opened.
            let resume =
                resume.filter(|at| at.topic_id == topic.id && known.is_some() && !self.discovered);
            let (start, end) = match self.broker.begin(name, partition, start, resume) {
                Ok(span) => span,
                Err(error) => {
                    unanswered = Some(error);
                    continue;
                }
            };
            let reached = Arc::new(SharedPosition::at(start));
            topic.partitions.insert(partition, reached.clone());
            let share = share_of(name, partition, self.readers.len());
            openings.entry(share).or_default().push(Opening {
                source: topic.source.clone(),
                topic: name.clone(),
                partition,
                span: Span {
                    topic_id: topic.id,
                    start,
                    end,
                },
                reached,
            });
        }
        for (share, openings) in openings {
            self.tell(share, Command::Open(openings));
        }
        unanswered.map_or(Ok(()), Err)
    }

    /// A topic was made anew: every partition that it still has begins at its beginning.
    fn begin_anew(
        &mut self,
        name: &Arc<str>,
        found: &broker::Found,
        id: TopicId,
    ) -> Result<(), Unanswered> {
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
        tracing::warn!(topic = %name, "the topic was made anew and is read from its beginning");
        topic.retired.push(std::mem::replace(&mut topic.id, id));
        if topic.retired.len() > RETIRED {
            topic.retired.remove(0);
        }
        let mut begun: BTreeMap<usize, Vec<Restart>> = BTreeMap::new();
        let mut closed: BTreeMap<usize, Vec<(Arc<str>, i32)>> = BTreeMap::new();
        for (partition, span) in spans {
            let share = share_of(name, partition, self.readers.len());
            let Some(span) = span else {
                topic.partitions.remove(&partition);
                let closed = closed.entry(share).or_default();
                closed.push((name.clone(), partition));
                continue;
            };
            begun.entry(share).or_default().push(Restart {
                topic: name.clone(),
                partition,
                span,
                cause: Reset::TopicRecreated,
                seen_at: None,
            });
        }
        for (share, closed) in closed {
            self.tell(share, Command::Close(closed));
        }
        for (share, begun) in begun {
            self.tell(share, Command::Restart(begun));
        }
        Ok(())
    }

    /// A consumer has no record at the offset of one of its partitions, and cannot say of which.
    fn answer(&mut self, index: usize) -> Result<(), Unanswered> {
        let mut beginnings = Vec::new();
        for (name, topic) in &self.topics {
            for (partition, reached) in &topic.partitions {
                if share_of(name, *partition, self.readers.len()) != index {
                    continue;
                }
                // Read before the ends are asked for: a log cannot end before what was read of it.
                let at = reached.get();
                let (start, end) = self.broker.ends(name, *partition)?;
                let Some(cause) = verdict::of(at, start, end) else {
                    continue;
                };
                tracing::warn!(
                    topic = %name, partition, position = at.0, start = start.0, end = end.0, ?cause,
                    "the partition has no record where it is to be read"
                );
                beginnings.push(Restart {
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
        self.tell(index, Command::Checked(beginnings));
        Ok(())
    }

    /// Tells how many topics there are, behind the commands that open or close them. A pattern that matches
    /// nothing is most likely a mistake, and the log is where somebody looks for it.
    fn tell_topics(&mut self, listed: u64) {
        let matched = u64::try_from(self.topics.len()).unwrap_or(u64::MAX);
        let topics = Topics { listed, matched };
        if self.counted == Some(topics) {
            return;
        }
        let matched_before = self.counted.map(|counted| counted.matched);
        self.counted = Some(topics);
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
        for index in 0..self.readers.len() {
            self.tell(index, Command::Topics(topics));
        }
    }

    fn tell_discovered(&mut self) {
        if std::mem::replace(&mut self.discovered, true) {
            return;
        }
        for index in 0..self.readers.len() {
            self.tell(index, Command::Discovered);
        }
    }

    fn tell(&self, index: usize, command: Command) {
        if let Some(reader) = self.readers.get(index) {
            // One that has ended takes no more commands.
            let _ = reader.commands.send(command);
            reader.waker.wake();
        }
    }
}
