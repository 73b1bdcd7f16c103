use std::time::{Duration, Instant};

use wire::control::{
    Answer, AnswerError, ControlError, ErrorCode, RequestId, StartKind, StreamError, Subscribed,
};

use super::Session;
use super::entry::{Address, Entry, Phase};
use crate::SubscriptionId;
use crate::event::{self, Disconnect, Event, Gap, GapCause};

/// The first wait after a temporary rejection: nodes become ready within seconds.
const AFTER_REJECTION: Duration = Duration::from_millis(250);

impl Session {
    /// A text message arrived.
    pub fn on_text(&mut self, now: Instant, text: &str) {
        if !self.connection.is_up() {
            return;
        }
        match Answer::parse(text) {
            Ok(answer) => self.on_answer(now, answer),
            // An unknown kind of answer, of a later version: to nothing that was requested.
            Err(AnswerError::Value { field: "op", .. }) => {}
            Err(error) => self.fail(now, Disconnect::Answer(error)),
        }
    }

    fn on_answer(&mut self, now: Instant, answer: Answer) {
        let id = answer.id().and_then(number);
        let pending = id.and_then(|id| self.outbox.answered(id));
        match answer {
            Answer::Subscribed { results, .. } | Answer::Updated { results, .. } => {
                let (Some(id), Some(pending)) = (id, pending) else {
                    return;
                };
                if results.len() != pending.subscriptions.len() {
                    self.fail(now, Disconnect::Answer(AnswerError::Missing("results")));
                    return;
                }
                for (subscription, outcome) in pending.subscriptions.into_iter().zip(results) {
                    let outcome = outcome.map_err(|rejected| rejected.error);
                    self.on_outcome(now, id, subscription, outcome);
                }
            }
            Answer::Error { error, .. } => {
                let Some(pending) = pending else {
                    // It is about something that the node could not even parse.
                    self.fail(now, Disconnect::Rejected(error));
                    return;
                };
                let id = id.unwrap_or_default();
                for subscription in pending.subscriptions {
                    self.on_outcome(now, id, subscription, Err(error.clone()));
                }
            }
            Answer::Unsubscribed { results, .. } => {
                for ended in results.into_iter().filter_map(Result::err) {
                    self.on_ended(now, &ended);
                }
            }
            Answer::Instruments { .. } | Answer::Pong { .. } => {}
        }
        self.flush(now);
    }

    /// The node ended a stream that it can no longer provide.
    fn on_ended(&mut self, now: Instant, ended: &StreamError) {
        if ended.error.code != ErrorCode::StreamEnded {
            return;
        }
        let Some(key) = ended.key() else {
            return;
        };
        let is_it = |entry: &&Entry| entry.phase == Phase::Open && entry.wants(&key);
        let subscription = self.entries.iter().find(is_it).map(|entry| entry.id);
        if let Some(subscription) = subscription {
            self.on_rejected(now, subscription, ended.error.clone());
        }
    }

    fn on_outcome(
        &mut self,
        now: Instant,
        request: u64,
        subscription: SubscriptionId,
        outcome: Result<Subscribed, ControlError>,
    ) {
        let entry = self.entries.get(subscription);
        let entry = entry.filter(|entry| entry.wanted);
        if entry.is_some_and(|entry| entry.is_changing_by(request)) {
            match outcome {
                Ok(answer) => self.on_updated(now, subscription, &answer),
                Err(error) => self.on_not_updated(subscription, error),
            }
            return;
        }
        if entry.is_none_or(|entry| entry.phase != Phase::Requested(request)) {
            // It has been given up, or requested again, in the meantime.
            return;
        }
        match outcome {
            Ok(answer) => self.on_accepted(now, subscription, &answer),
            Err(error) => self.on_rejected(now, subscription, error),
        }
    }

    fn on_accepted(&mut self, now: Instant, subscription: SubscriptionId, answer: &Subscribed) {
        let Some(entry) = self.entries.by_id(subscription) else {
            return;
        };
        entry.phase = Phase::Open;
        entry.was_open = true;
        entry.accepted();
        entry.without_position = false;
        entry.last_message = now;
        entry.caught_up = now;
        let requested = entry.requested;
        let mut answer = answer.clone();
        if entry.is_replay() && requested.is_some_and(|requested| requested.epoch == answer.epoch) {
            // It begins with the state that this client has, and continues from there.
            answer.start = StartKind::Resumed;
        }
        let answer = &answer;
        let address = Address {
            instrument: answer.instrument,
            view: answer.view,
            channel: entry.request.key.channel,
        };
        let missing = entry.tracker.open(answer, requested);
        if missing.is_some() {
            entry.stats.gaps += 1;
            entry.stats.losses += 1;
        }
        self.entries.route(subscription, address);
        let subscribed = event::Subscribed::new(subscription, answer, requested);
        self.events.push_back(Event::Subscribed(subscribed));
        if let Some(missing) = missing {
            self.events.push_back(Event::Gap(Gap {
                subscription,
                from: missing.from,
                to: missing.to,
                cause: GapCause::NotResumed(answer.reason),
            }));
        }
    }

    /// The node changed a stream; messages of the new view come after this answer only.
    fn on_updated(&mut self, now: Instant, subscription: SubscriptionId, answer: &Subscribed) {
        let Some(entry) = self.entries.by_id(subscription) else {
            return;
        };
        entry.changed();
        if answer.start == StartKind::Snapshot {
            entry.reset();
            entry.tracker.open(answer, None);
            entry.last_message = now;
            entry.caught_up = now;
            let address = Address {
                instrument: answer.instrument,
                view: answer.view,
                channel: entry.request.key.channel,
            };
            self.entries.unroute(subscription);
            self.entries.route(subscription, address);
        }
        let answer = event::Subscribed::new(subscription, answer, None);
        self.events.push_back(Event::Updated(answer));
    }

    fn on_not_updated(&mut self, subscription: SubscriptionId, error: ControlError) {
        if let Some(entry) = self.entries.by_id(subscription) {
            entry.not_changed();
        }
        let rejected = event::UpdateRejected {
            subscription,
            error,
        };
        self.events.push_back(Event::UpdateRejected(rejected));
    }

    fn on_rejected(&mut self, now: Instant, subscription: SubscriptionId, error: ControlError) {
        let Some(entry) = self.entries.by_id(subscription) else {
            return;
        };
        let has_it = error.code == ErrorCode::AlreadySubscribed;
        let passes = matches!(
            error.code,
            ErrorCode::NotReady | ErrorCode::BadResume | ErrorCode::Busy
        ) || has_it;
        if error.code == ErrorCode::StartTooEarly && entry.was_open {
            // What had not been replayed is gone; the resume will show what is lost.
            entry.end_replay();
        }
        entry.at_node = has_it;
        if !passes && entry.fall_back() {
            entry.restart(now, &self.config, &mut self.random, Duration::ZERO);
            self.outbox.wake(now);
            self.on_not_updated(subscription, error);
            return;
        }
        // A stream that was accepted once is rejected while a node starts, or the instrument moves: not for good.
        entry.without_position |= error.code == ErrorCode::BadResume;
        let retry = (passes || entry.was_open)
            .then(|| entry.restart(now, &self.config, &mut self.random, AFTER_REJECTION));
        if retry.is_none() {
            self.entries.remove(subscription);
        }
        self.outbox.wake(now);
        self.events.push_back(Event::Rejected(event::Rejected {
            subscription,
            error,
            retry,
        }));
    }
}

fn number(id: &RequestId) -> Option<u64> {
    match id {
        RequestId::Number(number) => number.as_u64(),
        RequestId::Text(_) => None,
    }
}
