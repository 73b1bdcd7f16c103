//! The core of one shard.

mod backlogs;
mod batch;
mod closing;
mod deliveries;
mod drain;
mod input;
mod lag;
mod own_streams;
mod pump;
mod rejections;
mod replays;
mod requests;
mod sse;
mod subscriptions;
mod timers;
mod traced;

use std::sync::Arc;
use std::time::Duration;

use market::{Monotonic, Now};
use metrics::ShardMetrics;
use streams::StreamKey;
use wire::{Encoding, GoAwayReason};

use crate::Directory;
use crate::grant::Grant;
use crate::message::{Ask, Command, ReplayCommand, StreamSlot, SubscriptionId};
use crate::rate::TokenBucket;
use crate::session::{ClosedBy, Session};
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::sse::{SseStart, SseState};
use crate::subscribed_streams::SubscribedStreams;
use crate::trace::{Marks, Passage};
use drain::Drain;
use timers::Timers;
use traced::TracedRecord;

pub use batch::{Batch, Sent};

/// One shard's decisions: its sessions, their subscriptions, and the subscribed streams.
///
/// It takes inputs together with the current time, and leaves what its owner has to do in
/// [`Outputs`] and [`Batch`]es. It reads no clock and touches no socket; the owner calls
/// [`Core::advance`] when [`Core::next_due`] asks for it.
///
/// Invariants:
/// - The cost of an input is bounded by named constants and settings, whatever the size of the
///   directory and the books and the number of sessions.
/// - A session holds cursors into shared rings, at most the unsent rest of one frame and one
///   answer, and a bounded backlog.
/// - Time during which the owner does not call does not count against a client.
pub struct Core {
    index: usize,
    settings: Arc<Settings>,
    directory: Arc<Directory>,
    metrics: Arc<ShardMetrics>,
    /// Time of the last input.
    now: Now,
    sessions: Sessions,
    streams: SubscribedStreams,
    timers: Timers,
    drain: Option<Drain>,
    /// Whether rings were marked at the start of this pass, to be evicted up to the marks at its
    /// end.
    marked: bool,
    /// Traced records received since the last pass ended.
    traced: Vec<TracedRecord>,
    out: Outputs,
}

/// What the owner of a [`Core`] has to do, in this order, after every input.
#[derive(Debug, Default)]
pub struct Outputs {
    /// Commands to send to publishers, by publisher index, in order.
    pub commands: Vec<(usize, Command)>,
    /// Commands to send to replays. If a replay has ended, the owner calls [`Core::replay_ended`].
    pub replay_commands: Vec<(SubscriptionId, ReplayCommand)>,
    /// Replays that are no longer needed.
    pub left_replays: Vec<SubscriptionId>,
    /// Sessions that will send nothing more; the owner shuts down the sending half of their
    /// connections.
    pub finished: Vec<usize>,
    /// Sessions closed because their clients broke a rule.
    pub rule_breakers: Vec<usize>,
    /// Sessions that have ended; the owner closes their connections. Their indices may be reused.
    pub ended: Vec<Ended>,
    /// Traced records that have been sent.
    pub passages: Vec<(Arc<Marks>, Passage)>,
}

/// A session to open.
pub struct Opening {
    /// Encoding of its messages.
    pub encoding: Encoding,
    /// What its client is entitled to.
    pub grant: Arc<Grant>,
    /// The request of an SSE client; `None` for a WebSocket.
    pub sse: Option<SseStart>,
}

/// Summary of a session that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its index.
    pub session: usize,
    /// Close code; 1006 if the connection was lost (RFC 6455, section 7.1.5).
    pub code: u16,
    /// Close reason.
    pub reason: Box<str>,
    /// Which side closed first.
    pub by: ClosedBy,
    /// Encoding of its messages.
    pub encoding: Encoding,
    /// Lifetime of the session.
    pub lasted: Duration,
    /// Stream messages sent.
    pub messages: u64,
    /// Bytes sent.
    pub bytes: u64,
    /// Messages replaced by catch-ups.
    pub conflated: u64,
}

impl Core {
    /// Creates a shard without sessions.
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
            streams: SubscribedStreams::default(),
            timers: Timers::new(now.monotonic),
            drain: None,
            marked: false,
            traced: Vec::new(),
            out: Outputs::default(),
        }
    }

    /// Replaces the limits and times, for existing sessions too.
    pub fn set_settings(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Returns the number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Returns the number of subscribed streams, counting each encoding separately.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Returns the bytes in the rings of all streams.
    #[must_use]
    pub const fn ring_bytes(&self) -> usize {
        self.streams.ring_bytes()
    }

    /// Returns the bytes of backlog that a session holds.
    #[must_use]
    pub fn backlog_bytes(&self, session: usize) -> usize {
        let session = self.sessions.get(session);
        session.map_or(0, Session::backlog_bytes)
    }

    /// Returns the memory taken by a session's own outgoing bytes.
    #[must_use]
    pub fn outgoing_bytes(&self, session: usize) -> usize {
        let session = self.sessions.get(session);
        session.map_or(0, Session::outgoing_capacity)
    }

    /// Returns what the owner has to do; the owner removes each item as it handles it.
    pub const fn outputs(&mut self) -> &mut Outputs {
        &mut self.out
    }

    /// Moves the sessions that may be read again into `into`; the owner passes each to
    /// [`Core::resume`] first.
    pub fn take_readable(&mut self, into: &mut Vec<u32>) {
        self.sessions.take_to_read(into);
    }

    /// Opens a session and returns its index, which identifies it in later inputs.
    pub fn open(&mut self, opening: Opening, now: Now) -> usize {
        self.now = now;
        let Opening {
            encoding,
            grant,
            sse,
        } = opening;
        let bucket = TokenBucket::full(self.settings.burst(), self.millis());
        let expires = grant.expires();
        let (start, state) = match sse {
            Some(SseStart { asked, head }) => {
                let state = Box::new(SseState::new(asked.last));
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
            // The node started to stop during the handshake.
            self.close_restart(index);
        }
        index
    }

    /// Does what is due. The owner calls this when [`Core::next_due`] asks for it.
    pub fn advance(&mut self, now: Now) {
        self.now = now;
        self.run_due_checks();
        self.advance_drain();
        self.metrics
            .sessions_blocked
            .set(self.sessions.blocked() as u64);
    }

    /// Returns when [`Core::advance`] has to be called at the latest; `None` if there are no
    /// sessions.
    #[must_use]
    pub fn next_due(&self) -> Option<Monotonic> {
        let drain = self.drain.as_ref();
        let drain = drain.and_then(|drain| drain.next_due(self.now.monotonic));
        [drain, self.timers.next_due()].into_iter().flatten().min()
    }

    /// Starts to close all sessions: sends each a `GoAway`, in waves spread over `spread`, and
    /// closes it `delay` later. Further calls do not restart the drain.
    pub fn drain(&mut self, reason: GoAwayReason, delay: Duration, spread: Duration, now: Now) {
        self.now = now;
        if self.drain.is_none() {
            let sessions = self.sessions.iter();
            let all = sessions.map(|(index, session)| (index, session.token));
            self.drain = Some(Drain::new(reason, delay, spread, all.collect(), now));
        }
        self.advance_drain();
    }

    /// Returns whether the drain has finished.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let drain = self.drain.as_ref();
        drain.is_some_and(|drain| drain.is_over(self.sessions.is_empty(), self.now.monotonic))
    }

    /// Removes ended sessions. The owner calls this after the sends of a turn.
    pub fn remove_ended(&mut self) {
        while let Some(index) = self.sessions.next_ended() {
            self.remove(index);
        }
    }

    /// Returns monotonic milliseconds modulo 2^32, the clock of the token buckets.
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

    /// Returns the unique ID of a subscription.
    fn subscription_id(&self, index: usize, subscription_index: usize) -> Option<SubscriptionId> {
        let token = self.sessions.get(index)?.token_of(subscription_index)?;
        Some(SubscriptionId {
            session: index,
            subscription: subscription_index,
            token,
        })
    }

    /// Returns whether the subscription still exists.
    fn is_current(&self, id: SubscriptionId) -> bool {
        self.subscription_id(id.session, id.subscription) == Some(id)
    }

    /// Returns the index of a session's subscription to a stream.
    fn subscription_of(&self, index: usize, key: &StreamKey) -> Option<usize> {
        let session = self.sessions.get(index)?;
        let slot = self.streams.slot_of(*key, session.encoding)?;
        session.subscription_to(slot)
    }
}
