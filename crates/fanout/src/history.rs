//! The protocol between a shard and the reader of the log that serves a replay.
//!
//! A replay is a chain of pages. The shard requests a page when the previous one has been sent, so
//! a client that reads slowly slows its own replay and nothing else.

use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use fanout_core::{
    Delivery, JoinError, NextPage, ReplayCommand, ReplayError, ReplayPage, SubscriptionId,
};
use market::Position;
use streams::{Joined, Origin, Run};
use tokio::sync::mpsc::Sender;
use wire::Encoding;
use wire::control::{Pace, Start};

/// Commands that a replay has not taken yet: send a page, and join the live stream.
const COMMANDS: usize = 2;

/// Replays the log.
pub trait History: Send + Sync {
    /// Starts a replay on a thread of its own, or returns it if there are as many as there may be.
    fn begin(&self, replay: Box<Wanted>) -> Result<(), Box<Wanted>>;
}

/// The client that asks for a replay; replays are limited per session and per address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asker {
    /// A number that identifies the session among all that the node has ever had, if known.
    pub session: Option<u64>,
    /// The client's address, also behind a trusted balancer, if known.
    pub address: Option<IpAddr>,
}

/// A replay to start.
pub struct Wanted {
    /// Who asks for it.
    pub asker: Asker,
    /// Source of the stream.
    pub origin: Origin,
    /// Encoding of the messages.
    pub encoding: Encoding,
    /// Start of the replay.
    pub start: Start,
    /// Speed of the replay; as fast as possible if `None`.
    pub pace: Option<Pace>,
    /// Receives the messages.
    pub receiver: ReplayReceiver,
}

/// A replay's channel to its session.
pub struct ReplayReceiver {
    pub(crate) shard: Sender<Delivery>,
    pub(crate) id: SubscriptionId,
    pub(crate) commands: Receiver<ReplayCommand>,
    /// Whether the session knows if its replay starts.
    pub(crate) answered: Cell<bool>,
    /// Whether the session is waiting for a page.
    pub(crate) asked: Cell<bool>,
    /// The session's position after the last page; `None` before the replay starts.
    pub(crate) position: Cell<Option<Position>>,
}

/// The session no longer wants its replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionGone;

/// A session's channel to its replay, which ends when this is dropped.
pub(crate) struct ReplayQueue(SyncSender<ReplayCommand>);

impl ReplayQueue {
    pub(crate) fn new() -> (Self, Receiver<ReplayCommand>) {
        let (commands, received) = sync_channel(COMMANDS);
        (Self(commands), received)
    }

    /// Sends a command without blocking. Returns false if the replay has ended.
    pub(crate) fn send(&self, command: ReplayCommand) -> bool {
        self.0.try_send(command).is_ok()
    }
}

impl ReplayReceiver {
    /// Starts the replay.
    pub fn begin(&self, joined: Joined) {
        self.answered.set(true);
        self.deliver(Delivery::Joined {
            id: self.id,
            outcome: Ok(joined),
        });
    }

    /// Rejects the replay.
    pub fn refuse(&self, why: ReplayError) {
        self.reject(JoinError::Replay(why));
    }

    /// Likewise, for a reason that need not be the replay's.
    pub fn reject(&self, why: JoinError) {
        self.answered.set(true);
        self.deliver(Delivery::Joined {
            id: self.id,
            outcome: Err(why),
        });
    }

    /// Sends a page that takes its receiver to `position`.
    pub fn page(&self, run: Option<Arc<Run>>, position: Position, next: NextPage) {
        self.position.set(Some(position));
        if run.is_some() {
            self.asked.set(false);
        }
        self.deliver(Delivery::Replayed {
            id: self.id,
            page: ReplayPage {
                run,
                position,
                next,
            },
        });
    }

    /// Waits for the next command; returns `None` if there is none within `wait`.
    pub fn command(&self, wait: Duration) -> Result<Option<ReplayCommand>, SessionGone> {
        match self.commands.recv_timeout(wait) {
            Ok(command) => {
                if matches!(command, ReplayCommand::Page) {
                    self.asked.set(true);
                }
                Ok(Some(command))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(SessionGone),
        }
    }

    /// Ends a replay that cannot continue: the session is caught up from its position, and
    /// notified. Waits up to `wait` for the last page to be sent; a slower session is notified
    /// afterwards.
    pub fn break_off(&self, wait: Duration) {
        if !self.answered.get() {
            // Dropping this reports that the replay does not start.
            return;
        }
        while !self.asked.get() {
            if !matches!(self.command(wait), Ok(Some(_))) {
                return;
            }
        }
        if let Some(position) = self.position.get() {
            self.page(None, position, NextPage::Broken);
        }
    }

    /// Waits while the shard's inbox is full; a shard that has ended takes nothing.
    fn deliver(&self, delivery: Delivery) {
        let _ended = self.shard.blocking_send(delivery);
    }
}

impl Drop for ReplayReceiver {
    /// The session is waiting for the answer.
    fn drop(&mut self) {
        if !self.answered.get() {
            self.refuse(ReplayError::Unreadable);
        }
    }
}

impl Wanted {
    /// Marks the session as answered by somebody else.
    pub(crate) fn settle(&self) {
        self.receiver.answered.set(true);
    }

    pub(crate) fn new(
        origin: Origin,
        encoding: Encoding,
        (start, pace): (Start, Option<Pace>),
        asker: Asker,
        receiver: ReplayReceiver,
    ) -> Box<Self> {
        Box::new(Self {
            asker,
            origin,
            encoding,
            start,
            pace,
            receiver,
        })
    }
}

impl ReplayReceiver {
    pub(crate) const fn new(
        shard: Sender<Delivery>,
        id: SubscriptionId,
        commands: Receiver<ReplayCommand>,
    ) -> Self {
        Self {
            shard,
            id,
            commands,
            answered: Cell::new(false),
            asked: Cell::new(false),
            position: Cell::new(None),
        }
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("origin", &self.origin)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use market::{Epoch, Seq};
    use tokio::sync::mpsc;

    use super::*;

    const POSITION: Position = Position {
        epoch: Epoch(7),
        seq: Seq(5),
    };

    /// A started replay, its session's channel to it, and what its session is sent.
    fn replay() -> (ReplayReceiver, ReplayQueue, mpsc::Receiver<Delivery>) {
        let (line, commands) = ReplayQueue::new();
        let (shard, deliveries) = mpsc::channel(8);
        let receiver = ReplayReceiver {
            shard,
            id: SubscriptionId {
                session: 0,
                subscription: 0,
                token: 1,
            },
            commands,
            answered: Cell::new(true),
            asked: Cell::new(false),
            position: Cell::new(None),
        };
        (receiver, line, deliveries)
    }

    fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Option<(Position, NextPage)> {
        match deliveries.try_recv() {
            Ok(Delivery::Replayed { page, .. }) => Some((page.position, page.next)),
            _ => None,
        }
    }

    #[test]
    fn a_session_that_waits_for_a_page_learns_that_there_is_none() {
        let (receiver, line, mut deliveries) = replay();
        receiver.page(None, POSITION, NextPage::More);
        assert_eq!(next(&mut deliveries), Some((POSITION, NextPage::More)));
        assert!(line.send(ReplayCommand::Page));
        receiver.break_off(Duration::ZERO);
        assert_eq!(next(&mut deliveries), Some((POSITION, NextPage::Broken)));
    }

    #[test]
    fn a_session_that_has_not_taken_its_page_finds_the_replay_gone_when_it_asks() {
        let (receiver, line, mut deliveries) = replay();
        receiver.page(None, POSITION, NextPage::More);
        assert!(next(&mut deliveries).is_some());
        receiver.break_off(Duration::ZERO);
        drop(receiver);
        assert_eq!(next(&mut deliveries), None);
        assert!(!line.send(ReplayCommand::Page));
    }
}
