//! SSE sessions: their messages become their own bytes, framed individually.
//!
//! A WebSocket is sent a stream's own bytes, which all share. SSE is a separate path, of which the
//! pump only knows where it starts.

use market::Monotonic;

use super::Core;
use super::batch::{Batch, Plan, Segment};
use crate::session::{Phase, Session};
use crate::sse::write_data;

/// Bytes of messages that a session takes per visit, but at least one message: what a slow SSE
/// client may hold where a WebSocket holds part of a frame.
const VISIT: usize = 16 * 1024;

impl Core {
    /// Moves the next messages of an SSE session into its own bytes.
    pub(super) fn fill_sse(&mut self, index: usize, batch: &mut Batch) {
        let mut plan = Plan::of(index);
        let mut segments = batch.take_segments();
        self.plan_streams(index, &mut plan, &mut segments, VISIT);
        // It may have been disconnected for its lag meanwhile.
        let session = self.sessions.get(index);
        let ended = session.is_none_or(Session::is_ending);
        if !segments.is_empty() && !ended {
            self.write_events(index, &segments);
            let begin = plan.created();
            if begin != Monotonic(0) {
                let waited = self.now.monotonic.nanos_since(begin);
                self.metrics.stage_queue.record_ns(waited);
            }
        }
        batch.give_segments(segments);
    }

    fn write_events(&mut self, index: usize, segments: &[Segment]) {
        let session = self.sessions.get_mut(index);
        let Some(mut sse) = session.and_then(|session| session.sse.take()) else {
            return;
        };
        let each_has_id = sse.each_has_id();
        let mut out = Vec::with_capacity(VISIT + VISIT / 4);
        let mut left: usize = segments.len();
        for segment in segments {
            left -= 1;
            let subscription = segment.subscription();
            let Some(session) = self.sessions.get(index) else {
                break;
            };
            let begins = session
                .subscription(subscription)
                .is_some_and(|subscription| {
                    subscription.phase.has_backlog() && subscription.phase != Phase::Replaying
                });
            if let Some(frames) = self.frames(session, segment) {
                let mut messages = frames.messages().peekable();
                while let Some((message, seq)) = messages.next() {
                    sse.passed(subscription, message, seq, begins);
                    if each_has_id || left == 0 && messages.peek().is_none() {
                        sse.write_id(&mut out);
                    }
                    write_data(&mut out, message);
                    out.push(b'\n');
                }
            }
            self.pass_whole(index, segment);
            let session = self.sessions.get(index);
            let whole = session
                .and_then(|session| session.subscription(subscription))
                .filter(|subscription| {
                    // The backlog has been sent completely.
                    begins
                        && matches!(
                            subscription.phase,
                            Phase::Live | Phase::Due | Phase::Lagging
                        )
                });
            if let Some(subscription) = whole {
                sse.began(segment.subscription(), subscription.position());
            }
        }
        if let Some(session) = self.sessions.get_mut(index) {
            session.sse = Some(sse);
            session.outgoing().push_framed(&out);
        }
    }
}
