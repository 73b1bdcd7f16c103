//! Closing sessions.

use std::time::Duration;

use metrics::label::CloseReason;
use streams::Opcode;
use wire::close;

use super::{Core, Ended};
use crate::session::{ClosedBy, Ending};

/// Time that a client has to close after it broke a rule; others have the pong timeout.
const SHORT_GRACE: Duration = Duration::from_secs(2);
/// Bytes received and discarded after a close frame before the connection is dropped. Closing a
/// socket with unread bytes would discard the close frame, but a client that keeps sending does not
/// read it anyway.
const LINGER_BYTES: usize = 64 * 1024;

impl Core {
    /// Sends a close frame after the pending bytes; no stream message is sent any more.
    pub(super) fn close(&mut self, index: usize, code: u16, reason: &str) {
        self.close_by(ClosedBy::Node, index, code, reason);
    }

    /// Closes a session whose client broke a rule, and ignores its further input.
    pub(super) fn close_ignoring_input(&mut self, index: usize, code: u16, reason: &str) {
        self.close(index, code, reason);
        if let Some(session) = self.sessions.get_mut(index)
            && let Some(ending) = &mut session.ending
        {
            ending.ignores_input = true;
            ending.until = self.timers.tick_after(SHORT_GRACE, self.now.monotonic);
            session.inbound = None;
            self.out.rule_breakers.push(index);
            self.schedule_cut(index, SHORT_GRACE);
        }
    }

    /// Echoes the client's close code (RFC 6455, section 5.5.1).
    pub(super) fn close_for_client(&mut self, index: usize, code: Option<u16>) {
        let code = code.unwrap_or(close::NORMAL);
        self.close_by(ClosedBy::Client, index, code, "");
        self.client_closed(index);
    }

    /// Notes that the client has closed too.
    pub(super) fn client_closed(&mut self, index: usize) {
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
        // A control frame has at most 125 bytes, two of which are the code.
        payload.extend(reason.bytes().take(123));
        session.say(Opcode::Close, &payload);
        session.ending = Some(Box::new(Ending {
            code,
            reason: reason.into(),
            by,
            until,
            answered: false,
            ignores_input: false,
            discarded: 0,
        }));
        session.request = None;
        self.schedule_cut(index, grace);
        self.metrics.sessions_closed[label_of(by, code)].inc();
        self.leave_all(index);
        self.sessions.mark_to_send(index);
    }

    /// Marks a connection as unusable.
    pub(super) fn lose(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.gone = true;
            self.sessions.mark_to_end(index);
        }
    }

    /// Counts bytes received after the close frame. Returns whether they have to be parsed.
    pub(super) fn linger(&mut self, index: usize, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(index) else {
            return false;
        };
        let Some(ending) = &mut session.ending else {
            return true;
        };
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        ending.discarded = ending.discarded.saturating_add(bytes);
        let ignores_input = ending.ignores_input;
        if ending.discarded as usize > LINGER_BYTES {
            self.lose(index);
            return false;
        }
        !ignores_input
    }

    /// Removes a session that has ended.
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

    /// Ends all subscriptions of a session.
    fn leave_all(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.forget_ready();
        // Last first, so that the list only ever shrinks.
        let mut subscriptions: Vec<usize> = session
            .subscriptions()
            .map(|(subscription, _)| subscription)
            .collect();
        subscriptions.reverse();
        for subscription in subscriptions {
            self.leave(index, subscription);
        }
    }
}

/// Returns the label that a close is counted under.
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
