//! One line of the log for each session that ends.

use fanout_core::{ClosedBy, Ended, TokenBucket};

use super::sockets::ClientInfo;

/// Lines a second and shard in the long run, and at once: a fleet that moves 20,000 sessions leaves
/// a log that can still be read. What is left out is counted in the next line.
const LINES: u32 = 20;
const LINES_AT_ONCE: u32 = 100;

/// Logs the ends of sessions, and bounds how many.
pub(super) struct EndLog {
    bucket: TokenBucket,
    left_out: u64,
}

impl EndLog {
    pub(super) const fn new(millis: u32) -> Self {
        Self {
            bucket: TokenBucket::full(LINES_AT_ONCE, millis),
            left_out: 0,
        }
    }

    /// Logs what a session was. Its token is neither known here nor logged.
    pub(super) fn log(&mut self, ended: &Ended, client: &ClientInfo, millis: u32) {
        if !self.bucket.take(LINES, LINES_AT_ONCE, millis) {
            self.left_out += 1;
            return;
        }
        tracing::info!(
            peer = %client.peer,
            subject = client.permit.grant().subject(),
            encoding = ended.encoding.subprotocol(),
            tls = client.tls.is_some(),
            seconds = ended.lasted.as_secs_f64(),
            messages = ended.messages,
            bytes = ended.bytes,
            conflated = ended.conflated,
            code = ended.code,
            by = match ended.by {
                ClosedBy::Node => "node",
                ClosedBy::Client => "client",
                ClosedBy::Nobody => "nobody",
            },
            reason = &*ended.reason,
            left_out = std::mem::take(&mut self.left_out),
            "session ended"
        );
    }
}
