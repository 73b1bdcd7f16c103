//! The end of a session.

use std::time::Duration;

use metrics::label::CloseReason;
use streams::Opcode;
use wire::close;

use super::{Core, Ended};
use crate::session::{ClosedBy, Ending};

/// How long a client that broke a rule is given to close as well; others have the time of a pong.
const SHORT_GRACE: Duration = Duration::from_secs(2);
/// Bytes that are received and thrown away after a close frame, before the connection is cut:
/// closing a socket with unread bytes discards the close frame, and a client that keeps sending has
/// no use for it.
const LINGER_BYTES: usize = 64 * 1024;

impl Core {
    /// Sends a close frame after what is outgoing, and nothing of its streams any more.
    pub(super) fn close(&mut self, index: usize, code: u16, reason: &str) {
        self.close_by(ClosedBy::Node, index, code, reason);
    }

    /// Closes a session whose client broke a rule. What it sends from now on is ignored.
    pub(super) fn close_deaf(&mut self, index: usize, code: u16, reason: &str) {
        self.close(index, code, reason);
        if let Some(session) = self.sessions.get_mut(index)
            && let Some(ending) = &mut session.ending
        {
            ending.deaf = true;
            ending.until = self.timers.tick_after(SHORT_GRACE, self.now.monotonic);
            session.inbound = None;
            self.out.rule_breakers.push(index);
            self.schedule_cut(index, SHORT_GRACE);
        }
    }

    /// Answers the client's close frame with its own code (RFC 6455, section 5.5.1).
    pub(super) fn close_for_client(&mut self, index: usize, code: Option<u16>) {
        let code = code.unwrap_or(close::NORMAL);
        self.close_by(ClosedBy::Client, index, code, "");
        self.closed_as_well(index);
    }

    /// The client has closed as well.
    pub(super) fn closed_as_well(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && let Some(ending) = &mut session.ending
        {
            ending.answered = true;
            self.sessions.mark_to_end(index);
        }
    }

    pub(super) fn close_restart(&mut self, index: usize) {
        let reason = "the node stops; reconnect and resume";
        self.close(index, close::RESTART, reason);
    }

    fn close_by(&mut self, by: ClosedBy, index: usize, code: u16, reason: &str) {
        let grace = self.settings.pong_timeout;
        let until = self.timers.tick_after(grace, self.now.monotonic);
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if session.is_ending() {
            return;
        }
        let mut payload = code.to_be_bytes().to_vec();
        // A control frame has at most 125 bytes; our reasons are short.
        payload.extend(reason.bytes().take(123));
        session.say(Opcode::Close, &payload);
        session.ending = Some(Box::new(Ending {
            code,
            reason: reason.into(),
            by,
            until,
            answered: false,
            deaf: false,
            discarded: 0,
        }));
        session.request = None;
        self.schedule_cut(index, grace);
        self.metrics.sessions_closed[label_of(by, code)].inc();
        self.leave_all(index);
        self.sessions.mark_to_send(index);
    }

    /// The connection is of no more use.
    pub(super) fn lose(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.gone = true;
            self.sessions.mark_to_end(index);
        }
    }

    /// Counts bytes that came after the close frame. Returns whether they are to be read at all.
    pub(super) fn linger(&mut self, index: usize, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(index) else {
            return false;
        };
        let Some(ending) = &mut session.ending else {
            return true;
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        ending.discarded = ending.discarded.saturating_add(bytes);
        let is_deaf = ending.deaf;
        if ending.discarded as usize > LINGER_BYTES {
            self.lose(index);
            return false;
        }
        !is_deaf
    }

    /// Forgets a session that has ended.
    pub(super) fn remove(&mut self, index: usize) {
        self.leave_all(index);
        let Some(session) = self.sessions.remove(index) else {
            return;
        };
        self.metrics.sessions_open.dec();
        let (code, reason, by) = match session.ending {
            Some(ending) => (ending.code, ending.reason, ending.by),
            None => {
                let (label, reason) = if session.failed {
                    (CloseReason::Io, "the connection failed")
                } else {
                    (CloseReason::Disconnected, "the connection was lost")
                };
                self.metrics.sessions_closed[label].inc();
                (1006, reason.into(), ClosedBy::Nobody)
            }
        };
        self.out.ended.push(Ended {
            session: index,
            code,
            reason,
            by,
            encoding: session.encoding,
            lasted: self.now.monotonic.since(session.opened),
            messages: session.messages_out,
            bytes: session.bytes_out,
            conflated: u64::from(session.conflated),
        });
    }

    /// Ends all subscriptions of a session; its streams go on without it.
    fn leave_all(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.forget_ready();
        // From the last one on, so that the list only ever gets shorter.
        let mut subs: Vec<usize> = session.subs().map(|(sub, _)| sub).collect();
        subs.reverse();
        for sub in subs {
            self.leave(index, sub);
        }
    }
}

/// What a close is counted as: a client's own code says nothing of the node.
fn label_of(by: ClosedBy, code: u16) -> CloseReason {
    if by != ClosedBy::Node {
        return CloseReason::Client;
    }
    match code {
        close::PROTOCOL_ERROR => CloseReason::Protocol,
        close::UNSUPPORTED_DATA => CloseReason::Binary,
        close::INVALID_TEXT => CloseReason::BadText,
        close::TOO_LARGE => CloseReason::TooLarge,
        close::RESTART => CloseReason::Drain,
        close::TOO_SLOW => CloseReason::TooSlow,
        close::HEARTBEAT => CloseReason::Heartbeat,
        close::RATE_EXCEEDED => CloseReason::Rate,
        close::IDLE => CloseReason::Idle,
        _ => CloseReason::Expired,
    }
}
