//! Replays of the past: what a shard and whoever reads the log say to each other.
//!
//! A replay is a chain of pages. The shard asks for one when the one before has gone out, so a
//! client that reads slowly slows its replay, and nothing else.

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

/// Orders that a replay has not taken: to send a page, and where the live stream stands.
const COMMANDS: usize = 2;

/// Reads the past; whoever knows the log provides it.
pub trait History: Send + Sync {
    /// Begins a replay on a thread of its own; gives it back where there are as many as may be.
    fn begin(&self, replay: Box<Wanted>) -> Result<(), Box<Wanted>>;
}

/// Who asks for a replay; the replays of each are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asker {
    /// The session, by a number that no other session of the node has had; `None` where it is not known.
    pub session: Option<u64>,
    /// Where the client connects from, behind a trusted proxy as well; `None` where it is not known.
    pub address: Option<IpAddr>,
}

/// A replay that somebody wants.
pub struct Wanted {
    /// Who wants it.
    pub asker: Asker,
    /// Of which stream.
    pub origin: Origin,
    /// In which encoding.
    pub encoding: Encoding,
    /// From where on.
    pub start: Start,
    /// How fast; as fast as can be where it is not given.
    pub pace: Option<Pace>,
    /// To whom.
    pub receiver: ReplayReceiver,
}

/// A replay's way to its session.
pub struct ReplayReceiver {
    pub(crate) shard: Sender<Delivery>,
    pub(crate) id: SubscriptionId,
    pub(crate) commands: Receiver<ReplayCommand>,
    /// Whether the session knows whether its replay begins.
    pub(crate) answered: Cell<bool>,
    /// Whether the session waits for a page.
    pub(crate) asked: Cell<bool>,
    /// Where the session stands once it has taken the last page; none before the replay begins.
    pub(crate) position: Cell<Option<Position>>,
}

/// The session does not want its replay any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionGone;

/// A session's way to its replay, which ends when this is dropped.
pub(crate) struct ReplayQueue(SyncSender<ReplayCommand>);

impl ReplayQueue {
    pub(crate) fn new() -> (Self, Receiver<ReplayCommand>) {
        let (commands, received) = sync_channel(COMMANDS);
        (Self(commands), received)
    }

    /// Never blocks; `false` when the replay has ended.
    pub(crate) fn send(&self, command: ReplayCommand) -> bool {
        self.0.try_send(command).is_ok()
    }
}

impl ReplayReceiver {
    /// The replay begins with that.
    pub fn begin(&self, joined: Joined) {
        self.answered.set(true);
        self.deliver(Delivery::Joined {
            id: self.id,
            outcome: Ok(joined),
        });
    }

    /// The replay does not begin.
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

    /// Sends a page, after which its receiver stands at `position`.
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

    /// The next order; none within that time.
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

    /// Ends a replay that cannot go on: the session is caught up from where it stands, and notified. Waits for
    /// the last page to go out, but no longer than `wait`; a slower session is notified once the page is out.
    pub fn break_off(&self, wait: Duration) {
        if !self.answered.get() {
            // It is told that the replay does not begin when this is dropped.
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

    /// Waits while the shard's inbox is full; a shard that has ended takes nothing any more.
    fn deliver(&self, delivery: Delivery) {
        let _ended = self.shard.blocking_send(delivery);
    }
}

impl Drop for ReplayReceiver {
    /// A session waits for the answer.
    fn drop(&mut self) {
        if !self.answered.get() {
            self.refuse(ReplayError::Unreadable);
        }
    }
}

impl Wanted {
    /// Somebody else answers the session.
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

    /// A replay that has begun, its session's way to it, and what its session is sent.
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
