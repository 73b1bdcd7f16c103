use std::time::{Duration, Instant};

use wire::control::{
    Answer, AnswerError, ControlError, ErrorCode, RequestId, StartKind, StreamError, Subscribed,
};

use super::Session;
use super::entry::{Address, Entry, Phase};
use crate::SubscriptionId;
use crate::event::{self, Disconnect, Event, Gap, GapCause};

/// How soon to ask again after a refusal that passes: nodes become ready in seconds.
const AFTER_REFUSAL: Duration = Duration::from_millis(250);

impl Session {
    /// A text message came.
    pub fn on_text(&mut self, now: Instant, text: &str) {
        if !self.link.is_up() {
            return;
        }
        match Answer::parse(text) {
            Ok(answer) => self.on_answer(now, answer),
            // An answer of a later version: to nothing that was asked.
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
                    let outcome = outcome.map_err(|refused| refused.error);
                    self.on_outcome(now, id, subscription, outcome);
                }
            }
            Answer::Error { error, .. } => {
                let Some(pending) = pending else {
                    // It is about something that the node could not even read.
                    self.fail(now, Disconnect::Refused(error));
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

    /// The node ended a stream that it can no longer make.
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
            self.on_refused(now, subscription, ended.error.clone());
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
                Ok(told) => self.on_updated(now, subscription, &told),
                Err(error) => self.on_not_updated(subscription, error),
            }
            return;
        }
        if entry.is_none_or(|entry| entry.phase != Phase::Asked(request)) {
            // It was given up, or asked for anew, since.
            return;
        }
        match outcome {
            Ok(told) => self.on_accepted(now, subscription, &told),
            Err(error) => self.on_refused(now, subscription, error),
        }
    }

    fn on_accepted(&mut self, now: Instant, subscription: SubscriptionId, told: &Subscribed) {
        let Some(entry) = self.entries.by_id(subscription) else {
            return;
        };
        entry.phase = Phase::Open;
        entry.was_open = true;
        entry.accepted();
        entry.anew = false;
        entry.heard = now;
        entry.level = now;
        let asked = entry.asked;
        let mut told = told.clone();
        if entry.is_past() && asked.is_some_and(|asked| asked.epoch == told.epoch) {
            // It begins with the state that this client has, and goes on from there.
            told.start = StartKind::Resumed;
        }
        let told = &told;
        let address = Address {
            instrument: told.instrument,
            view: told.view,
            channel: entry.request.key.channel,
        };
        let missing = entry.follower.open(told, asked);
        if missing.is_some() {
            entry.stats.gaps += 1;
            entry.stats.losses += 1;
        }
        self.entries.route(subscription, address);
        let subscribed = event::Subscribed::new(subscription, told, asked);
        self.events.push_back(Event::Subscribed(subscribed));
        if let Some(missing) = missing {
            self.events.push_back(Event::Gap(Gap {
                subscription,
                from: missing.from,
                to: missing.to,
                cause: GapCause::NotResumed(told.reason),
            }));
        }
    }

    /// The node changed a stream, of which nothing came before this answer as it is now.
    fn on_updated(&mut self, now: Instant, subscription: SubscriptionId, told: &Subscribed) {
        let Some(entry) = self.entries.by_id(subscription) else {
            return;
        };
        entry.changed();
        if told.start == StartKind::Snapshot {
            entry.begin_anew();
            entry.follower.open(told, None);
            entry.heard = now;
            entry.level = now;
            let address = Address {
                instrument: told.instrument,
                view: told.view,
                channel: entry.request.key.channel,
            };
            self.entries.unroute(subscription);
            self.entries.route(subscription, address);
        }
        let told = event::Subscribed::new(subscription, told, None);
        self.events.push_back(Event::Updated(told));
    }

    fn on_not_updated(&mut self, subscription: SubscriptionId, error: ControlError) {
        if let Some(entry) = self.entries.by_id(subscription) {
            entry.not_changed();
        }
        let refused = event::NotUpdated {
            subscription,
            error,
        };
        self.events.push_back(Event::NotUpdated(refused));
    }

    fn on_refused(&mut self, now: Instant, subscription: SubscriptionId, error: ControlError) {
        let Some(entry) = self.entries.by_id(subscription) else {
            return;
        };
        let has_it = error.code == ErrorCode::AlreadySubscribed;
        let passes = matches!(
            error.code,
            ErrorCode::NotReady | ErrorCode::BadResume | ErrorCode::Busy
        ) || has_it;
        if error.code == ErrorCode::StartTooEarly && entry.was_open {
            // What it had not been sent is gone: the node says so when it is asked to resume.
            entry.end_past();
        }
        entry.at_node = has_it;
        if !passes && entry.fall_back() {
            entry.restart(now, &self.config, &mut self.random, Duration::ZERO);
            self.outbox.wake(now);
            self.on_not_updated(subscription, error);
            return;
        }
        // What was once accepted is refused while a node starts, or moves to another; not for good.
        entry.anew |= error.code == ErrorCode::BadResume;
        let retry = (passes || entry.was_open)
            .then(|| entry.restart(now, &self.config, &mut self.random, AFTER_REFUSAL));
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
