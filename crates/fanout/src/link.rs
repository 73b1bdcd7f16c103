//! Channels between shards and publishers: commands one way, deliveries the other, both bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc;

use fanout_core::Delivery;
use tokio::sync::mpsc as inbox;

use crate::PublisherPort;
use crate::fetch::{Fetch, IN_PROGRESS};
use crate::posted_command::PostedCommand;

/// Capacity of a publisher's command queue. A command is a subscription, so this is how many
/// clients can subscribe within one batch; more wait in their shard.
const COMMANDS: usize = 4096;
/// Capacity of a shard's inbox. A delivery is a whole batch or the answer to one command; a
/// publisher that finds the inbox full waits, and its batches grow.
const DELIVERIES: usize = 1024;
/// Capacity of a publisher's fetch queue: all that a node can have in progress.
const FETCHES: usize = IN_PROGRESS;

/// A shard's link to one publisher.
#[derive(Clone)]
pub struct PublisherLink {
    commands: mpsc::SyncSender<PostedCommand>,
    fetches: mpsc::SyncSender<Fetch>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

/// All links of a node, created by [`link`].
pub struct Links {
    pub(crate) shards: Vec<ShardLinks>,
    publishers: Vec<PublisherLink>,
}

/// One shard's ends of the links.
pub(crate) struct ShardLinks {
    pub(crate) publishers: Vec<PublisherLink>,
    pub(crate) inbox: inbox::Receiver<Delivery>,
}

/// Commands on their way to one publisher, in order; those that it cannot take yet wait here.
///
/// Bounded by the shard's streams and subscriptions, each of which has at most one command in
/// flight.
pub(crate) struct CommandQueue {
    link: PublisherLink,
    waiting: VecDeque<PostedCommand>,
}

/// Links a number of shards with the publishers. Each publisher is represented by the function that
/// wakes it.
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
    /// Returns the links to all publishers, by index.
    pub(crate) fn publishers(&self) -> &[PublisherLink] {
        &self.publishers
    }
}

impl PublisherLink {
    /// Sends a fetch to the publisher without blocking. Returns false if the publisher is
    /// overloaded or has ended.
    pub(crate) fn fetch(&self, fetch: Fetch) -> bool {
        let sent = self.fetches.try_send(fetch).is_ok();
        if sent {
            (self.wake)();
        }
        sent
    }
}

impl CommandQueue {
    pub(crate) const fn new(link: PublisherLink) -> Self {
        Self {
            link,
            waiting: VecDeque::new(),
        }
    }

    /// Sends a command after those already waiting.
    pub(crate) fn send(&mut self, command: PostedCommand) {
        self.waiting.push_back(command);
        self.retry();
    }

    /// Sends waiting commands without blocking, as many as the publisher can take.
    pub(crate) fn retry(&mut self) {
        let mut sent = false;
        while let Some(command) = self.waiting.pop_front() {
            match self.link.commands.try_send(command) {
                Ok(()) => sent = true,
                Err(mpsc::TrySendError::Full(command)) => {
                    self.waiting.push_front(command);
                    break;
                }
                // The publisher has ended, and so will the node.
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
