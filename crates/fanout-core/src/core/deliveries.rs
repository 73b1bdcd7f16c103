//! What publishers deliver.

use market::{Now, Position, Seq};
use metrics::label::ResumeOutcome;
use streams::{Joined, ResumeFailure, Start, StreamRun};
use wire::control::{StartKind, StartReason, Subscribed};

use super::Core;
use super::pump::FIRST;
use super::refusals::refuse;
use crate::message::{Delivery, NotJoined, RunFor, SubscriberId};
use crate::session::{Joining, Past, PendingResult, Phase};

impl Core {
    /// Takes what a publisher delivered; sends nothing yet.
    pub fn deliver(&mut self, delivery: Delivery, now: Now) {
        self.now = now;
        match delivery {
            Delivery::Runs {
                runs,
                places,
                marks,
            } => {
                if let Some(marks) = &marks {
                    self.follow(marks, &places);
                }
                for place in places {
                    if let Some(run) = runs.get(place.run) {
                        self.take_run(&place, &run);
                    }
                }
            }
            Delivery::Joined {
                subscriber,
                outcome,
            } => self.joined(subscriber, outcome),
            Delivery::Begun { subscriber, begun } => self.begun(subscriber, begun),
            Delivery::Replayed { subscriber, page } => self.replayed(subscriber, page),
            Delivery::HandedOver {
                subscriber,
                handover,
            } => self.handed_over(subscriber, handover),
            Delivery::CaughtUp {
                subscriber,
                caught_up,
            } => self.caught_up(subscriber, caught_up),
        }
    }

    fn take_run(&mut self, place: &RunFor, run: &StreamRun<'_>) {
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
        for sub in stream.subs() {
            sessions.mark_sub(*sub, |sub| sub.phase == Phase::Live);
        }
    }

    fn joined(&mut self, subscriber: SubscriberId, outcome: Result<Joined, NotJoined>) {
        let SubscriberId {
            session: index,
            sub: sub_index,
            ..
        } = subscriber;
        if !self.is_current(subscriber) {
            return;
        }
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(request) = session.request.as_mut() else {
            return;
        };
        let joining = &mut request.joining;
        let is_it = |joining: &Joining| usize::from(joining.sub) == sub_index;
        let Some(at) = joining.iter().position(is_it) else {
            return;
        };
        let Joining {
            result,
            replaces,
            resume,
            ..
        } = joining.swap_remove(at);
        let Some(PendingResult::Waiting(key)) = request.results.get(result) else {
            return;
        };
        let key = key.clone();
        let Some(sub) = session.sub(sub_index) else {
            return;
        };
        let Some(stream) = self.streams.get(sub.stream as usize) else {
            return;
        };
        let done = match &outcome {
            Ok(joined) => Ok(Subscribed {
                stream: key.clone(),
                policy: sub.policy(),
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
            Ok(joined) => self.let_in(index, sub_index, resume, joined),
            Err(_) => self.leave(index, sub_index),
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

    /// A subscription may begin, once its request is answered.
    fn let_in(&mut self, index: usize, sub_index: usize, resume: Option<Position>, joined: Joined) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let is_snapshot = matches!(joined.start, Start::Snapshot(_));
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        let slot = sub.stream as usize;
        sub.epoch = joined.position.epoch;
        if joined.more {
            // It has what it came with, or what it is given now, and asks for the rest.
            sub.phase = Phase::HeldDue;
            sub.set_resumes(joined.run.is_some() || !is_snapshot);
            let has = resume.filter(|_| !is_snapshot);
            let position = if joined.run.is_some() {
                Some(joined.position)
            } else {
                has
            };
            sub.set_position(position.unwrap_or(Position {
                epoch: joined.position.epoch,
                seq: Seq::NONE,
            }));
        } else if sub.past() == Past::No {
            sub.phase = Phase::Held;
            if let Some(cursor) = self.streams.hold(slot, joined.position.seq) {
                sub.set_cursor(cursor);
            }
        } else {
            sub.phase = Phase::Held;
            sub.set_position(joined.position);
        }
        if let Some(run) = joined.run {
            session.begin_with(sub_index, run, FIRST);
        }
        if is_snapshot {
            if let Some(events) = &mut session.events
                && let Some(stream) = self.streams.get(slot)
            {
                // What it had counts no more.
                events.joined(sub_index, &stream.key, None);
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

    /// Lets the subscriptions of an answered request begin.
    pub(super) fn release(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let is_held = |phase| matches!(phase, Phase::Held | Phase::HeldDue);
        let held: Vec<usize> = session
            .subs()
            .filter(|(_, sub)| is_held(sub.phase))
            .map(|(sub, _)| sub)
            .collect();
        for sub_index in held {
            let starts = session.start_of(sub_index).is_some();
            let Some(sub) = session.sub_mut(sub_index) else {
                continue;
            };
            let stream = self.streams.get(sub.stream as usize);
            let behind = stream.is_some_and(|stream| !stream.is_at_end(sub.cursor()));
            let is_past = sub.past() != Past::No;
            let is_due = sub.phase == Phase::HeldDue;
            sub.phase = match (starts, is_past) {
                (true, _) if is_due => Phase::Leading,
                (false, _) if is_due => Phase::Due,
                (true, true) => Phase::Replaying,
                (false, true) => Phase::Replayed,
                (true, false) => Phase::Starting,
                (false, false) => Phase::Live,
            };
            if sub.phase == Phase::Due {
                if let Ok(sub) = u16::try_from(sub_index) {
                    session.beginnings_mut().ask_later(sub);
                }
            } else if behind || starts || is_past {
                session.mark_ready(sub_index);
            }
        }
        self.ask_for_beginnings(index);
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
