//! Sending: each session that has something is visited once a pass.

use std::io;
use std::ops::Range;

use market::Monotonic;
use streams::Frames;

use super::sender::{BATCH, Sender};
use super::state::{State, number};
use super::subscribers::{channel_label, encoding_label};
use crate::clock::monotonic;
use crate::session::{Phase, Session};

/// Several streams' frames for one session are copied together up to this size and sent at once:
/// a system call costs about as much as copying 64 KiB.
const GATHER: usize = 64 * 1024;
/// Bytes that one session is sent a visit; then others have their turn. Its streams are visited
/// until they make up `GATHER`, and each brings at most this much and at least one frame.
const VISIT: usize = 128 * 1024;
/// Bytes gathered for a batch of sessions: those of a few busy ones, or of a whole batch of the
/// usual kind.
const ARENA: usize = 64 * 1024;

/// Sends that are made together; its memory is used again.
pub(super) struct Batch {
    sender: Sender,
    plans: Vec<Plan>,
    /// Those of sessions with TLS, whose bytes are encrypted one by one.
    encrypted: Vec<Plan>,
    segments: Vec<Segment>,
    spare: Vec<Segment>,
    /// Frames of several streams that go to one session.
    arena: Vec<u8>,
    results: Vec<io::Result<usize>>,
}

/// What one session is sent.
pub(super) struct Plan {
    session: u32,
    source: Source,
    len: usize,
    /// Its segments, in `Batch::segments`.
    segments: Range<usize>,
    /// When the first of them was published.
    created: Monotonic,
}

/// Where the bytes are.
enum Source {
    /// In what the session has outgoing of its own.
    Own,
    /// In its only segment.
    Segment,
    /// In the arena, from here on.
    Arena(usize),
}

/// Frames of one subscriber: those from its cursor on that have this length.
pub(super) struct Segment {
    sub: u16,
    len: usize,
}

impl Segment {
    pub(super) const fn sub(&self) -> usize {
        self.sub as usize
    }
}

impl Plan {
    /// Nothing yet, for this session.
    pub(super) fn of(index: usize) -> Self {
        Self {
            session: number(index),
            source: Source::Own,
            len: 0,
            segments: 0..0,
            created: Monotonic(0),
        }
    }

    /// When the first of it was published.
    pub(super) const fn created(&self) -> Monotonic {
        self.created
    }
}

impl Batch {
    pub(super) const fn new(sender: Sender) -> Self {
        Self {
            sender,
            plans: Vec::new(),
            encrypted: Vec::new(),
            segments: Vec::new(),
            spare: Vec::new(),
            arena: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Memory for the segments of a session whose messages become its own.
    pub(super) fn take_segments(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.spare)
    }

    /// The same memory, to be used again.
    pub(super) fn give_segments(&mut self, mut segments: Vec<Segment>) {
        segments.clear();
        self.spare = segments;
    }

    fn is_full(&self) -> bool {
        self.plans.len() >= BATCH || self.encrypted.len() >= BATCH || self.arena.len() >= ARENA
    }

    fn clear(&mut self) {
        self.plans.clear();
        self.encrypted.clear();
        self.segments.clear();
        self.arena.clear();
    }
}

impl State {
    /// Visits every session that has something to send once; whether any has more. What is taken
    /// in between two batches reaches those that are yet to be visited, so that a message waits for
    /// half a pass and not for the rest of one and half of the next.
    pub(super) fn send_pass(&mut self, mut take_in: impl FnMut(&mut Self)) -> bool {
        let Some(mut batch) = self.batch.take() else {
            return false;
        };
        for _ in 0..self.to_send.len() {
            let Some(index) = self.to_send.pop_front() else {
                break;
            };
            let index = index as usize;
            if let Some(session) = self.sessions.get_mut(index) {
                session.queued = false;
                self.plan(index, &mut batch);
            }
            if batch.is_full() {
                self.send_batch(&mut batch);
                take_in(self);
            }
        }
        self.send_batch(&mut batch);
        self.batch = Some(batch);
        self.trim();
        !self.to_send.is_empty()
    }

    /// Plans what a session is sent next, if anything.
    fn plan(&mut self, index: usize, batch: &mut Batch) {
        let session = &self.sessions[index];
        if session.blocked || session.gone {
            return;
        }
        if session.is_tls && session.holds_records() && !self.flush_records(index) {
            return;
        }
        let session = &self.sessions[index];
        if session.is_events && session.outgoing.is_none() && !session.is_ending() {
            self.fill_events(index, batch);
        }
        let session = &self.sessions[index];
        let begin = batch.segments.len();
        let mut plan = Plan {
            session: number(index),
            source: Source::Own,
            len: session.outgoing_len(),
            segments: begin..begin,
            created: Monotonic(0),
        };
        if plan.len == 0 {
            if session.is_ending() {
                return;
            }
            self.plan_streams(index, &mut plan, &mut batch.segments, VISIT);
            match batch.segments.len() - begin {
                0 => return,
                1 => plan.source = Source::Segment,
                _ => {
                    plan.source = Source::Arena(batch.arena.len());
                    let session = &self.sessions[index];
                    for segment in &batch.segments[begin..] {
                        if let Some(frames) = self.frames(session, segment) {
                            batch.arena.extend_from_slice(frames.bytes());
                        }
                    }
                }
            }
            plan.segments = begin..batch.segments.len();
        }
        if self.sessions[index].is_tls {
            batch.encrypted.push(plan);
        } else {
            batch.plans.push(plan);
        }
    }

    /// Takes subscribers that have something to send until they make up a visit.
    pub(super) fn plan_streams(
        &mut self,
        index: usize,
        plan: &mut Plan,
        segments: &mut Vec<Segment>,
        visit: usize,
    ) {
        let begin = segments.len();
        while plan.len < GATHER.min(visit) {
            let session = &mut self.sessions[index];
            let Some(sub_index) = session.pop_ready() else {
                return;
            };
            let Some(sub) = session.sub(sub_index) else {
                continue;
            };
            let stream = &self.streams[sub.stream as usize];
            let most = visit - plan.len;
            let frames = match sub.phase {
                Phase::Starting | Phase::Paging | Phase::Replaying => session
                    .start_of(sub_index)
                    .and_then(|start| start.run.frames_from(start.cursor, most)),
                Phase::Live if stream.ring.has_fallen(sub.cursor()) => {
                    self.fall(index, sub_index);
                    if self.sessions[index].is_ending() {
                        segments.truncate(begin);
                        return;
                    }
                    continue;
                }
                Phase::Live => stream.ring.frames_from(sub.cursor(), most),
                Phase::Parked => {
                    self.ask_to_catch_up(index, sub_index);
                    continue;
                }
                Phase::Replayed => {
                    self.ask_for_page(index, sub_index);
                    continue;
                }
                _ => continue,
            };
            let (Some(frames), Ok(sub)) = (frames, u16::try_from(sub_index)) else {
                continue;
            };
            if plan.len == 0 {
                plan.created = frames.created();
            }
            let len = frames.bytes().len();
            plan.len += len;
            segments.push(Segment { sub, len });
        }
    }

    /// The frames of a segment.
    pub(super) fn frames<'a>(
        &'a self,
        session: &'a Session,
        segment: &Segment,
    ) -> Option<Frames<'a>> {
        let index = usize::from(segment.sub);
        let sub = session.sub(index)?;
        if sub.phase.has_beginning() {
            let start = session.start_of(index)?;
            return start.run.frames_from(start.cursor, segment.len);
        }
        let stream = self.streams.get(sub.stream as usize)?;
        stream.ring.frames_from(sub.cursor(), segment.len)
    }

    /// Makes the planned sends, and notes how far they went.
    fn send_batch(&mut self, batch: &mut Batch) {
        if !batch.encrypted.is_empty() {
            self.send_encrypted(batch);
        }
        if !batch.plans.is_empty() {
            self.send_plain(batch);
        }
        batch.clear();
    }

    /// Makes the planned sends of sessions without TLS.
    fn send_plain(&mut self, batch: &mut Batch) {
        let begin = monotonic();
        let (plans, segments, arena) = (&batch.plans, &batch.segments, &batch.arena);
        let send = |index: usize| {
            let plan: &Plan = &plans[index];
            let session = &self.sessions[plan.session as usize];
            (&session.io, self.bytes_of(plan, session, segments, arena))
        };
        batch.sender.send(plans.len(), send, &mut batch.results);
        let each = monotonic().nanos_since(begin) / plans.len() as u64;
        self.metrics
            .stage_send
            .record_many_ns(each, plans.len() as u64);
        for (plan, result) in batch.plans.iter().zip(batch.results.drain(..)) {
            let segments = &batch.segments[plan.segments.clone()];
            self.note(plan, segments, begin, result);
        }
    }

    /// Makes the planned sends of sessions with TLS: each encrypts the same bytes with keys of its
    /// own, so there is nothing to be made together.
    fn send_encrypted(&mut self, batch: &Batch) {
        for plan in &batch.encrypted {
            let begin = monotonic();
            let index = plan.session as usize;
            // Out of its session while that is read from.
            let Some(mut tls) = self.sessions[index].about.tls.take() else {
                continue;
            };
            let session = &self.sessions[index];
            let bytes = self.bytes_of(plan, session, &batch.segments, &batch.arena);
            let result = tls.send(&session.io, bytes);
            self.sessions[index].about.tls = Some(tls);
            self.metrics
                .stage_send
                .record_ns(monotonic().nanos_since(begin));
            let segments = &batch.segments[plan.segments.clone()];
            self.note(plan, segments, begin, result);
            if self.sessions[index].holds_records() {
                self.block(index);
            }
        }
    }

    /// The bytes of a plan.
    fn bytes_of<'a>(
        &'a self,
        plan: &Plan,
        session: &'a Session,
        segments: &[Segment],
        arena: &'a [u8],
    ) -> &'a [u8] {
        match plan.source {
            Source::Own => session
                .outgoing
                .as_ref()
                .map_or(&[][..], |outgoing| outgoing.bytes()),
            Source::Segment => self
                .frames(session, &segments[plan.segments.start])
                .map_or(&[][..], |frames| frames.bytes()),
            Source::Arena(at) => &arena[at..at + plan.len],
        }
    }

    /// Notes how far a send went.
    fn note(
        &mut self,
        plan: &Plan,
        segments: &[Segment],
        begin: Monotonic,
        result: io::Result<usize>,
    ) {
        let index = plan.session as usize;
        match result {
            Ok(sent) => {
                if !segments.is_empty() {
                    self.metrics
                        .stage_queue
                        .record_ns(begin.nanos_since(plan.created));
                }
                self.note_sent(index, plan, segments, sent);
            }
            Err(error) => self.not_sent(index, segments, &error),
        }
    }

    /// Has a session's socket take what its TLS holds; whether it took all.
    pub(super) fn flush_records(&mut self, index: usize) -> bool {
        let Some(session) = self.sessions.get_mut(index) else {
            return false;
        };
        let Some(tls) = &mut session.about.tls else {
            return true;
        };
        match tls.flush(&session.io) {
            Ok(true) => {
                if session.is_ending() && session.outgoing.is_none() {
                    session.end_sending();
                    self.may_have_ended(index);
                }
                true
            }
            Ok(false) => {
                self.block(index);
                false
            }
            Err(_) => {
                self.lose(index);
                false
            }
        }
    }

    /// So many bytes of a plan went.
    fn note_sent(&mut self, index: usize, plan: &Plan, segments: &[Segment], sent: usize) {
        let session = &mut self.sessions[index];
        session.bytes_out += sent as u64;
        self.sent.sends += 1;
        self.sent.bytes += sent as u64;
        self.metrics.sends.inc();
        self.metrics.bytes_out[encoding_label(session.encoding)].add(sent as u64);
        if segments.is_empty() {
            self.sent_own(index, sent);
        }
        let mut left = sent;
        for segment in segments {
            let part = left.min(segment.len);
            left -= part;
            self.pass(index, segment, part);
        }
        if sent < plan.len {
            self.metrics.sends_short.inc();
            self.block(index);
            return;
        }
        let session = &self.sessions[index];
        if session.has_ready() || session.outgoing.is_some() {
            self.mark_to_send(index);
        }
    }

    /// Bytes of what a session has outgoing went.
    fn sent_own(&mut self, index: usize, sent: usize) {
        let session = &mut self.sessions[index];
        if let Some(outgoing) = &mut session.outgoing {
            outgoing.pass(sent);
            if !outgoing.is_empty() {
                return;
            }
        }
        session.outgoing = None;
        if session.is_ending() {
            // The client sees the end of the stream behind the close frame, and closes.
            session.end_sending();
            self.may_have_ended(index);
        }
        self.read_on(index);
    }

    /// Moves a subscriber over all of a segment.
    pub(super) fn pass_whole(&mut self, index: usize, segment: &Segment) {
        self.pass(index, segment, segment.len);
    }

    /// Moves a subscriber over the bytes that went. Where its last frame went in part, the rest
    /// becomes the session's own.
    fn pass(&mut self, index: usize, segment: &Segment, part: usize) {
        let session = &mut self.sessions[index];
        let sub_index = usize::from(segment.sub);
        let Some(sub) = session.sub(sub_index) else {
            return;
        };
        let slot = sub.stream as usize;
        let starts = sub.phase.has_beginning();
        let mut cursor = sub.cursor();
        let stream = &mut self.streams[slot];
        let mut outgoing = session.outgoing.take();
        let mut frames_passed = 0;
        let mut pass = |frames: Option<Frames<'_>>, cursor: &mut _| {
            let Some(frames) = frames else { return };
            let passed = frames.pass(cursor, part);
            frames_passed = passed.frames as u64;
            if !passed.rest.is_empty() {
                outgoing.get_or_insert_default().push_rest(passed.rest);
            }
        };
        let mut has_more = false;
        if starts {
            if let Some(start) = session.start_of_mut(sub_index) {
                let run = std::sync::Arc::clone(&start.run);
                pass(
                    run.frames_from(start.cursor, segment.len),
                    &mut start.cursor,
                );
                has_more = run.frames_from(start.cursor, 0).is_some();
            }
            if !has_more {
                session.forget_start(sub_index);
                has_more = !stream.ring.is_at_end(cursor);
                if let Some(sub) = session.sub_mut(sub_index) {
                    sub.phase = match sub.phase {
                        Phase::Paging => Phase::Parked,
                        Phase::Replaying => Phase::Replayed,
                        _ => Phase::Live,
                    };
                    has_more |= sub.phase != Phase::Live;
                }
            }
        } else {
            pass(stream.ring.frames_from(cursor, segment.len), &mut cursor);
            has_more = !stream.ring.is_at_end(cursor);
            if let Some(sub) = session.sub_mut(sub_index) {
                let begun = sub.cursor().frame < stream.epoch_from;
                if begun && cursor.frame >= stream.epoch_from {
                    sub.epoch = stream.epoch;
                }
                sub.set_cursor(cursor);
            }
            if !has_more {
                stream.behind -= 1;
                if stream.behind == 0 {
                    self.touched.push(slot);
                }
            }
        }
        session.messages_out += frames_passed;
        session.outgoing = outgoing;
        if has_more {
            session.mark_ready(sub_index);
        }
        let (channel, encoding) = (
            channel_label(stream.key.channel),
            encoding_label(stream.encoding),
        );
        self.metrics.messages_out[channel][encoding].add(frames_passed);
    }

    /// Nothing of a plan went.
    fn not_sent(&mut self, index: usize, segments: &[Segment], error: &io::Error) {
        let session = &mut self.sessions[index];
        for segment in segments {
            session.mark_ready(usize::from(segment.sub));
        }
        match error.kind() {
            io::ErrorKind::WouldBlock => self.block(index),
            io::ErrorKind::Interrupted => self.mark_to_send(index),
            _ => self.lose(index),
        }
    }

    /// The socket is full: nothing is sent before it is writable.
    fn block(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && !session.blocked
        {
            session.blocked = true;
            self.blocked += 1;
        }
    }
}
