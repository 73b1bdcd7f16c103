//! How shards and publishers talk: commands one way, deliveries the other, both bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;

use market::{Epoch, Position};
use streams::{CaughtUp, Joined, Refused, Runs, StreamKey};
use tokio::sync::mpsc as inbox;
use wire::Encoding;

use crate::Directory;
use crate::PublisherPort;
use crate::fetcher::{Fetch, Fetcher};
use crate::history::{Handover, NoReplay, ReplayPage, ReplayRequest};
use crate::trace::Marks;

/// Commands that one publisher has not taken yet. A command is a subscription, so this is how
/// many clients can subscribe within one batch; more wait in their shard.
const COMMANDS: usize = 4096;
/// Deliveries that one shard has not taken yet. A delivery is a whole batch or the answer to one
/// command; a publisher that finds the inbox full waits, and its batches grow.
const DELIVERIES: usize = 1024;
/// Fetches that one publisher has not taken yet: as many as a node has under way.
const FETCHES: usize = crate::fetcher::UNDER_WAY;

/// A stream's place in a shard, told apart from earlier streams in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamSlot {
    pub(crate) shard: usize,
    pub(crate) slot: usize,
    pub(crate) generation: u64,
}

/// A subscriber: a session's place in a stream; `token` tells it apart from earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SubscriberId {
    pub(crate) session: usize,
    pub(crate) sub: usize,
    pub(crate) token: u64,
}

/// What a shard asks of a publisher.
#[derive(Debug)]
pub(crate) enum Command {
    /// A subscriber wants to begin.
    Join {
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
        subscriber: SubscriberId,
        resume: Option<Position>,
        /// It comes from another view of the same book, and is to stand nowhere before that.
        moves: bool,
        /// It wants to begin in the past.
        replay: Option<ReplayRequest>,
    },
    /// A subscriber's replay is where the log ends: it is to hold the live stream.
    Handover {
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
        subscriber: SubscriberId,
        /// The epoch that it has; none when the live stream has to begin with its state.
        epoch: Option<Epoch>,
    },
    /// A subscriber fell behind.
    CatchUp {
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
        subscriber: SubscriberId,
        from: Position,
    },
    /// The shard has no subscriber of the stream any more.
    Leave {
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
    },
}

/// What a publisher hands a shard.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The runs of one batch, which of them go where, and those of its records that are followed.
    Runs {
        runs: Arc<Runs>,
        places: Vec<RunFor>,
        marks: Option<Arc<Marks>>,
    },
    /// A subscriber may begin, behind all runs delivered so far.
    Joined {
        subscriber: SubscriberId,
        outcome: Result<Joined, NotJoined>,
    },
    /// The next of what a subscriber is sent of the past.
    Replayed {
        subscriber: SubscriberId,
        page: ReplayPage,
    },
    /// A subscriber that is sent the past holds the live stream, behind all runs delivered so far.
    HandedOver {
        subscriber: SubscriberId,
        handover: Option<Handover>,
    },
    /// A subscriber may go on, behind all runs delivered so far.
    CaughtUp {
        subscriber: SubscriberId,
        caught_up: Option<CaughtUp>,
    },
}

/// Why a subscriber may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotJoined {
    /// The publisher has not caught up with what stood in the log when it began: what it would say
    /// is of the past, and a client that resumes would be led back there.
    NotReady,
    /// There is no such stream.
    Refused(Refused),
    /// There are as many replays as may be.
    Busy,
    /// This node does not replay.
    NoHistory,
    /// The past cannot be had.
    NoReplay(NoReplay),
}

/// One of a batch's runs, and the stream that it is of.
#[derive(Debug)]
pub(crate) struct RunFor {
    pub(crate) slot: usize,
    pub(crate) generation: u64,
    /// Which of the runs.
    pub(crate) run: usize,
}

/// A shard's way to one publisher.
#[derive(Clone)]
pub struct PublisherLink {
    commands: mpsc::SyncSender<Command>,
    fetches: mpsc::SyncSender<Fetch>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// All links of a node: those of each shard, made by [`link`].
pub struct Links {
    pub(crate) shards: Vec<ShardLinks>,
    publishers: Vec<PublisherLink>,
}

/// One shard's ends.
pub(crate) struct ShardLinks {
    pub(crate) publishers: Vec<PublisherLink>,
    pub(crate) inbox: inbox::Receiver<Delivery>,
}

/// Commands on their way to one publisher, in order; those that it cannot take yet wait here.
/// Bounded by the shard's subscribers, each of which has at most one command under way, and its
/// streams.
pub(crate) struct CommandLine {
    link: PublisherLink,
    waiting: VecDeque<Command>,
}

/// Links so many shards with the publishers; each publisher is given by how it is woken.
#[must_use]
pub fn link(
    shards: usize,
    wakers: Vec<Arc<dyn Fn() + Send + Sync>>,
) -> (Vec<PublisherPort>, Links) {
    let (senders, inboxes): (Vec<_>, Vec<_>) =
        (0..shards).map(|_| inbox::channel(DELIVERIES)).unzip();
    let (ports, publishers): (Vec<_>, Vec<_>) = wakers
        .into_iter()
        .map(|wake| {
            let (commands, receiver) = mpsc::sync_channel(COMMANDS);
            let (fetches, fetched) = mpsc::sync_channel(FETCHES);
            let port = PublisherPort::new(receiver, fetched, Arc::clone(&wake), senders.clone());
            let link = PublisherLink {
                commands,
                fetches,
                wake,
            };
            (port, link)
        })
        .unzip();
    let shards = inboxes
        .into_iter()
        .map(|inbox| ShardLinks {
            publishers: publishers.clone(),
            inbox,
        })
        .collect();
    (ports, Links { shards, publishers })
}

impl Links {
    /// A way to the publishers for whoever asks once.
    #[must_use]
    pub fn fetcher(&self, directory: Arc<Directory>) -> Fetcher {
        Fetcher::new(directory, self.publishers.clone())
    }
}

impl PublisherLink {
    /// Asks the publisher; `false` when it has too much to do, or has ended. Never blocks.
    pub(crate) fn fetch(&self, fetch: Fetch) -> bool {
        let sent = self.fetches.try_send(fetch).is_ok();
        if sent {
            (self.wake)();
        }
        sent
    }
}

impl CommandLine {
    pub(crate) const fn new(link: PublisherLink) -> Self {
        Self {
            link,
            waiting: VecDeque::new(),
        }
    }

    /// Sends a command behind those that wait.
    pub(crate) fn send(&mut self, command: Command) {
        self.waiting.push_back(command);
        self.retry();
    }

    /// Sends what waits, as far as the publisher can take it; never blocks.
    pub(crate) fn retry(&mut self) {
        let mut sent = false;
        while let Some(command) = self.waiting.pop_front() {
            match self.link.commands.try_send(command) {
                Ok(()) => sent = true,
                Err(mpsc::TrySendError::Full(command)) => {
                    self.waiting.push_front(command);
                    break;
                }
                // The publisher ended; so does the node.
                Err(mpsc::TrySendError::Disconnected(_)) => {}
            }
        }
        if sent {
            (self.link.wake)();
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }
}
