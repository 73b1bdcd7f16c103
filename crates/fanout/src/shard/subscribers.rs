//! Who is subscribed to what, and what publishers deliver for them.

use market::{Channel, Epoch, Position};
use metrics::label;
use streams::{CaughtUp, Cursor, Joined, ResumeFailure, Ring, Start, StreamKey, StreamRun};
use wire::control::{Policy, StartKind, StartReason, Subscribed};
use wire::{Encoding, LagKind, close, control};

use super::state::{State, Stream, number};
use crate::growth::push_closely;
use crate::link::{Command, Delivery, NotJoined, RunFor, SubscriberId};
use crate::session::{Joining, Past, PendingResult, Phase, Sub};

/// Bytes that a stream's ring keeps while the shard's rings together are over their budget.
const SCARCE_RUN_BYTES: usize = 64 * 1024;

/// A stream that its publisher is to be asked for.
pub(super) struct Join {
    pub(super) key: StreamKey,
    pub(super) publisher: usize,
    pub(super) policy: Policy,
    pub(super) resume: Option<Position>,
    /// Where in the past it begins, and how fast that is sent.
    pub(super) replay: Option<(control::Start, Option<control::Pace>)>,
    /// Which result of the pending request its outcome will be.
    pub(super) result: usize,
    /// The subscriber of the same session that ends when this one may begin.
    pub(super) replaces: Option<u16>,
}

/// Where a run begins.
pub(super) const FIRST: Cursor = Cursor {
    frame: 0,
    seq: market::Seq::NONE,
};

impl State {
    /// Takes what a publisher delivered; sends nothing yet.
    pub(super) fn take_in(&mut self, delivery: Delivery) {
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
        let Some(stream) = self
            .streams
            .get_mut(place.slot)
            .filter(|stream| stream.generation == place.generation)
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
        stream.ring.push(&run.frames, bound, &mut self.spare);
        self.ring_bytes = self.ring_bytes + stream.ring.bytes() - before;
        if run.epoch != stream.epoch {
            stream.epoch = run.epoch;
            stream.epoch_from = stream.ring.cursor_at_end(market::Seq::NONE).frame;
        }
        // All holders now lack at least this run.
        stream.behind = stream.holders;
        self.touched.push(place.slot);
        for (number, sub_index) in &stream.subs {
            let Some(session) = self.sessions.get_mut(*number as usize) else {
                continue;
            };
            let sub_index = usize::from(*sub_index);
            if !session
                .sub(sub_index)
                .is_some_and(|sub| sub.phase == Phase::Live)
            {
                continue;
            }
            session.mark_ready(sub_index);
            if !session.queued && !session.blocked {
                session.queued = true;
                self.to_send.push_back(*number);
            }
        }
    }

    /// Empties rings that nobody needs, and parks those who are too far behind in the others.
    ///
    /// A subscriber whose socket has room is seldom far behind: each pass visits it. So what rings
    /// hold besides is for sessions whose sockets are full, and each of these pays for a constant.
    pub(super) fn trim(&mut self) {
        while let Some(slot) = self.touched.pop() {
            if let Some(stream) = self.streams.get_mut(slot)
                && stream.behind == 0
            {
                self.ring_bytes -= stream.ring.bytes();
                stream.ring.clear(&mut self.spare);
            }
        }
        let budget = self
            .settings
            .run_bytes_per_slow
            .saturating_mul(self.blocked)
            .saturating_add(self.settings.run_bytes_for_slow)
            .min(self.settings.ring_budget);
        let was_marked = std::mem::take(&mut self.marked);
        if self.ring_bytes <= budget {
            return;
        }
        if !was_marked || self.to_send.is_empty() {
            for (_, stream) in &mut self.streams {
                stream.mark = stream.ring.seal();
            }
        }
        if !was_marked && !self.to_send.is_empty() {
            self.marked = true;
            return;
        }
        let held: Vec<usize> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.ring.bytes() > 0)
            .map(|(slot, _)| slot)
            .collect();
        for slot in held {
            self.park_all_behind(slot);
        }
    }

    /// Forgets what a stream's ring has before the stream's mark. Who lacks any of it and has a full
    /// socket is caught up when there is room; who has room is on the way there, so what it lacks
    /// is kept: a machine that halts for a while is no reason to be given less.
    fn park_all_behind(&mut self, slot: usize) {
        // A session that is disconnected for its lag takes streams with it that it was alone in.
        let Some(stream) = self.streams.get(slot) else {
            return;
        };
        let (mark, subs) = (stream.mark, stream.subs.clone());
        let mut needed = mark;
        for (number, sub_index) in subs {
            let (index, sub_index) = (number as usize, usize::from(sub_index));
            let Some(session) = self.sessions.get(index) else {
                continue;
            };
            let is_behind = |sub: &&Sub| sub.phase == Phase::Live && sub.cursor().frame < mark;
            let Some(sub) = session.sub(sub_index).filter(is_behind) else {
                continue;
            };
            if session.blocked {
                self.fall(index, sub_index);
            } else {
                needed = needed.min(sub.cursor().frame);
            }
        }
        let Some(stream) = self.streams.get_mut(slot) else {
            return;
        };
        let before = stream.ring.bytes();
        stream.ring.release(needed, &mut self.spare);
        self.ring_bytes -= before - stream.ring.bytes();
    }

    /// Begins a subscription; its publisher's answer becomes the given result of the pending request.
    pub(super) fn join(&mut self, index: usize, encoding: Encoding, join: Join) {
        let Join {
            key,
            publisher,
            policy,
            resume,
            replay,
            result,
            replaces,
        } = join;
        let slot = self.stream(key, encoding, publisher);
        let stream = &mut self.streams[slot];
        let session = &mut self.sessions[index];
        let cursor = stream.ring.cursor_at_end(market::Seq::NONE);
        let place = number(stream.subs.len());
        let mut sub = Sub::new(number(slot), place, cursor, policy);
        if replay.is_some() {
            sub.set_past(Past::Before);
        }
        let Some((sub, token)) = session.insert(sub) else {
            return;
        };
        push_closely(&mut stream.subs, (number(index), sub));
        if let Some(events) = &mut session.about.events {
            events.joined(usize::from(sub), &key, resume);
        }
        if let Some(request) = session.request.as_mut() {
            request.joining.push(Joining {
                sub,
                result,
                replaces,
            });
        }
        self.metrics.subscriptions[channel_label(key.channel)].inc();
        let subscriber = SubscriberId {
            session: index,
            sub: usize::from(sub),
            token,
        };
        let command = Command::Join {
            stream: self.slot_of(slot),
            key,
            encoding,
            subscriber,
            resume,
            moves: replaces.is_some(),
            replay: replay.map(|(start, pace)| self.replay(subscriber, start, pace)),
        };
        self.publishers[publisher].send(command);
    }

    /// Ends a subscription; the last one of its stream ends the stream in this shard.
    pub(super) fn leave(&mut self, index: usize, sub_index: usize) {
        let session = &mut self.sessions[index];
        let Some(sub) = session.sub(sub_index) else {
            return;
        };
        let holds_ring = sub.holds_ring();
        self.forget_replay(index, sub_index);
        let session = &mut self.sessions[index];
        let Some((slot, place, _, cursor)) = session.remove(sub_index) else {
            return;
        };
        let (slot, at) = (slot as usize, place as usize);
        let stream = &mut self.streams[slot];
        if holds_ring {
            stream.holders -= 1;
            stream.behind -= usize::from(!stream.ring.is_at_end(cursor));
            self.touched.push(slot);
        }
        if let Some(events) = &mut session.about.events {
            events.left(sub_index);
        }
        stream.subs.swap_remove(at);
        if let Some((moved_session, moved_sub)) = stream.subs.get(at).copied()
            && let Some(moved) = self
                .sessions
                .get_mut(moved_session as usize)
                .and_then(|session| session.sub_mut(usize::from(moved_sub)))
        {
            moved.place = place;
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
        let session = &mut self.sessions[index];
        let blocked = session.blocked;
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        self.metrics.cursors_fallen.inc();
        if sub.policy() == Policy::Disconnect {
            self.metrics.slow_disconnects.inc();
            self.close(index, close::TOO_SLOW, "too slow for its streams");
            return;
        }
        sub.phase = Phase::Parked;
        let stream = &mut self.streams[sub.stream as usize];
        stream.holders -= 1;
        stream.behind -= 1;
        if blocked {
            // Asked now, it would be told what is old when there is room.
            session.mark_ready(sub_index);
        } else {
            self.ask_to_catch_up(index, sub_index);
        }
    }

    /// Asks the publisher to catch a parked subscriber up.
    pub(super) fn ask_to_catch_up(&mut self, index: usize, sub_index: usize) {
        let Some(subscriber) = self.subscriber(index, sub_index) else {
            return;
        };
        let Some(sub) = self.sessions[index].sub_mut(sub_index) else {
            return;
        };
        sub.phase = Phase::Fallen;
        let slot = sub.stream as usize;
        let stream = &self.streams[slot];
        let command = Command::CatchUp {
            key: stream.key,
            encoding: stream.encoding,
            subscriber,
            from: sub.position(),
            stream: self.slot_of(slot),
        };
        let publisher = self.streams[slot].publisher;
        self.publishers[publisher].send(command);
    }

    /// Lets the subscribers of an answered request begin.
    pub(super) fn release(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let held: Vec<usize> = session
            .subs()
            .filter(|(_, sub)| sub.phase == Phase::Held)
            .map(|(sub, _)| sub)
            .collect();
        for sub_index in held {
            let starts = session.start_of(sub_index).is_some();
            let Some(sub) = session.sub_mut(sub_index) else {
                continue;
            };
            let behind = !self.streams[sub.stream as usize]
                .ring
                .is_at_end(sub.cursor());
            let is_past = sub.past() != Past::No;
            sub.phase = match (starts, is_past) {
                (true, true) => Phase::Replaying,
                (false, true) => Phase::Replayed,
                (true, false) => Phase::Starting,
                (false, false) => Phase::Live,
            };
            if behind || starts || is_past {
                session.mark_ready(sub_index);
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
        let Some(request) = session.request.as_mut() else {
            return;
        };
        let joining = &mut request.joining;
        let Some(at) = joining
            .iter()
            .position(|joining| usize::from(joining.sub) == sub_index)
        else {
            return;
        };
        let Joining {
            result, replaces, ..
        } = joining.swap_remove(at);
        let PendingResult::Waiting(key) = &request.results[result] else {
            return;
        };
        let key = key.clone();
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        let slot = sub.stream as usize;
        let done = match &outcome {
            Ok(joined) => Ok(Subscribed {
                stream: key.clone(),
                policy: sub.policy(),
                instrument: self.streams[slot].key.instrument,
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
            Err(refused) => Err(super::requests::refuse(&key, *refused)),
        };
        if let Err(error) = &done {
            self.metrics.request_errors[super::requests::code_label(error.error.code)].inc();
        }
        match outcome {
            Ok(joined) => {
                let stream = &mut self.streams[slot];
                stream.holders += usize::from(sub.past() == Past::No);
                sub.epoch = joined.position.epoch;
                sub.set_cursor(stream.ring.cursor_at_end(joined.position.seq));
                sub.phase = Phase::Held;
                if let Some(run) = joined.run {
                    session.begin_with(sub_index, run, FIRST);
                }
                if matches!(joined.start, Start::Snapshot(_)) {
                    if let Some(events) = &mut session.about.events {
                        // What it had counts no more.
                        events.joined(sub_index, &stream.key, None);
                    }
                    self.metrics.snapshots.inc();
                }
                if let Some(outcome) = resume_label(joined.start) {
                    self.metrics.resumes[outcome].inc();
                }
            }
            Err(_) => self.leave(index, sub_index),
        }
        if let (Ok(_), Some(replaced)) = (&done, replaces) {
            self.leave(index, usize::from(replaced));
        }
        let Some(request) = self.sessions[index].request.as_mut() else {
            return;
        };
        request.results[result] = PendingResult::Done(done);
        request.waiting -= 1;
        if request.waiting == 0 {
            self.answer_request(index);
            self.mark_to_send(index);
            // Requests that came behind it may be read now.
            self.read_on(index);
        }
    }

    fn caught_up(&mut self, subscriber: SubscriberId, caught_up: Option<CaughtUp>) {
        if !self.is_current(subscriber) {
            return;
        }
        let Some(caught_up) = caught_up else {
            // The stream is no longer made, so neither is this subscription.
            self.leave(subscriber.session, subscriber.sub);
            return;
        };
        let session = &mut self.sessions[subscriber.session];
        let Some(sub) = session.sub_mut(subscriber.sub) else {
            return;
        };
        let stream = &mut self.streams[sub.stream as usize];
        sub.epoch = caught_up.position.epoch;
        sub.set_cursor(stream.ring.cursor_at_end(caught_up.position.seq));
        sub.phase = match (&caught_up.run, caught_up.more) {
            (Some(_), true) => Phase::Paging,
            (Some(_), false) => Phase::Starting,
            (None, _) => Phase::Live,
        };
        stream.holders += usize::from(sub.holds_ring());
        if let Some(run) = caught_up.run {
            session.begin_with(subscriber.sub, run, FIRST);
        }
        if let Some((kind, messages)) = caught_up.missed {
            let metrics = &self.metrics;
            match kind {
                LagKind::Conflated => metrics.conflations.inc(),
                LagKind::Snapshot => metrics.catch_up_snapshots.inc(),
                LagKind::Skipped => metrics.skipped_messages.add(messages.max(1)),
            }
            if kind != LagKind::Skipped {
                metrics.conflated_messages.add(messages);
                session.about.conflated += messages;
            }
        }
        session.mark_ready(subscriber.sub);
        self.mark_to_send(subscriber.session);
    }

    /// What tells a subscriber from all others.
    pub(super) fn subscriber(&self, index: usize, sub_index: usize) -> Option<SubscriberId> {
        let token = self.sessions.get(index)?.token_of(sub_index)?;
        Some(SubscriberId {
            session: index,
            sub: sub_index,
            token,
        })
    }

    /// Whether it is the one that is in its place.
    pub(super) fn is_current(&self, subscriber: SubscriberId) -> bool {
        self.subscriber(subscriber.session, subscriber.sub) == Some(subscriber)
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
            epoch: Epoch::NONE,
            epoch_from: 0,
            mark: 0,
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
        ResumeFailure::AheadOfLog => StartReason::AheadOfLog,
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
        Start::Snapshot(Some(ResumeFailure::AheadOfLog)) => Some(label::ResumeOutcome::AheadOfLog),
        Start::Snapshot(Some(ResumeFailure::NoState)) => Some(label::ResumeOutcome::NoState),
    }
}
