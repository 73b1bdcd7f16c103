//! The core of one shard: who is sent what, and when.

mod beginnings;
mod closing;
mod deliveries;
mod drain;
mod events;
mod followed;
mod input;
mod lag;
mod own_streams;
mod pump;
mod refusals;
mod replays;
mod requests;
mod subscriptions;
mod timers;

use std::sync::Arc;
use std::time::Duration;

use market::{Monotonic, Now};
use metrics::ShardMetrics;
use streams::StreamKey;
use wire::{Encoding, GoAwayReason};

use crate::Directory;
use crate::events::{EventStart, EventState};
use crate::grant::Grant;
use crate::held_streams::HeldStreams;
use crate::message::{Ask, Command, ReplayOrder, StreamSlot, SubscriberId};
use crate::rate::TokenBucket;
use crate::session::{ClosedBy, Session};
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::trace::{Marks, Passage};
use drain::Drain;
use followed::Followed;
use timers::Timers;

pub use pump::{Batch, Sent};

/// One shard's decisions: its sessions, their subscriptions, and the streams that they hold.
///
/// It takes an input and the present, and leaves in [`Outputs`] and in [`Batch`]es what its owner is
/// to do. It reads no clock and touches no socket: the owner has those, and calls
/// [`Core::advance`] when [`Core::next_due`] says so.
///
/// Invariants:
/// - What one input costs is bounded by named constants and settings, whatever the directory, the
///   books and the number of sessions.
/// - A session holds cursors into shared rings and at most the unsent rest of one frame, one answer,
///   and what its subscriptions begin with, up to a bound.
/// - Time in which the owner did not call does not count against a client.
pub struct Core {
    index: usize,
    settings: Arc<Settings>,
    directory: Arc<Directory>,
    metrics: Arc<ShardMetrics>,
    /// As of the last input.
    now: Now,
    sessions: Sessions,
    streams: HeldStreams,
    timers: Timers,
    drain: Option<Drain>,
    /// Whether rings are marked, to be cut where they were when the pass that began then has ended.
    marked: bool,
    /// Traced records that came since the last pass ended.
    followed: Vec<Followed>,
    out: Outputs,
}

/// What the owner of a [`Core`] is to do, in this order; to be taken after every input.
#[derive(Debug, Default)]
pub struct Outputs {
    /// To send to publishers, by their numbers, in order.
    pub commands: Vec<(usize, Command)>,
    /// To send to replays. One that has ended is an input: [`Core::replay_ended`].
    pub orders: Vec<(SubscriberId, ReplayOrder)>,
    /// Replays that nobody waits for any more.
    pub left_replays: Vec<SubscriberId>,
    /// Sessions to which nothing will be sent any more: the sending half of their connections ends.
    pub finished: Vec<usize>,
    /// Sessions that are closed because their clients broke a rule.
    pub rule_breakers: Vec<usize>,
    /// Sessions that have ended: their connections are closed. Their places may be taken again.
    pub ended: Vec<Ended>,
    /// Traced records that have been sent.
    pub passages: Vec<(Arc<Marks>, Passage)>,
}

/// A session to be opened.
pub struct Opening {
    /// How its messages are encoded.
    pub encoding: Encoding,
    /// What its client is entitled to.
    pub grant: Arc<Grant>,
    /// What a client of events asks for; `None` for a WebSocket.
    pub events: Option<EventStart>,
}

/// Summary of a session that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The place that it had.
    pub session: usize,
    /// The code that it was closed with; 1006 where the connection was lost (RFC 6455, section 7.1.5).
    pub code: u16,
    /// Why, in words.
    pub reason: Box<str>,
    /// Who closed it.
    pub by: ClosedBy,
    /// How its messages were encoded.
    pub encoding: Encoding,
    /// How long it lasted.
    pub lasted: Duration,
    /// Messages of its streams that were sent to it.
    pub messages: u64,
    /// Bytes that were sent to it.
    pub bytes: u64,
    /// Messages that a catch-up replaced.
    pub conflated: u64,
}

impl Core {
    /// A shard without sessions.
    #[must_use]
    pub fn new(
        index: usize,
        settings: Arc<Settings>,
        directory: Arc<Directory>,
        metrics: Arc<ShardMetrics>,
        now: Now,
    ) -> Self {
        Self {
            index,
            settings,
            directory,
            metrics,
            now,
            sessions: Sessions::default(),
            streams: HeldStreams::default(),
            timers: Timers::new(now.monotonic),
            drain: None,
            marked: false,
            followed: Vec::new(),
            out: Outputs::default(),
        }
    }

    /// Replaces the bounds and times, for the sessions that there are as well.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// How many streams they are subscribed to, each counted once an encoding.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Bytes that the rings of all streams hold.
    #[must_use]
    pub const fn ring_bytes(&self) -> usize {
        self.streams.ring_bytes()
    }

    /// Bytes that a session holds of what its subscriptions begin with, or are caught up with.
    #[must_use]
    pub fn beginning_bytes(&self, session: usize) -> usize {
        let session = self.sessions.get(session);
        session.map_or(0, Session::beginning_bytes)
    }

    /// Bytes of its own that a session has still to send, by the memory that they take.
    #[must_use]
    pub fn outgoing_bytes(&self, session: usize) -> usize {
        let session = self.sessions.get(session);
        session.map_or(0, Session::outgoing_capacity)
    }

    /// What the owner is to do.
    pub const fn outputs(&mut self) -> &mut Outputs {
        &mut self.out
    }

    /// Takes the sessions that may be read from again, each to be given to [`Core::resume`] first.
    pub fn take_readable(&mut self, into: &mut Vec<u32>) {
        self.sessions.take_to_read(into);
    }

    /// Opens a session; returns its place, by which all later inputs name it.
    pub fn open(&mut self, opening: Opening, now: Now) -> usize {
        self.now = now;
        let Opening {
            encoding,
            grant,
            events,
        } = opening;
        let bucket = TokenBucket::full(self.settings.burst(), self.millis());
        let expires = grant.expires();
        let (start, state) = match events {
            Some(EventStart { asked, head }) => {
                let state = Box::new(EventState::new(asked.last));
                (Some((asked.streams, head)), Some(state))
            }
            None => (None, None),
        };
        let opened = now.monotonic;
        let make = |token| Session::new(token, encoding, bucket, grant, state, opened);
        let index = self.sessions.insert(make);
        self.schedule_session(index, expires);
        self.metrics.sessions_opened.inc();
        self.metrics.sessions_open.inc();
        if let Some((streams, head)) = start {
            if let Some(session) = self.sessions.get_mut(index) {
                session.outgoing().push_framed(&head);
            }
            let streams = streams.into_iter().map(Ok).collect();
            self.subscribe(index, None, streams);
            self.sessions.mark_to_send(index);
        }
        if self.drain.is_some() {
            // The node began to stop during the handshake.
            self.close_restart(index);
        }
        index
    }

    /// Does what time alone asks for; to be called when [`Core::next_due`] says so.
    pub fn advance(&mut self, now: Now) {
        self.now = now;
        self.look_after_due();
        self.advance_drain();
        self.metrics
            .sessions_blocked
            .set(self.sessions.blocked() as u64);
    }

    /// When [`Core::advance`] is to be called at the latest; none while there is nobody to look after.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        let drain = self.drain.as_ref();
        let drain = drain.and_then(|drain| drain.next_due(self.now.monotonic));
        [drain, self.timers.next_due()].into_iter().flatten().min()
    }

    /// Sends all sessions away, spread over some time; each is closed after a delay of its own.
    pub fn drain(&mut self, reason: GoAwayReason, delay: Duration, spread: Duration, now: Now) {
        self.now = now;
        if self.drain.is_none() {
            let sessions = self.sessions.iter();
            let all = sessions.map(|(index, session)| (index, session.token));
            self.drain = Some(Drain::new(reason, delay, spread, all.collect(), now));
        }
        self.advance_drain();
    }

    /// Returns whether the shard was drained, and there is nothing left to wait for.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let drain = self.drain.as_ref();
        drain.is_some_and(|drain| drain.is_over(self.sessions.is_empty(), self.now.monotonic))
    }

    /// Removes sessions that have ended; to be called when a turn's sends have been made.
    pub fn remove_ended(&mut self) {
        while let Some(index) = self.sessions.next_ended() {
            self.remove(index);
        }
    }

    /// Milliseconds of monotonic time, modulo 2^32: what rates are counted by.
    #[expect(clippy::cast_possible_truncation, reason = "a modulus")]
    const fn millis(&self) -> u32 {
        (self.now.monotonic.0 / 1_000_000) as u32
    }

    fn command(&mut self, slot: usize, ask: Ask) {
        let Some(stream) = self.streams.get(slot) else {
            return;
        };
        let command = Command {
            stream: StreamSlot {
                shard: self.index,
                slot,
                generation: stream.generation,
            },
            key: stream.key,
            encoding: stream.encoding,
            ask,
        };
        self.out.commands.push((stream.publisher, command));
    }

    /// What distinguishes a subscription from all others.
    fn subscriber(&self, index: usize, sub_index: usize) -> Option<SubscriberId> {
        let token = self.sessions.get(index)?.token_of(sub_index)?;
        Some(SubscriberId {
            session: index,
            sub: sub_index,
            token,
        })
    }

    /// Returns whether a subscription is the one that is in its place.
    fn is_current(&self, subscriber: SubscriberId) -> bool {
        self.subscriber(subscriber.session, subscriber.sub) == Some(subscriber)
    }

    /// A session's subscription to a stream.
    fn sub_of(&self, index: usize, key: &StreamKey) -> Option<usize> {
        let session = self.sessions.get(index)?;
        let slot = self.streams.slot_of(*key, session.encoding)?;
        session.sub_to(slot)
    }
}
