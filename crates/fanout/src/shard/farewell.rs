//! One line of the log for each session that ends.

use std::time::Instant;

use super::state::State;
use crate::session::Session;

/// Lines a second and shard in the long run, and at once: a fleet that moves 20,000 sessions leaves
/// a log that can still be read. What is left out is counted in the next line.
const LINES: u32 = 20;
const LINES_AT_ONCE: u32 = 100;

impl State {
    /// Says what a session was. Its token is neither known here nor said.
    pub(super) fn say_farewell(&mut self, session: &Session) {
        let now = Instant::now();
        let millis = self.millis(now);
        if !self.lines.take(LINES, LINES_AT_ONCE, millis) {
            self.lines_left_out += 1;
            return;
        }
        let about = &session.about;
        let (code, reason) = match &session.ending {
            Some(ending) => (ending.code, &*ending.reason),
            // As RFC 6455, section 7.1.5, calls an end without a close frame.
            None => (1006, "the connection was lost"),
        };
        tracing::info!(
            peer = %about.peer,
            subject = about.seat.grant().subject(),
            encoding = session.encoding.subprotocol(),
            tls = session.is_tls,
            seconds = now.saturating_duration_since(about.opened).as_secs_f64(),
            messages = session.messages_out,
            bytes = session.bytes_out,
            conflated = about.conflated,
            code,
            reason,
            left_out = std::mem::take(&mut self.lines_left_out),
            "session ended"
        );
    }

    pub(super) const fn lines() -> u32 {
        LINES_AT_ONCE
    }
}
