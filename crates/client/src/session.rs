//! The core of a client, without I/O: the life of its connection, its subscriptions, its requests.
//!
//! It takes inputs and the current time, and returns events for the caller and actions for the shell.
//! `client` is the shell of this crate; a simulation can be another.
//!
//! Invariants:
//! - A data message reaches a stream only between the answer that accepted it and the request that ends it, so
//!   late messages of an ended subscription never reach its successor.
//! - Requests stay below what a node accepts, in bytes and in messages per second.
//! - Everything that waits has a deadline, and [`Session::timeout`] returns the next one.
//!
//! In reading order:

mod connection;
mod entry;
mod outbox;

mod answers;
mod messages;
mod requests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::close;
use wire::control::StartReason;

use crate::event::{Disconnect, Event, Gap, GapCause, ResyncReason};
use crate::random::Random;
use crate::stream::LocalBook;
use crate::{
    Change, Config, Endpoint, Stats, StreamStats, SubscribeError, Subscription, SubscriptionId,
    UpdateError,
};
use connection::Connection;
use entry::{Entries, Entry};
use outbox::Outbox;

/// What the shell has to do, in the order returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connect to that node, then call [`Session::on_connected`] or [`Session::on_disconnected`].
    Connect(Endpoint),
    /// Send a text message.
    Send(String),
    /// Close the connection, or abandon the attempt; the session wants to know nothing more of it.
    Disconnect {
        /// The code of the close frame.
        code: u16,
    },
}

/// The core of a client.
#[derive(Debug)]
pub struct Session {
    config: Config,
    random: Random,
    /// The next one to try is at the front.
    endpoints: VecDeque<Endpoint>,
    connection: Connection,
    entries: Entries,
    outbox: Outbox,
    /// The events of one input: a few at most, taken before the next input.
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
    stats: Stats,
}

impl Session {
    /// A session that connects at once.
    #[must_use]
    pub fn new(
        config: Config,
        endpoints: impl IntoIterator<Item = Endpoint>,
        seed: Option<u64>,
        now: Instant,
    ) -> Self {
        let mut session = Self {
            config,
            random: seed.map_or_else(Random::from_system, Random::seeded),
            endpoints: endpoints.into_iter().collect(),
            connection: Connection::new(now),
            entries: Entries::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            actions: VecDeque::new(),
            stats: Stats::default(),
        };
        session.connect(now);
        session
    }

    /// Adds a subscription, which survives reconnects until it is unsubscribed.
    pub fn subscribe(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        subscription: &Subscription,
    ) -> Result<(), SubscribeError> {
        let request = subscription.request()?;
        if self.entries.wanted(&request.key) {
            return Err(SubscribeError::Duplicate);
        }
        self.entries.insert(Entry::new(id, request, now));
        self.outbox.wake(now);
        self.flush(now);
        Ok(())
    }

    /// Changes a subscription. A stream that the node has is updated once the node has answered earlier requests;
    /// any other is requested as changed.
    pub fn update(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        change: Change,
    ) -> Result<(), UpdateError> {
        if self.connection.is_closed() {
            return Err(UpdateError::Closed);
        }
        let entry = self.entries.get(id).filter(|entry| entry.wanted);
        let entry = entry.ok_or(UpdateError::Unknown)?;
        let changed = change.of(&entry.request);
        if self.entries.wanted_by_another(id, &changed.key) {
            return Err(UpdateError::Duplicate);
        }
        if let Some(entry) = self.entries.by_id(id) {
            entry.change(changed);
        }
        self.outbox.wake(now);
        self.flush(now);
        Ok(())
    }

    /// Ends a subscription, which has no further events.
    pub fn unsubscribe(&mut self, now: Instant, id: SubscriptionId) {
        let Some(entry) = self.entries.by_id(id) else {
            return;
        };
        entry.wanted = false;
        self.entries.unroute(id);
        self.entries.sweep();
        self.events.push_back(Event::Unsubscribed(id));
        self.outbox.wake(now);
        self.flush(now);
    }

    /// Closes the session.
    pub fn close(&mut self) {
        if self.connection.is_closed() {
            return;
        }
        self.connection.close();
        self.entries.disconnect();
        self.actions.push_back(Action::Disconnect {
            code: close::NORMAL,
        });
        self.events.push_back(Event::Closed { cause: None });
    }

    /// The local book of a subscription.
    #[must_use]
    pub fn book(&self, id: SubscriptionId) -> Option<&LocalBook> {
        self.entries.get(id)?.tracker.book()
    }

    /// The counters of a subscription.
    #[must_use]
    pub fn stream_stats(&self, id: SubscriptionId) -> Option<StreamStats> {
        Some(self.entries.get(id)?.stats)
    }

    /// The counters of the session.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Returns whether the session is over.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// The next event for the caller.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes the next action for the shell to perform, if there is one.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Returns whether there is an action for the shell.
    #[must_use]
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// The connection is up, in the requested subprotocol.
    pub fn on_connected(&mut self, now: Instant) {
        let Some(endpoint) = self.connection.connected(now) else {
            return;
        };
        self.stats.connections += 1;
        self.outbox.reset(now);
        self.entries.make_due(now);
        self.events.push_back(Event::Connected { endpoint });
        self.flush(now);
    }

    /// The connection is lost, or could not be made.
    pub fn on_disconnected(&mut self, now: Instant, cause: Disconnect) {
        if !self.connection.is_active() {
            return;
        }
        self.entries.disconnect();
        self.outbox.clear();
        if let Some(at) = self.connection.leaving() {
            // The node had announced it, and the time to reconnect is set already.
            self.connection.wait(at);
            let delay = at.saturating_duration_since(now);
            self.reconnecting(delay, Disconnect::GoAway);
            return;
        }
        let attempt = self.connection.next_attempt(now, self.config.stable_after);
        if self.config.max_attempts.is_some_and(|max| attempt >= max) {
            self.connection.close();
            self.events.push_back(Event::Closed { cause: Some(cause) });
            return;
        }
        let delay = self.config.backoff.delay(attempt, &mut self.random);
        self.connection.wait(now + delay);
        self.reconnecting(delay, cause);
    }

    /// Bytes of any kind arrived.
    pub fn on_heard(&mut self, now: Instant) {
        self.connection.heard(now);
    }

    /// When to call [`on_timeout`](Self::on_timeout) next; `None` if nothing is scheduled.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        let flush = self.outbox.due().filter(|_| self.connection.is_up());
        [self.connection.timeout(&self.config), flush]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now: Instant) {
        match self.connection.on_timeout(now, &self.config) {
            connection::Due::Nothing => {}
            connection::Due::Connect => self.connect(now),
            connection::Due::Fail(cause) => self.fail(now, cause),
            connection::Due::Leave => self.leave(now),
            connection::Due::Tick { ping } => self.tick(now, ping),
        }
        if self.outbox.due().is_some_and(|due| due <= now) {
            self.flush(now);
        }
    }

    fn connect(&mut self, now: Instant) {
        if let Some(endpoint) = self.endpoints.pop_front() {
            self.endpoints.push_back(endpoint.clone());
            self.connection.connect(now, endpoint.clone());
            self.actions.push_back(Action::Connect(endpoint));
        }
    }

    /// Gives the connection up.
    fn fail(&mut self, now: Instant, cause: Disconnect) {
        self.actions.push_back(Action::Disconnect {
            code: close::GOING_AWAY,
        });
        self.on_disconnected(now, cause);
    }

    /// Leaves the node, which is about to stop.
    fn leave(&mut self, now: Instant) {
        self.entries.disconnect();
        self.outbox.clear();
        self.actions.push_back(Action::Disconnect {
            code: close::GOING_AWAY,
        });
        self.reconnecting(Duration::ZERO, Disconnect::GoAway);
        self.connect(now);
    }

    fn reconnecting(&mut self, delay: Duration, cause: Disconnect) {
        self.events.push_back(Event::Reconnecting {
            attempt: self.connection.attempt().max(1),
            delay,
            cause,
        });
    }

    /// Checks, once a second, that the node and every stream still respond.
    fn tick(&mut self, now: Instant, ping: bool) {
        if self.outbox.unanswered(now, self.config.answer_timeout) {
            self.fail(now, Disconnect::Unanswered(self.config.answer_timeout));
            return;
        }
        if ping {
            self.outbox.want_ping(now);
        }
        for id in self.entries.silent(now, self.config.stream_liveness) {
            let Some(entry) = self.entries.by_id(id) else {
                continue;
            };
            let from = entry.tracker.position();
            entry.tracker.fail(ResyncReason::Gap);
            entry.stats.gaps += 1;
            self.events.push_back(Event::Gap(Gap {
                subscription: id,
                from,
                to: None,
                cause: GapCause::Silent,
            }));
            self.resubscribe(now, id);
        }
        for id in self.entries.ahead_of_node(now, self.config.stream_liveness) {
            if let Some(entry) = self.entries.by_id(id) {
                let reason = Some(StartReason::AheadOfLog);
                entry.tracker.fail(ResyncReason::NotResumed(reason));
                entry.without_position = true;
            }
            self.resubscribe(now, id);
        }
    }

    /// Ends a stream and requests it again.
    fn resubscribe(&mut self, now: Instant, id: SubscriptionId) {
        self.entries.unroute(id);
        if let Some(entry) = self.entries.by_id(id) {
            entry.restart(now, &self.config, &mut self.random, Duration::ZERO);
        }
        self.outbox.wake(now);
        self.flush(now);
    }
}

#[cfg(test)]
mod tests;
