//! Who is subscribed to what, and what publishers deliver for them.

use market::{Channel, Position};
use metrics::label;
use streams::{CaughtUp, Joined, ResumeFailure, Ring, Start, StreamKey};
use wire::control::{Policy, StartKind, StartReason, Subscribed};
use wire::{Encoding, close};

use super::state::{State, Stream};
use crate::link::{Command, Delivery, NotJoined, RunFor, SubscriberId};
use crate::session::{PendingResult, Phase, Sub};

/// Bytes that a stream's ring keeps while the shard's rings together are over their budget.
const SCARCE_RUN_BYTES: usize = 64 * 1024;

impl State {
    /// Takes what a publisher delivered; sends nothing yet.
    pub(super) fn take_in(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Runs(runs) => {
                for run in runs {
                    self.take_run(run);
                }
            }
            Delivery::Joined {
                subscriber,
                outcome,
            } => self.joined(subscriber, outcome),
            Delivery::CaughtUp {
                subscriber,
                caught_up,
            } => self.caught_up(subscriber, caught_up),
        }
    }

    fn take_run(
        &mut self,
        RunFor {
            slot,
            generation,
            run,
        }: RunFor,
    ) {
        let Some(stream) = self
            .streams
            .get_mut(slot)
            .filter(|stream| stream.generation == generation)
        else {
            return;
        };
        if stream.holders == 0 {
            return;
        }
        let before = stream.ring.bytes();
        // While all rings together are large, each keeps only what a client in step needs.
        let bound = if self.ring_bytes < self.settings.ring_budget {
            self.settings.run_bytes
        } else {
            self.settings.run_bytes.min(SCARCE_RUN_BYTES)
        };
        stream.ring.push(run, bound);
        self.ring_bytes = self.ring_bytes + stream.ring.bytes() - before;
        // All holders now lack at least this run.
        stream.behind = stream.holders;
        self.touched.push(slot);
        for (index, sub_index) in &stream.subs {
            let Some(session) = self.sessions.get_mut(*index) else {
                continue;
            };
            let Some(sub) = session.subs.get_mut(*sub_index) else {
                continue;
            };
            if !matches!(sub.phase, Phase::Live) || sub.queued {
                continue;
            }
            sub.queued = true;
            session.ready.push(*sub_index);
            if !session.queued {
                session.queued = true;
                self.dirty.push(*index);
            }
        }
    }

    /// Begins a subscription; its publisher's answer becomes the given result of the pending request.
    #[expect(clippy::too_many_arguments, reason = "a stream, and who wants it how")]
    pub(super) fn join(
        &mut self,
        index: usize,
        key: StreamKey,
        encoding: Encoding,
        publisher: usize,
        policy: Policy,
        resume: Option<Position>,
        result: usize,
    ) {
        let slot = self.stream(key, encoding, publisher);
        let token = self.next_token();
        let stream = &mut self.streams[slot];
        let session = &mut self.sessions[index];
        let sub = session.subs.insert(Sub {
            stream: slot,
            place: stream.subs.len(),
            token,
            phase: Phase::Joining { result },
            cursor: stream.ring.cursor_at_end(market::Seq::NONE),
            epoch: market::Epoch(0),
            policy,
            queued: false,
        });
        stream.subs.push((index, sub));
        self.metrics.subscriptions[channel_label(key.channel)].inc();
        let command = Command::Join {
            stream: self.slot_of(slot),
            key,
            encoding,
            subscriber: SubscriberId {
                session: index,
                sub,
                token,
            },
            resume,
        };
        self.publishers[publisher].send(command);
    }

    /// Ends a subscription; the last one of its stream ends the stream in this shard.
    pub(super) fn leave(&mut self, index: usize, sub_index: usize) {
        let session = &mut self.sessions[index];
        let Some(sub) = session.subs.try_remove(sub_index) else {
            return;
        };
        session.ready.retain(|ready| *ready != sub_index);
        let slot = sub.stream;
        let stream = &mut self.streams[slot];
        if sub.holds_ring() {
            stream.holders -= 1;
            stream.behind -= usize::from(!stream.ring.is_at_end(sub.cursor));
        }
        stream.subs.swap_remove(sub.place);
        if let Some((moved_session, moved_sub)) = stream.subs.get(sub.place).copied()
            && let Some(moved) = self
                .sessions
                .get_mut(moved_session)
                .and_then(|session| session.subs.get_mut(moved_sub))
        {
            moved.place = sub.place;
        }
        self.metrics.subscriptions[channel_label(stream.key.channel)].dec();
        if stream.subs.is_empty() {
            let command = Command::Leave {
                stream: self.slot_of(slot),
                key: self.streams[slot].key,
                encoding: self.streams[slot].encoding,
            };
            let stream = self.streams.remove(slot);
            self.ring_bytes -= stream.ring.bytes();
            self.by_key.remove(&(stream.key, stream.encoding));
            self.publishers[stream.publisher].send(command);
        }
    }

    /// A subscriber fell behind its stream's ring: it is caught up, or its session disconnected.
    pub(super) fn fall(&mut self, index: usize, sub_index: usize) {
        self.metrics.cursors_fallen.inc();
        let session = &mut self.sessions[index];
        let sub = &mut session.subs[sub_index];
        if sub.policy == Policy::Disconnect {
            self.metrics.slow_disconnects.inc();
            self.close(index, close::TOO_SLOW, "too slow for its streams");
            return;
        }
        let slot = sub.stream;
        let stream = &mut self.streams[slot];
        stream.holders -= 1;
        stream.behind -= 1;
        sub.phase = Phase::Fallen;
        let command = Command::CatchUp {
            key: stream.key,
            encoding: stream.encoding,
            subscriber: SubscriberId {
                session: index,
                sub: sub_index,
                token: sub.token,
            },
            from: sub.position(),
            stream: crate::link::StreamSlot {
                shard: self.index,
                slot,
                generation: stream.generation,
            },
        };
        let publisher = stream.publisher;
        self.publishers[publisher].send(command);
    }

    /// Lets the subscribers of an answered request begin.
    pub(super) fn release(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        for (sub_index, sub) in &mut session.subs {
            let Phase::Held(start) = &mut sub.phase else {
                continue;
            };
            let behind = !self.streams[sub.stream].ring.is_at_end(sub.cursor);
            sub.phase = match start.take() {
                Some(run) => Phase::Starting { run, at: 0 },
                None => Phase::Live,
            };
            if (behind || matches!(sub.phase, Phase::Starting { .. })) && !sub.queued {
                sub.queued = true;
                session.ready.push(sub_index);
            }
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
        let session = &mut self.sessions[index];
        let sub = &mut session.subs[sub_index];
        let Phase::Joining { result } = sub.phase else {
            return;
        };
        let Some(request) = session.request.as_mut() else {
            return;
        };
        let PendingResult::Waiting(key) = &request.results[result] else {
            return;
        };
        let done = match &outcome {
            Ok(joined) => Ok(Subscribed {
                stream: key.clone(),
                policy: sub.policy,
                instrument: self.streams[sub.stream].key.instrument,
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
            Err(refused) => Err(super::requests::refuse(key, *refused)),
        };
        if let Err(error) = &done {
            self.metrics.request_errors[super::requests::code_label(error.error.code)].inc();
        }
        request.results[result] = PendingResult::Done(done);
        request.waiting -= 1;
        let answered = request.waiting == 0;
        match outcome {
            Ok(joined) => {
                let stream = &mut self.streams[sub.stream];
                stream.holders += 1;
                sub.epoch = joined.position.epoch;
                sub.cursor = stream.ring.cursor_at_end(joined.position.seq);
                if matches!(joined.start, Start::Snapshot(_)) {
                    self.metrics.snapshots.inc();
                }
                if let Some(outcome) = resume_label(joined.start) {
                    self.metrics.resumes[outcome].inc();
                }
                sub.phase = Phase::Held(joined.run);
            }
            Err(_) => self.leave(index, sub_index),
        }
        if answered {
            self.answer_request(index);
            self.mark_dirty(index);
            // Requests that came behind it may be read now.
            let session = &mut self.sessions[index];
            session.unread = !session.inbound.is_empty();
            session.wake();
        }
    }

    fn caught_up(&mut self, subscriber: SubscriberId, caught_up: Option<CaughtUp>) {
        if !self.is_current(subscriber) {
            return;
        }
        let session = &mut self.sessions[subscriber.session];
        let sub = &mut session.subs[subscriber.sub];
        let Some(caught_up) = caught_up else {
            // The stream is no longer made, so neither is this subscription.
            self.leave(subscriber.session, subscriber.sub);
            return;
        };
        let stream = &mut self.streams[sub.stream];
        stream.holders += 1;
        sub.epoch = caught_up.position.epoch;
        sub.cursor = stream.ring.cursor_at_end(caught_up.position.seq);
        sub.phase = match caught_up.run {
            Some(run) => Phase::Starting { run, at: 0 },
            None => Phase::Live,
        };
        if !sub.queued {
            sub.queued = true;
            session.ready.push(subscriber.sub);
        }
        self.mark_dirty(subscriber.session);
    }

    fn is_current(&self, subscriber: SubscriberId) -> bool {
        self.sessions
            .get(subscriber.session)
            .and_then(|session| session.subs.get(subscriber.sub))
            .is_some_and(|sub| sub.token == subscriber.token)
    }

    fn stream(&mut self, key: StreamKey, encoding: Encoding, publisher: usize) -> usize {
        if let Some(slot) = self.by_key.get(&(key, encoding)) {
            return *slot;
        }
        let generation = self.next_token();
        let slot = self.streams.insert(Stream {
            key,
            encoding,
            publisher,
            generation,
            ring: Ring::new(),
            subs: Vec::new(),
            holders: 0,
            behind: 0,
        });
        self.by_key.insert((key, encoding), slot);
        slot
    }
}

pub(super) const fn channel_label(channel: Channel) -> label::Channel {
    match channel {
        Channel::Book => label::Channel::Book,
        Channel::Bbo => label::Channel::Bbo,
        Channel::Trades => label::Channel::Trades,
        Channel::Ticker => label::Channel::Ticker,
        Channel::Bars => label::Channel::Bars,
        Channel::Status => label::Channel::Status,
    }
}

pub(super) const fn encoding_label(encoding: Encoding) -> label::Encoding {
    match encoding {
        Encoding::Sbe => label::Encoding::Sbe,
        Encoding::Json => label::Encoding::Json,
        Encoding::Packed => label::Encoding::Packed,
    }
}

const fn reason_of(why: ResumeFailure) -> StartReason {
    match why {
        ResumeFailure::EpochChanged => StartReason::EpochChanged,
        ResumeFailure::LogExceeded => StartReason::LogExceeded,
        ResumeFailure::NoState => StartReason::NoState,
    }
}

const fn resume_label(start: Start) -> Option<label::ResumeOutcome> {
    match start {
        Start::Resumed => Some(label::ResumeOutcome::Resumed),
        Start::Snapshot(None) => None,
        Start::Snapshot(Some(ResumeFailure::EpochChanged)) => {
            Some(label::ResumeOutcome::EpochChanged)
        }
        Start::Snapshot(Some(ResumeFailure::LogExceeded)) => {
            Some(label::ResumeOutcome::LogExceeded)
        }
        Start::Snapshot(Some(ResumeFailure::NoState)) => Some(label::ResumeOutcome::NoState),
    }
}
