//! Deliveries from publishers.

use market::{Now, Position, Seq};
use metrics::label::ResumeOutcome;
use streams::{Joined, ResumeFailure, Start, StreamRun};
use wire::control::{StartKind, StartReason, Subscribed};

use super::Core;
use super::pump::FIRST;
use super::rejections::refuse;
use crate::message::{Delivery, JoinError, RunRoute, SubscriptionId};
use crate::session::{PendingJoin, PendingResult, Phase, ReplayPhase};

impl Core {
    /// Takes a delivery. Sends nothing yet.
    pub fn deliver(&mut self, delivery: Delivery, now: Now) {
        self.now = now;
        match delivery {
            Delivery::Runs {
                runs,
                places,
                marks,
            } => {
                if let Some(marks) = &marks {
                    self.trace(marks, &places);
                }
                for place in places {
                    if let Some(run) = runs.get(place.run) {
                        self.take_run(&place, &run);
                    }
                }
            }
            Delivery::Joined { id, outcome } => self.joined(id, outcome),
            Delivery::Started { id, started } => self.started(id, started),
            Delivery::Replayed { id, page } => self.replayed(id, page),
            Delivery::HandedOver { id, handover } => self.handed_over(id, handover),
            Delivery::CaughtUp { id, caught_up } => self.caught_up(id, caught_up),
            Delivery::Ended { slot, generation } => self.end_stream(slot, generation),
        }
    }

    fn take_run(&mut self, place: &RunRoute, run: &StreamRun<'_>) {
        let Self {
            sessions,
            streams,
            settings,
            ..
        } = self;
        let bounds = (settings.run_bytes, settings.ring_budget);
        let Some(stream) = streams.push((place.slot, place.generation), run, bounds) else {
            return;
        };
        for subscription in stream.subscriptions() {
            sessions.mark_subscription(*subscription, |subscription| {
                subscription.phase == Phase::Live
            });
        }
    }

    fn joined(&mut self, id: SubscriptionId, outcome: Result<Joined, JoinError>) {
        let SubscriptionId {
            session: index,
            subscription: subscription_index,
            ..
        } = id;
        if !self.is_current(id) {
            return;
        }
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(request) = session.request.as_mut() else {
            return;
        };
        let joining = &mut request.joining;
        let is_it = |joining: &PendingJoin| usize::from(joining.subscription) == subscription_index;
        let Some(at) = joining.iter().position(is_it) else {
            return;
        };
        let PendingJoin {
            result,
            replaces,
            resume,
            ..
        } = joining.swap_remove(at);
        let Some(PendingResult::Waiting(key)) = request.results.get(result) else {
            return;
        };
        let key = key.clone();
        let Some(subscription) = session.subscription(subscription_index) else {
            return;
        };
        let Some(stream) = self.streams.get(subscription.stream as usize) else {
            return;
        };
        let done = match &outcome {
            Ok(joined) => Ok(Subscribed {
                stream: key.clone(),
                policy: subscription.policy(),
                instrument: stream.key.instrument,
                view: joined.view,
                epoch: joined.position.epoch,
                exponents: joined.exponents,
                start: match joined.start {
                    Start::Snapshot(_) => StartKind::Snapshot,
                    Start::Resumed => StartKind::Resumed,
                },
                reason: match joined.start {
                    Start::Snapshot(Some(why)) => Some(reason_of(why)),
                    _ => None,
                },
            }),
            Err(why) => Err(refuse(&key, *why)),
        };
        if let Err(error) = &done {
            self.metrics.request_errors[error.error.code].inc();
        }
        match outcome {
            Ok(joined) => self.let_in(index, subscription_index, resume, joined),
            Err(_) => self.leave(index, subscription_index),
        }
        if let (Ok(_), Some(replaced)) = (&done, replaces) {
            self.leave(index, usize::from(replaced));
        }
        let request = self.sessions.get_mut(index);
        let Some(request) = request.and_then(|session| session.request.as_mut()) else {
            return;
        };
        if let Some(place) = request.results.get_mut(result) {
            *place = PendingResult::Done(done);
        }
        request.waiting -= 1;
        if request.waiting == 0 {
            self.answer_request(index);
        }
    }

    /// Joins a subscription to its stream; it starts once its request is answered.
    fn let_in(
        &mut self,
        index: usize,
        subscription_index: usize,
        resume: Option<Position>,
        joined: Joined,
    ) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let is_snapshot = matches!(joined.start, Start::Snapshot(_));
        let Some(subscription) = session.subscription_mut(subscription_index) else {
            return;
        };
        let slot = subscription.stream as usize;
        subscription.epoch = joined.position.epoch;
        if joined.more {
            // It starts from what it came with or is given now, and requests the rest.
            subscription.phase = Phase::AcceptedDue;
            subscription.set_resumes(joined.run.is_some() || !is_snapshot);
            let has = resume.filter(|_| !is_snapshot);
            let position = if joined.run.is_some() {
                Some(joined.position)
            } else {
                has
            };
            subscription.set_position(position.unwrap_or(Position {
                epoch: joined.position.epoch,
                seq: Seq::NONE,
            }));
        } else if subscription.replay() == ReplayPhase::None {
            subscription.phase = Phase::Accepted;
            if let Some(cursor) = self.streams.hold(slot, joined.position.seq) {
                subscription.set_cursor(cursor);
            }
        } else {
            subscription.phase = Phase::Accepted;
            subscription.set_position(joined.position);
        }
        if let Some(run) = joined.run {
            session.set_backlog(subscription_index, run, FIRST);
        }
        if is_snapshot {
            if let Some(sse) = &mut session.sse
                && let Some(stream) = self.streams.get(slot)
            {
                // The position it came with no longer counts.
                sse.joined(subscription_index, &stream.key, None);
            }
            self.metrics.snapshots.inc();
        }
        let outcome = match joined.start {
            Start::Resumed => Some(ResumeOutcome::Resumed),
            Start::Snapshot(why) => why.map(|why| ResumeOutcome::Snapshot(reason_of(why))),
        };
        if let Some(outcome) = outcome {
            self.metrics.resumes[outcome].inc();
        }
    }

    /// Starts the subscriptions of an answered request.
    pub(super) fn release(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let is_held = |phase| matches!(phase, Phase::Accepted | Phase::AcceptedDue);
        let held: Vec<usize> = session
            .subscriptions()
            .filter(|(_, subscription)| is_held(subscription.phase))
            .map(|(subscription, _)| subscription)
            .collect();
        for subscription_index in held {
            let starts = session.backlog_of(subscription_index).is_some();
            let Some(subscription) = session.subscription_mut(subscription_index) else {
                continue;
            };
            let stream = self.streams.get(subscription.stream as usize);
            let behind = stream.is_some_and(|stream| !stream.is_at_end(subscription.cursor()));
            let is_replay = subscription.replay() != ReplayPhase::None;
            let is_due = subscription.phase == Phase::AcceptedDue;
            subscription.phase = match (starts, is_replay) {
                (true, _) if is_due => Phase::StartingInPart,
                (false, _) if is_due => Phase::Due,
                (true, true) => Phase::Replaying,
                (false, true) => Phase::ReplayPageSent,
                (true, false) => Phase::Starting,
                (false, false) => Phase::Live,
            };
            if subscription.phase == Phase::Due {
                if let Ok(subscription) = u16::try_from(subscription_index) {
                    session.backlogs_mut().ask_later(subscription);
                }
            } else if behind || starts || is_replay {
                session.mark_ready(subscription_index);
            }
        }
        self.end_marked(index);
        self.request_backlogs(index);
    }
}

const fn reason_of(why: ResumeFailure) -> StartReason {
    match why {
        ResumeFailure::EpochChanged => StartReason::EpochChanged,
        ResumeFailure::LogExceeded => StartReason::LogExceeded,
        ResumeFailure::AheadOfLog => StartReason::AheadOfLog,
        ResumeFailure::NoState => StartReason::NoState,
    }
}
