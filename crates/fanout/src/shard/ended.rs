//! The log line of a session that has ended.

use fanout_core::{ClosedBy, Ended, TokenBucket};

use super::sockets::ClientInfo;

/// Lines per second and shard, sustained and in a burst: a fleet that moves 20,000 sessions should
/// leave a readable log. The next line counts those left out.
const LINES: u32 = 20;
const LINES_AT_ONCE: u32 = 100;

/// Logs ended sessions, within a rate limit.
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

    /// Logs a session's summary. The client's token is neither known here nor logged.
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
