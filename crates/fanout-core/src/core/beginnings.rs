//! Asking for what subscriptions begin with, or are caught up with, as their client reads it.

use market::Position;
use streams::CaughtUp;
use wire::LagKind;

use super::Core;
use super::pump::FIRST;
use super::subscriptions::weight_of;
use crate::message::{Ask, SubscriberId};
use crate::session::Phase;

impl Core {
    /// Has a subscription ask its publisher, after those of its session that are to ask already.
    pub(super) fn ask_later(&mut self, index: usize, sub_index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && let Ok(sub) = u16::try_from(sub_index)
        {
            session.beginnings_mut().ask_later(sub);
        }
    }

    /// Has subscriptions of a session ask their publishers, as many as it has room for. While its
    /// socket is full none asks: what it got would be out of date once there is room.
    pub(super) fn ask_for_beginnings(&mut self, index: usize) {
        loop {
            let Some(session) = self.sessions.get_mut(index) else {
                return;
            };
            if session.blocked || session.is_ending() || session.has_no_beginnings() {
                return;
            }
            let Some(next) = session.beginnings_mut().next() else {
                return session.drop_beginnings();
            };
            let sub_index = usize::from(next);
            let sub = session.sub(sub_index);
            let Some(sub) = sub.filter(|sub| matches!(sub.phase, Phase::Due | Phase::Parked))
            else {
                session.beginnings_mut().skip();
                continue;
            };
            let (slot, begins) = (sub.stream as usize, sub.phase == Phase::Due);
            let Some(stream) = self.streams.get(slot) else {
                session.beginnings_mut().skip();
                continue;
            };
            let weight = weight_of(&stream.key, sub);
            let outgoing = session.outgoing_len();
            if !session.beginnings_mut().ask(weight, outgoing) {
                return;
            }
            self.ask_publisher(index, sub_index, slot, begins);
        }
    }

    fn ask_publisher(&mut self, index: usize, sub_index: usize, slot: usize, begins: bool) {
        let Some(subscriber) = self.subscriber(index, sub_index) else {
            return;
        };
        let session = self.sessions.get_mut(index);
        let Some(sub) = session.and_then(|session| session.sub_mut(sub_index)) else {
            return;
        };
        let from = sub.position();
        let ask = if begins {
            sub.phase = Phase::Asked;
            Ask::Begin {
                subscriber,
                from: sub.resumes().then_some(from),
            }
        } else {
            sub.phase = Phase::Fallen;
            Ask::CatchUp { subscriber, from }
        };
        self.command(slot, ask);
    }

    /// What a subscription begins with came, or a page of it.
    pub(super) fn begun(&mut self, subscriber: SubscriberId, begun: Option<CaughtUp>) {
        self.given(subscriber, begun, Phase::Leading);
    }

    /// What catches a lagging subscription up came, or a page of it.
    pub(super) fn caught_up(&mut self, subscriber: SubscriberId, caught_up: Option<CaughtUp>) {
        self.given(subscriber, caught_up, Phase::Paging);
    }

    /// What a subscription asked for came; `then` is its phase while more is to follow.
    fn given(&mut self, subscriber: SubscriberId, given: Option<CaughtUp>, then: Phase) {
        if !self.is_current(subscriber) {
            return;
        }
        let SubscriberId {
            session: index,
            sub: sub_index,
            ..
        } = subscriber;
        let Some(given) = given else {
            // The stream is no longer made, so neither is this subscription.
            return self.end_subscription(index, sub_index);
        };
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        let slot = sub.stream as usize;
        let weight = self.streams.get(slot);
        let weight = weight.map(|stream| weight_of(&stream.key, sub));
        sub.phase = match (&given.run, given.more) {
            (Some(_), true) => then,
            (Some(_), false) => Phase::Starting,
            // Nothing was left to be sent, and more is there: it asks again.
            (None, true) if then == Phase::Leading => Phase::Due,
            (None, true) => Phase::Parked,
            (None, false) => Phase::Live,
        };
        let Position { epoch, seq } = given.position;
        sub.epoch = epoch;
        sub.set_resumes(given.more);
        let holds = sub.holds_ring();
        let asks_again = matches!(sub.phase, Phase::Due | Phase::Parked);
        if holds {
            if let Some(cursor) = self.streams.hold(slot, seq) {
                sub.set_cursor(cursor);
            }
        } else {
            sub.set_position(given.position);
        }
        if let Some(weight) = weight {
            session.beginnings_mut().answered(weight);
        }
        if let Some(run) = given.run {
            session.begin_with(sub_index, run, FIRST);
        }
        if asks_again && let Ok(sub) = u16::try_from(sub_index) {
            session.beginnings_mut().ask_next(sub);
        }
        session.drop_beginnings();
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
        session.mark_ready(sub_index);
        self.sessions.mark_to_send(index);
        self.ask_for_beginnings(index);
    }
}
