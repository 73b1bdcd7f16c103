//! The core of a client, without IO: the connection's life, the subscriptions, the requests.
//!
//! It takes what came and what time it is, and returns events for the caller and actions for the shell.
//! `client` is the shell that this crate has; a simulation can be another.
//!
//! Invariants:
//! - A data message reaches a stream only between the answer that opened it and the request that ends it, so
//!   that late messages of an ended subscription never touch its successor.
//! - Requests keep below what a node accepts, in bytes and in messages a second.
//! - Everything that waits has a deadline, and [`Session::timeout`] tells the next one.
//!
//! In reading order:

mod entry;
mod link;
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
use crate::stream::KeptBook;
use crate::{
    Change, Config, Endpoint, Stats, StreamStats, SubscribeError, Subscription, SubscriptionId,
    UpdateError,
};
use entry::{Entries, Entry};
use link::Link;
use outbox::Outbox;

/// What the shell has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Connect to that node, then say [`Session::on_connected`] or [`Session::on_disconnected`].
    Connect(Endpoint),
    /// Send that text.
    Send(String),
    /// Close the connection, or give the attempt up; nothing more is to be heard of it.
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
    /// The one to try next is the first.
    endpoints: VecDeque<Endpoint>,
    link: Link,
    entries: Entries,
    outbox: Outbox,
    /// What one input causes: a few events at most, taken before the next input.
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
            link: Link::new(now),
            entries: Entries::default(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            actions: VecDeque::new(),
            stats: Stats::default(),
        };
        session.connect(now);
        session
    }

    /// Adds a subscription that is kept until it is unsubscribed.
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

    /// Changes a subscription. What the node has is changed once it has answered what was asked before; what it does not
    /// have yet is asked for as changed.
    pub fn update(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        change: Change,
    ) -> Result<(), UpdateError> {
        if self.link.is_closed() {
            return Err(UpdateError::Closed);
        }
        let entry = self.entries.get(id).filter(|entry| entry.wanted);
        let entry = entry.ok_or(UpdateError::Unknown)?;
        let changed = change.of(&entry.request);
        if self.entries.others_want(id, &changed.key) {
            return Err(UpdateError::Duplicate);
        }
        if let Some(entry) = self.entries.by_id(id) {
            entry.change(changed);
        }
        self.outbox.wake(now);
        self.flush(now);
        Ok(())
    }

    /// Ends a subscription; nothing more comes of it.
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

    /// Ends everything.
    pub fn close(&mut self) {
        if self.link.is_closed() {
            return;
        }
        self.link.close();
        self.entries.lose_all();
        self.actions.push_back(Action::Disconnect {
            code: close::NORMAL,
        });
        self.events.push_back(Event::Closed { cause: None });
    }

    /// The kept book of a subscription.
    #[must_use]
    pub fn book(&self, id: SubscriptionId) -> Option<&KeptBook> {
        self.entries.get(id)?.follower.book()
    }

    /// What a subscription has seen.
    #[must_use]
    pub fn stream_stats(&self, id: SubscriptionId) -> Option<StreamStats> {
        Some(self.entries.get(id)?.stats)
    }

    /// What the session has seen.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// What the caller is to be told next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What the shell is to do next.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the shell has something to do.
    #[must_use]
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// The connection stands, and speaks the subprotocol.
    pub fn on_connected(&mut self, now: Instant) {
        let Some(endpoint) = self.link.stand(now) else {
            return;
        };
        self.stats.connections += 1;
        self.outbox.reset(now);
        self.entries.ask_all(now);
        self.events.push_back(Event::Connected { endpoint });
        self.flush(now);
    }

    /// There is no connection any more, or none could be made.
    pub fn on_disconnected(&mut self, now: Instant, cause: Disconnect) {
        if !self.link.is_active() {
            return;
        }
        self.entries.lose_all();
        self.outbox.clear();
        if let Some(at) = self.link.leaving() {
            // The node had said so, and when to come back is set already.
            self.link.wait(at);
            let delay = at.saturating_duration_since(now);
            self.reconnecting(delay, Disconnect::GoAway);
            return;
        }
        let attempt = self.link.next_attempt(now, self.config.settled);
        if self.config.max_attempts.is_some_and(|max| attempt >= max) {
            self.link.close();
            self.events.push_back(Event::Closed { cause: Some(cause) });
            return;
        }
        let delay = self.config.backoff.delay(attempt, &mut self.random);
        self.link.wait(now + delay);
        self.reconnecting(delay, cause);
    }

    /// Bytes came, of any kind.
    pub fn on_heard(&mut self, now: Instant) {
        self.link.heard(now);
    }

    /// When [`on_timeout`](Self::on_timeout) is due.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        let flush = self.outbox.due().filter(|_| self.link.is_up());
        [self.link.timeout(&self.config), flush]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn on_timeout(&mut self, now: Instant) {
        match self.link.on_timeout(now, &self.config) {
            link::Due::Nothing => {}
            link::Due::Connect => self.connect(now),
            link::Due::Fail(cause) => self.fail(now, cause),
            link::Due::Leave => self.leave(now),
            link::Due::Tick { ping } => self.tick(now, ping),
        }
        if self.outbox.due().is_some_and(|due| due <= now) {
            self.flush(now);
        }
    }

    fn connect(&mut self, now: Instant) {
        if let Some(endpoint) = self.endpoints.pop_front() {
            self.endpoints.push_back(endpoint.clone());
            self.link.connect(now, endpoint.clone());
            self.actions.push_back(Action::Connect(endpoint));
        }
    }

    /// The connection is of no use.
    fn fail(&mut self, now: Instant, cause: Disconnect) {
        self.actions.push_back(Action::Disconnect {
            code: close::GOING_AWAY,
        });
        self.on_disconnected(now, cause);
    }

    /// The node is going to stop, and it is this client's turn to go.
    fn leave(&mut self, now: Instant) {
        self.entries.lose_all();
        self.outbox.clear();
        self.actions.push_back(Action::Disconnect {
            code: close::GOING_AWAY,
        });
        self.reconnecting(Duration::ZERO, Disconnect::GoAway);
        self.connect(now);
    }

    fn reconnecting(&mut self, delay: Duration, cause: Disconnect) {
        self.events.push_back(Event::Reconnecting {
            attempt: self.link.attempt().max(1),
            delay,
            cause,
        });
    }

    /// Once a second: is everything that should be heard of still heard of?
    fn tick(&mut self, now: Instant, ping: bool) {
        if self.outbox.unanswered(now, self.config.answer_timeout) {
            self.fail(now, Disconnect::Unanswered(self.config.answer_timeout));
            return;
        }
        if ping {
            self.outbox.want_ping(now);
        }
        for id in self.entries.mute(now, self.config.stream_liveness) {
            let Some(entry) = self.entries.by_id(id) else {
                continue;
            };
            let from = entry.follower.stands();
            entry.follower.fail(ResyncReason::Gap);
            entry.stats.gaps += 1;
            self.events.push_back(Event::Gap(Gap {
                subscription: id,
                from,
                to: None,
                cause: GapCause::Mute,
            }));
            self.resubscribe(now, id);
        }
        for id in self.entries.ahead(now, self.config.stream_liveness) {
            if let Some(entry) = self.entries.by_id(id) {
                let reason = Some(StartReason::AheadOfLog);
                entry.follower.fail(ResyncReason::NotResumed(reason));
                entry.anew = true;
            }
            self.resubscribe(now, id);
        }
    }

    /// Asks for a stream anew.
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
