//! Sending: each session that has something to send is visited once a pass.

use std::ops::Range;

use market::{Monotonic, Now, Seq};
use streams::{Cursor, Frames};

use super::Core;
use crate::session::{Phase, Session};
use crate::sessions::number;

/// Sends of one batch.
pub(super) const SENDS: usize = 64;
/// Several streams' frames for one session are copied together up to this size and sent at once:
/// a system call costs about as much as copying 64 KiB.
const GATHER: usize = 64 * 1024;
/// Bytes that one session is sent a visit; then others have their turn. Its streams are visited
/// until they make up `GATHER`, and each brings at most this much and at least one frame.
const VISIT: usize = 128 * 1024;
/// Bytes gathered for a batch of sessions: those of a few busy ones, or of a whole batch of the
/// usual kind.
const ARENA: usize = 64 * 1024;

/// Where a run begins.
pub(super) const FIRST: Cursor = Cursor {
    frame: 0,
    seq: Seq::NONE,
};

/// Sends that are made together; its memory is used again.
#[derive(Default)]
pub struct Batch {
    plans: Vec<Plan>,
    segments: Vec<Segment>,
    spare: Vec<Segment>,
    /// Frames of several streams that go to one session.
    arena: Vec<u8>,
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

/// Frames of one subscription: those from its cursor on that have this length.
pub(super) struct Segment {
    sub: u16,
    len: usize,
}

/// How far a send went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// So many bytes went.
    Bytes {
        /// How many.
        bytes: usize,
        /// Whether more can go before the socket is writable; where not all bytes went, it cannot.
        has_room: bool,
    },
    /// The connection has ended.
    Lost,
    /// Sending failed.
    Failed,
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
    /// How many sends it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.plans.len()
    }

    /// Returns whether it has none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.plans.is_empty()
    }

    /// The session that a send is for.
    #[must_use]
    pub fn session(&self, send: usize) -> Option<usize> {
        self.plans.get(send).map(|plan| plan.session as usize)
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
        self.plans.len() >= SENDS || self.arena.len() >= ARENA
    }

    fn clear(&mut self) {
        self.plans.clear();
        self.segments.clear();
        self.arena.clear();
    }
}

impl Core {
    /// How many sessions have something to send: a pass visits so many.
    #[must_use]
    pub fn sendable(&self) -> usize {
        self.sessions.sendable()
    }

    /// Plans sends until the batch is full, visiting at most so many sessions. Returns how many were
    /// visited. What is delivered between two batches reaches the sessions that are yet to be
    /// visited, so that a message waits for half a pass and not for the rest of one and half of the
    /// next.
    pub fn fill(&mut self, batch: &mut Batch, most: usize, now: Now) -> usize {
        self.now = now;
        batch.clear();
        let mut visited = 0;
        while visited < most && !batch.is_full() {
            let Some(index) = self.sessions.next_to_send() else {
                break;
            };
            visited += 1;
            self.plan(index, batch);
        }
        visited
    }

    /// The bytes of one of a batch's sends.
    #[must_use]
    pub fn bytes<'a>(&'a self, batch: &'a Batch, send: usize) -> &'a [u8] {
        let plan = &batch.plans[send];
        match plan.source {
            Source::Arena(at) => &batch.arena[at..at + plan.len],
            Source::Own => {
                let session = self.sessions.get(plan.session as usize);
                let outgoing = session.and_then(|session| session.outgoing.as_ref());
                outgoing.map_or(&[][..], |outgoing| outgoing.bytes())
            }
            Source::Segment => {
                let segment = &batch.segments[plan.segments.start];
                let session = self.sessions.get(plan.session as usize);
                let frames = session.and_then(|session| self.frames(session, segment));
                frames.map_or(&[][..], |frames| frames.bytes())
            }
        }
    }

    /// Notes how far one of a batch's sends went, which began at that time.
    pub fn sent(&mut self, batch: &Batch, send: usize, sent: Sent, began: Monotonic) {
        let plan = &batch.plans[send];
        let index = plan.session as usize;
        let segments = &batch.segments[plan.segments.clone()];
        match sent {
            Sent::Lost => self.lose(index),
            Sent::Failed => self.failed(index),
            Sent::Bytes { bytes: 0, has_room } => self.not_sent(index, segments, has_room),
            Sent::Bytes { bytes, has_room } => {
                if !segments.is_empty() {
                    let waited = began.nanos_since(plan.created);
                    self.metrics.stage_queue.record_ns(waited);
                }
                self.note_sent(plan, segments, bytes, has_room);
            }
        }
    }

    /// All sessions that had something to send have been visited, or as many as there were when the
    /// pass began.
    pub fn end_pass(&mut self, now: Now) {
        self.now = now;
        self.trim();
        if !self.followed.is_empty() {
            self.report_passages();
        }
    }

    /// Plans what a session is sent next, if anything.
    fn plan(&mut self, index: usize, batch: &mut Batch) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        if session.blocked || session.gone {
            return;
        }
        if session.is_events && session.outgoing.is_none() && !session.is_ending() {
            self.fill_events(index, batch);
        }
        let Some(session) = self.sessions.get(index) else {
            return;
        };
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
                    let Some(session) = self.sessions.get(index) else {
                        return;
                    };
                    for segment in &batch.segments[begin..] {
                        if let Some(frames) = self.frames(session, segment) {
                            batch.arena.extend_from_slice(frames.bytes());
                        }
                    }
                }
            }
            plan.segments = begin..batch.segments.len();
        }
        batch.plans.push(plan);
    }

    /// Takes subscriptions that have something to send until they make up a visit; then has those
    /// that lag or are to begin ask their publishers.
    pub(super) fn plan_streams(
        &mut self,
        index: usize,
        plan: &mut Plan,
        segments: &mut Vec<Segment>,
        visit: usize,
    ) {
        let begin = segments.len();
        while plan.len < GATHER.min(visit) {
            let Some(session) = self.sessions.get_mut(index) else {
                return;
            };
            let Some(sub_index) = session.pop_ready() else {
                break;
            };
            let Some(sub) = session.sub(sub_index) else {
                continue;
            };
            let Some(stream) = self.streams.get(sub.stream as usize) else {
                continue;
            };
            let most = visit - plan.len;
            let frames = match sub.phase {
                Phase::Starting | Phase::Leading | Phase::Paging | Phase::Replaying => session
                    .start_of(sub_index)
                    .and_then(|start| start.run.frames_from(start.cursor, most)),
                Phase::Live if stream.has_fallen(sub.cursor()) => {
                    self.fall(index, sub_index);
                    let session = self.sessions.get(index);
                    if session.is_none_or(Session::is_ending) {
                        segments.truncate(begin);
                        return;
                    }
                    continue;
                }
                Phase::Live => stream.frames_from(sub.cursor(), most),
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
        let session = self.sessions.get(index);
        if session.is_some_and(|session| !session.has_no_beginnings()) {
            self.ask_for_beginnings(index);
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
        stream.frames_from(sub.cursor(), segment.len)
    }

    /// So many bytes of a plan went.
    fn note_sent(&mut self, plan: &Plan, segments: &[Segment], sent: usize, has_room: bool) {
        let index = plan.session as usize;
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.bytes_out += sent as u64;
        self.metrics.sends.inc();
        self.metrics.bytes_out[session.encoding].add(sent as u64);
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
        }
        if sent < plan.len || !has_room {
            self.sessions.block(index);
            return;
        }
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        if session.has_ready() || session.outgoing.is_some() {
            self.sessions.mark_to_send(index);
        } else if !session.has_no_beginnings() {
            self.ask_for_beginnings(index);
        }
    }

    /// Bytes of what a session has outgoing went.
    fn sent_own(&mut self, index: usize, sent: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if let Some(outgoing) = &mut session.outgoing {
            outgoing.pass(sent);
            if !outgoing.is_empty() {
                return;
            }
        }
        session.outgoing = None;
        if session.is_ending() {
            // The client sees the end of the stream after the close frame, and closes.
            self.out.finished.push(index);
            self.sessions.mark_to_end(index);
        }
        self.sessions.mark_to_read(index);
    }

    /// Moves a subscription over all of a segment.
    pub(super) fn pass_whole(&mut self, index: usize, segment: &Segment) {
        self.pass(index, segment, segment.len);
    }

    /// Moves a subscription over the bytes that went. Where its last frame went in part, the rest
    /// becomes the session's own.
    fn pass(&mut self, index: usize, segment: &Segment, part: usize) {
        let Self {
            sessions, streams, ..
        } = self;
        let Some(session) = sessions.get_mut(index) else {
            return;
        };
        let sub_index = usize::from(segment.sub);
        let Some(sub) = session.sub(sub_index) else {
            return;
        };
        let slot = sub.stream as usize;
        let starts = sub.phase.has_beginning();
        let mut cursor = sub.cursor();
        let Some(stream) = streams.get(slot) else {
            return;
        };
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
        let mut reached_end = false;
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
                has_more = session.has_begun(sub_index, !stream.is_at_end(cursor));
            }
        } else {
            pass(stream.frames_from(cursor, segment.len), &mut cursor);
            has_more = !stream.is_at_end(cursor);
            if let Some(sub) = session.sub_mut(sub_index) {
                if let Some(epoch) = stream.epoch_entered(sub.cursor().frame, cursor.frame) {
                    sub.epoch = epoch;
                }
                sub.set_cursor(cursor);
            }
            reached_end = !has_more;
        }
        session.messages_out += frames_passed;
        session.outgoing = outgoing;
        if has_more {
            session.mark_ready(sub_index);
        }
        let (channel, encoding) = (stream.key.channel, stream.encoding);
        if reached_end {
            streams.reached_end(slot);
        }
        self.metrics.messages_out[channel][encoding].add(frames_passed);
    }

    /// Nothing of a plan went.
    fn not_sent(&mut self, index: usize, segments: &[Segment], has_room: bool) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        for segment in segments {
            session.mark_ready(usize::from(segment.sub));
        }
        if has_room {
            self.sessions.mark_to_send(index);
        } else {
            self.sessions.block(index);
        }
    }
}

impl Session {
    /// A subscription has been sent all of what it began with, or was caught up with. Returns whether
    /// it has more to send now; one that is to ask for more does so before others.
    fn has_begun(&mut self, sub_index: usize, is_behind: bool) -> bool {
        let Some(sub) = self.sub_mut(sub_index) else {
            return false;
        };
        sub.phase = match sub.phase {
            Phase::Leading => Phase::Due,
            Phase::Paging => Phase::Parked,
            Phase::Replaying => Phase::Replayed,
            _ => Phase::Live,
        };
        match sub.phase {
            Phase::Live => is_behind,
            Phase::Replayed => true,
            _ => {
                if let Ok(sub) = u16::try_from(sub_index) {
                    self.beginnings_mut().ask_next(sub);
                }
                false
            }
        }
    }
}
