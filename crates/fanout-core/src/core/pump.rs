//! Planning and accounting for sends. A pass visits each session with something to send once.

use market::{Monotonic, Now, Seq};
use streams::{Cursor, Frames};

use super::Core;
use super::batch::{Batch, Plan, Segment, Sent, Source};
use crate::session::{Phase, Session};
use crate::sessions::number;

/// Size up to which one session's frames from several streams are copied together and sent at once:
/// a system call costs about as much as copying 64 KiB.
const GATHER: usize = 64 * 1024;
/// Bytes sent to one session per visit, so that others get their turn. Streams are added until they
/// make up `GATHER`; each adds at most this much, but at least one frame.
const VISIT: usize = 128 * 1024;
/// Start of a run.
pub(super) const FIRST: Cursor = Cursor {
    frame: 0,
    seq: Seq::NONE,
};

impl Core {
    /// Returns the number of sessions with something to send.
    #[must_use]
    pub fn sendable(&self) -> usize {
        self.sessions.sendable()
    }

    /// Plans sends until the batch is full, visiting at most `most` sessions, and returns the
    /// number visited. Deliveries taken between two batches reach the sessions not visited yet, so
    /// a message waits half a pass on average.
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

    /// Returns the bytes of a send.
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

    /// Records the outcome of a send that started at `began`.
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

    /// Ends a pass: every session that had something to send when it started has been visited.
    pub fn end_pass(&mut self, now: Now) {
        self.now = now;
        self.trim();
        if !self.traced.is_empty() {
            self.report_passages();
        }
    }

    /// Plans the next send to a session, if there is anything.
    fn plan(&mut self, index: usize, batch: &mut Batch) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        if session.blocked || session.gone {
            return;
        }
        if session.is_sse && session.outgoing.is_none() && !session.is_ending() {
            self.fill_sse(index, batch);
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

    /// Adds segments of ready subscriptions until they make up a visit, and then requests due
    /// backlogs.
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
            let Some(subscription_index) = session.pop_ready() else {
                break;
            };
            let Some(subscription) = session.subscription(subscription_index) else {
                continue;
            };
            let Some(stream) = self.streams.get(subscription.stream as usize) else {
                continue;
            };
            let most = visit - plan.len;
            let frames = match subscription.phase {
                Phase::Starting
                | Phase::StartingInPart
                | Phase::CatchingUpInPart
                | Phase::Replaying => session
                    .backlog_of(subscription_index)
                    .and_then(|start| start.run.frames_from(start.cursor, most)),
                Phase::Live if stream.has_evicted(subscription.cursor()) => {
                    self.handle_lag(index, subscription_index);
                    let session = self.sessions.get(index);
                    if session.is_none_or(Session::is_ending) {
                        segments.truncate(begin);
                        return;
                    }
                    continue;
                }
                Phase::Live => stream.frames_from(subscription.cursor(), most),
                Phase::ReplayPageSent => {
                    self.ask_for_page(index, subscription_index);
                    continue;
                }
                _ => continue,
            };
            let (Some(frames), Ok(subscription)) = (frames, u16::try_from(subscription_index))
            else {
                continue;
            };
            if plan.len == 0 {
                plan.created = frames.created();
            }
            let len = frames.bytes().len();
            plan.len += len;
            segments.push(Segment { subscription, len });
        }
        let session = self.sessions.get(index);
        if session.is_some_and(|session| !session.has_no_backlog()) {
            self.request_backlogs(index);
        }
    }

    /// Returns the frames of a segment.
    pub(super) fn frames<'a>(
        &'a self,
        session: &'a Session,
        segment: &Segment,
    ) -> Option<Frames<'a>> {
        let index = usize::from(segment.subscription);
        let subscription = session.subscription(index)?;
        if subscription.phase.has_backlog() {
            let start = session.backlog_of(index)?;
            return start.run.frames_from(start.cursor, segment.len);
        }
        let stream = self.streams.get(subscription.stream as usize)?;
        stream.frames_from(subscription.cursor(), segment.len)
    }

    /// Records that `sent` bytes of a plan were written.
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
        } else if !session.has_no_backlog() {
            self.request_backlogs(index);
        }
    }

    /// Records that bytes of a session's own were written.
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
            // The client sees the end of the stream after the close frame, and closes its side.
            self.out.finished.push(index);
            self.sessions.mark_to_end(index);
        }
        self.sessions.mark_to_read(index);
    }

    /// Advances a subscription past a whole segment.
    pub(super) fn pass_whole(&mut self, index: usize, segment: &Segment) {
        self.pass(index, segment, segment.len);
    }

    /// Advances a subscription past the bytes written. The rest of a partly written frame becomes
    /// the session's own.
    fn pass(&mut self, index: usize, segment: &Segment, part: usize) {
        let Self {
            sessions, streams, ..
        } = self;
        let Some(session) = sessions.get_mut(index) else {
            return;
        };
        let subscription_index = usize::from(segment.subscription);
        let Some(subscription) = session.subscription(subscription_index) else {
            return;
        };
        let slot = subscription.stream as usize;
        let starts = subscription.phase.has_backlog();
        let mut cursor = subscription.cursor();
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
            if let Some(start) = session.backlog_of_mut(subscription_index) {
                let run = std::sync::Arc::clone(&start.run);
                pass(
                    run.frames_from(start.cursor, segment.len),
                    &mut start.cursor,
                );
                has_more = run.frames_from(start.cursor, 0).is_some();
            }
            if !has_more {
                session.forget_backlog(subscription_index);
                has_more = session.has_begun(subscription_index, !stream.is_at_end(cursor));
            }
        } else {
            pass(stream.frames_from(cursor, segment.len), &mut cursor);
            has_more = !stream.is_at_end(cursor);
            if let Some(subscription) = session.subscription_mut(subscription_index) {
                if let Some(epoch) = stream.epoch_entered(subscription.cursor().frame, cursor.frame)
                {
                    subscription.epoch = epoch;
                }
                subscription.set_cursor(cursor);
            }
            reached_end = !has_more;
        }
        session.messages_out += frames_passed;
        session.outgoing = outgoing;
        if has_more {
            session.mark_ready(subscription_index);
        }
        let (channel, encoding) = (stream.key.channel, stream.encoding);
        if reached_end {
            streams.reached_end(slot);
        }
        self.metrics.messages_out[channel][encoding].add(frames_passed);
    }

    /// Records that nothing of a plan was written.
    fn not_sent(&mut self, index: usize, segments: &[Segment], has_room: bool) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        for segment in segments {
            session.mark_ready(usize::from(segment.subscription));
        }
        if has_room {
            self.sessions.mark_to_send(index);
        } else {
            self.sessions.block(index);
        }
    }
}

impl Session {
    /// Notes that a subscription has been sent its whole backlog. Returns whether it has more to
    /// send now; one with further pages to request goes first.
    fn has_begun(&mut self, subscription_index: usize, is_behind: bool) -> bool {
        let Some(subscription) = self.subscription_mut(subscription_index) else {
            return false;
        };
        subscription.phase = match subscription.phase {
            Phase::StartingInPart => Phase::Due,
            Phase::CatchingUpInPart => Phase::Lagging,
            Phase::Replaying => Phase::ReplayPageSent,
            _ => Phase::Live,
        };
        match subscription.phase {
            Phase::Live => is_behind,
            Phase::ReplayPageSent => true,
            _ => {
                if let Ok(subscription) = u16::try_from(subscription_index) {
                    self.backlogs_mut().ask_next(subscription);
                }
                false
            }
        }
    }
}
