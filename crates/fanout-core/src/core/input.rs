//! Input from clients: bytes, frames and lost connections.

use market::Now;
use streams::Opcode;
use wire::close;

use super::Core;
use crate::inbound::{Inbound, InboundEvent};
use crate::session::Session;

/// Cost of a read that completes no frame, in thousandths of a frame. A client that drips bytes
/// costs a system call per read, so a hundred frames' worth per second suffice.
const DRIP: u32 = 100;

impl Core {
    /// Returns whether the session may be read. If not, [`Core::take_readable`] returns it once it
    /// may.
    #[must_use]
    pub fn may_receive(&self, index: usize) -> bool {
        let session = self.sessions.get(index);
        session.is_some_and(Session::may_receive)
    }

    /// Takes bytes from a client.
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
        if session.is_sse {
            // Its request has been made; any other input is ignored.
            self.spend(index, DRIP);
            return;
        }
        let make = || Box::new(Inbound::new(max));
        session.inbound.get_or_insert_with(make).push(bytes);
        if self.read_frames(index) == 0 {
            self.spend(index, DRIP);
        }
    }

    /// Parses input that was held back while the session could not be read.
    pub fn resume(&mut self, index: usize, now: Now) {
        self.now = now;
        self.read_frames(index);
    }

    /// Notes that the connection has ended.
    pub fn lost(&mut self, index: usize) {
        self.lose(index);
    }

    /// Notes that reading or writing the connection failed.
    pub fn failed(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.failed = true;
        }
        self.lose(index);
    }

    /// Notes that the socket is full.
    pub fn block(&mut self, index: usize) {
        self.sessions.block(index);
    }

    /// Notes that the socket has room again.
    pub fn writable(&mut self, index: usize) {
        if self.sessions.unblock(index) {
            self.sessions.mark_to_send(index);
            self.sessions.mark_to_end(index);
        }
    }

    /// Charges a client's rate limit, in thousandths of a frame. Closes the session and returns
    /// false if that exceeds it.
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

    /// Parses frames up to a request that has to wait for publishers. Returns their number.
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
        // Every frame counts: a pong costs as much to parse as a ping.
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
