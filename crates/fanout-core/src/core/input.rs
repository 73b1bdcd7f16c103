//! What comes from clients: bytes, frames, and the ends of connections.

use market::Now;
use streams::Opcode;
use wire::close;

use super::Core;
use crate::inbound::{Inbound, InboundEvent};
use crate::session::Session;

/// What a read that completes no frame costs, in thousandths of a frame: a client that drips bytes
/// costs a system call for each read, so a hundred a second are enough.
const DRIP: u32 = 100;

impl Core {
    /// Returns whether anything may be received from a session. When not, [`Core::take_readable`]
    /// names it once that changes.
    #[must_use]
    pub fn may_receive(&self, index: usize) -> bool {
        let session = self.sessions.get(index);
        session.is_some_and(Session::may_receive)
    }

    /// Takes bytes that a client sent.
    pub fn received(&mut self, index: usize, bytes: &[u8], now: Now) {
        self.now = now;
        self.metrics.bytes_in.add(bytes.len() as u64);
        if !self.linger(index, bytes.len()) {
            return;
        }
        let max = self.settings.inbound_message_bytes;
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.has_received = true;
        if session.is_events {
            // It has asked already; anything else that it sends is ignored.
            self.spend(index, DRIP);
            return;
        }
        let make = || Box::new(Inbound::new(max));
        session.inbound.get_or_insert_with(make).push(bytes);
        if self.read_frames(index) == 0 {
            self.spend(index, DRIP);
        }
    }

    /// Reads what a session's client sent while it could not be read from.
    pub fn resume(&mut self, index: usize, now: Now) {
        self.now = now;
        self.read_frames(index);
    }

    /// The connection has ended.
    pub fn lost(&mut self, index: usize) {
        self.lose(index);
    }

    /// Reading or writing the connection failed.
    pub fn failed(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.failed = true;
        }
        self.lose(index);
    }

    /// The socket is full.
    pub fn block(&mut self, index: usize) {
        self.sessions.block(index);
    }

    /// The socket has room again.
    pub fn writable(&mut self, index: usize) {
        if self.sessions.unblock(index) {
            self.sessions.mark_to_send(index);
            self.sessions.mark_to_end(index);
        }
    }

    /// Takes thousandths of a frame from what a client may send; closes its session where that is
    /// too much. Returns whether it was not.
    fn spend(&mut self, index: usize, thousandths: u32) -> bool {
        let now = self.millis();
        let (rate, burst) = (self.settings.inbound_rate, self.settings.burst());
        let Some(session) = self.sessions.get_mut(index) else {
            return false;
        };
        let may = session.bucket.take_part(thousandths, rate, burst, now);
        if !may && !session.is_ending() {
            self.metrics.rate_limited.inc();
            let reason = "more messages than allowed";
            self.close_ignoring_input(index, close::RATE_EXCEEDED, reason);
        }
        may
    }

    /// Reads frames, up to a request that waits for its publishers; returns how many.
    fn read_frames(&mut self, index: usize) -> usize {
        let mut frames = 0;
        while let Some(session) = self.sessions.get_mut(index) {
            if !session.takes_requests() {
                break;
            }
            let Some(inbound) = &mut session.inbound else {
                break;
            };
            let event = inbound.read();
            if inbound.is_idle() {
                session.inbound = None;
            }
            match event {
                Ok(Some(event)) => self.take_event(index, event),
                Ok(None) => break,
                Err(violation) => {
                    let code = violation.close_code();
                    self.close_ignoring_input(index, code, &violation.to_string());
                    break;
                }
            }
            frames += 1;
        }
        frames
    }

    fn take_event(&mut self, index: usize, event: InboundEvent) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        if session.is_ending() {
            if matches!(event, InboundEvent::Close(_)) {
                self.client_closed(index);
            }
            return;
        }
        if let InboundEvent::Close(code) = event {
            return self.close_for_client(index, code);
        }
        // Every frame counts: a pong costs as much to read as a ping.
        if !self.spend(index, 1000) {
            return;
        }
        match event {
            InboundEvent::Fragment | InboundEvent::Pong | InboundEvent::Close(_) => {}
            InboundEvent::Ping(payload) => {
                if let Some(session) = self.sessions.get_mut(index) {
                    session.outgoing().push(Opcode::Pong, &payload);
                    self.sessions.mark_to_send(index);
                }
            }
            InboundEvent::Text(text) => {
                self.metrics.messages_in.inc();
                self.request(index, &text);
            }
        }
    }
}
