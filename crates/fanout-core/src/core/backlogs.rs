//! Requesting backlogs (initial states and catch-ups) as the client reads.

use market::Position;
use streams::CaughtUp;
use wire::LagKind;

use super::Core;
use super::pump::FIRST;
use super::subscriptions::weight_of;
use crate::message::{Ask, SubscriptionId};
use crate::session::Phase;

impl Core {
    /// Queues a subscription to request its backlog after those of its session already queued.
    pub(super) fn ask_later(&mut self, index: usize, subscription_index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && let Ok(subscription) = u16::try_from(subscription_index)
        {
            session.backlogs_mut().ask_later(subscription);
        }
    }

    /// Requests as many backlogs as the session has room for. While its socket is full it requests
    /// none, since they would be out of date by the time there is room.
    pub(super) fn request_backlogs(&mut self, index: usize) {
        loop {
            let Some(session) = self.sessions.get_mut(index) else {
                return;
            };
            if session.blocked || session.is_ending() || session.has_no_backlog() {
                return;
            }
            let Some(next) = session.backlogs_mut().next() else {
                return session.free_backlogs();
            };
            let subscription_index = usize::from(next);
            let subscription = session.subscription(subscription_index);
            let Some(subscription) = subscription
                .filter(|subscription| matches!(subscription.phase, Phase::Due | Phase::Lagging))
            else {
                session.backlogs_mut().skip();
                continue;
            };
            let (slot, begins) = (
                subscription.stream as usize,
                subscription.phase == Phase::Due,
            );
            let Some(stream) = self.streams.get(slot) else {
                session.backlogs_mut().skip();
                continue;
            };
            let weight = weight_of(&stream.key, subscription);
            let outgoing = session.outgoing_len();
            if !session.backlogs_mut().ask(weight, outgoing) {
                return;
            }
            self.ask_publisher(index, subscription_index, slot, begins);
        }
    }

    fn ask_publisher(
        &mut self,
        index: usize,
        subscription_index: usize,
        slot: usize,
        begins: bool,
    ) {
        let Some(id) = self.subscription_id(index, subscription_index) else {
            return;
        };
        let session = self.sessions.get_mut(index);
        let Some(subscription) =
            session.and_then(|session| session.subscription_mut(subscription_index))
        else {
            return;
        };
        let from = subscription.position();
        let ask = if begins {
            subscription.phase = Phase::Requested;
            Ask::Start {
                id,
                from: subscription.resumes().then_some(from),
            }
        } else {
            subscription.phase = Phase::CatchUpRequested;
            Ask::CatchUp { id, from }
        };
        self.command(slot, ask);
    }

    /// Handles a subscription's initial state, or a page of it.
    pub(super) fn started(&mut self, id: SubscriptionId, started: Option<CaughtUp>) {
        self.given(id, started, Phase::StartingInPart);
    }

    /// Handles the catch-up of a lagging subscription, or a page of it.
    pub(super) fn caught_up(&mut self, id: SubscriptionId, caught_up: Option<CaughtUp>) {
        self.given(id, caught_up, Phase::CatchingUpInPart);
    }

    /// Handles a requested backlog. `then` is the subscription's phase if more pages follow.
    fn given(&mut self, id: SubscriptionId, given: Option<CaughtUp>, then: Phase) {
        if !self.is_current(id) {
            return;
        }
        let SubscriptionId {
            session: index,
            subscription: subscription_index,
            ..
        } = id;
        let Some(given) = given else {
            // The stream no longer exists.
            return self.end_subscription(index, subscription_index);
        };
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(subscription) = session.subscription_mut(subscription_index) else {
            return;
        };
        let slot = subscription.stream as usize;
        let weight = self.streams.get(slot);
        let weight = weight.map(|stream| weight_of(&stream.key, subscription));
        subscription.phase = match (&given.run, given.more) {
            (Some(_), true) => then,
            (Some(_), false) => Phase::Starting,
            // An empty page with more to follow: request again.
            (None, true) if then == Phase::StartingInPart => Phase::Due,
            (None, true) => Phase::Lagging,
            (None, false) => Phase::Live,
        };
        let Position { epoch, seq } = given.position;
        subscription.epoch = epoch;
        subscription.set_resumes(given.more);
        let holds = subscription.holds_ring();
        let asks_again = matches!(subscription.phase, Phase::Due | Phase::Lagging);
        if holds {
            if let Some(cursor) = self.streams.hold(slot, seq) {
                subscription.set_cursor(cursor);
            }
        } else {
            subscription.set_position(given.position);
        }
        if let Some(weight) = weight {
            session.backlogs_mut().answered(weight);
        }
        if let Some(run) = given.run {
            session.set_backlog(subscription_index, run, FIRST);
        }
        if asks_again && let Ok(subscription) = u16::try_from(subscription_index) {
            session.backlogs_mut().ask_next(subscription);
        }
        session.free_backlogs();
        if let Some((kind, messages)) = given.missed {
            let metrics = &self.metrics;
            match kind {
                LagKind::Conflated => metrics.conflations.inc(),
                LagKind::Snapshot => metrics.catch_up_snapshots.inc(),
                LagKind::Skipped => metrics.skipped_messages.add(messages.max(1)),
            }
            if kind != LagKind::Skipped {
                metrics.conflated_messages.add(messages);
                let messages = u32::try_from(messages).unwrap_or(u32::MAX);
                session.conflated = session.conflated.saturating_add(messages);
            }
        }
        session.mark_ready(subscription_index);
        self.sessions.mark_to_send(index);
        self.request_backlogs(index);
    }
}
