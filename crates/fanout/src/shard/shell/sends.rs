//! Sending the batches that the core plans.

use std::io;

use fanout_core::{Batch, Core, Sent};
use market::{Monotonic, Now};

use super::{Shell, is_end};
use crate::clock;
use crate::shard::rest;
use crate::shard::sockets::Socket;

impl Shell {
    /// Visits every session that has something to send once. Returns whether any has more.
    pub(super) fn send_pass(&mut self, mut take_in: impl FnMut(&mut Self)) -> bool {
        let Some(mut batch) = self.batch.take() else {
            return false;
        };
        let mut left = self.core.sendable();
        let mut now = clock::now();
        while left > 0 {
            let visited = self.core.fill(&mut batch, left, now);
            if visited == 0 {
                break;
            }
            left -= visited;
            now = self.send(&batch, now);
            if left > 0 {
                take_in(self);
            }
        }
        self.core.end_pass(now);
        self.batch = Some(batch);
        self.core.sendable() > 0
    }

    /// Makes the sends of a batch and reports their outcomes to the core. Returns the time
    /// afterwards.
    fn send(&mut self, batch: &Batch, now: Now) -> Now {
        if batch.is_empty() {
            return now;
        }
        for send in 0..batch.len() {
            let socket = batch.session(send).and_then(|it| self.sockets.get(it));
            match socket {
                Some(socket) if socket.is_tls => self.encrypted.push(send),
                Some(_) => self.plain.push(send),
                None => {}
            }
        }
        let mut now = now;
        if !self.encrypted.is_empty() {
            now = self.send_encrypted(batch, now);
        }
        if !self.plain.is_empty() {
            now = self.send_plain(batch, now);
        }
        now
    }

    /// Makes the sends of sessions without TLS, all together.
    fn send_plain(&mut self, batch: &Batch, begin: Now) -> Now {
        let (core, sockets, plain) = (&self.core, &self.sockets, &self.plain);
        let send = |at: usize| {
            let send = plain[at];
            let socket = batch.session(send).and_then(|it| sockets.get(it))?;
            Some((&socket.io, core.bytes(batch, send)))
        };
        self.sender.send(plain.len(), send, &mut self.results);
        let end = clock::now();
        let count = self.plain.len() as u64;
        let each = end.monotonic.nanos_since(begin.monotonic) / count;
        self.metrics.stage_send.record_many_ns(each, count);
        for (at, result) in self.results.drain(..).enumerate() {
            let send = self.plain[at];
            let sent = match result {
                Ok(bytes) => Sent::Bytes {
                    bytes,
                    has_room: true,
                },
                Err(error) => not_sent(&error),
            };
            note(
                &mut self.core,
                &mut self.sent,
                batch,
                send,
                sent,
                begin.monotonic,
            );
        }
        self.plain.clear();
        end
    }

    /// Makes the sends of sessions with TLS. Each encrypts the bytes with its own keys, so these
    /// cannot be made together.
    fn send_encrypted(&mut self, batch: &Batch, mut now: Now) -> Now {
        for send in self.encrypted.drain(..) {
            let Some(socket) = batch.session(send).and_then(|it| self.sockets.get_mut(it)) else {
                continue;
            };
            let Socket { io, client, .. } = socket;
            let Some(tls) = &mut client.tls else {
                continue;
            };
            let sent = match tls.send(io, self.core.bytes(batch, send)) {
                Ok(bytes) => Sent::Bytes {
                    bytes,
                    has_room: !tls.holds_records(),
                },
                Err(error) => not_sent(&error),
            };
            let begin = std::mem::replace(&mut now, clock::now());
            let took = now.monotonic.nanos_since(begin.monotonic);
            self.metrics.stage_send.record_ns(took);
            note(
                &mut self.core,
                &mut self.sent,
                batch,
                send,
                sent,
                begin.monotonic,
            );
        }
        now
    }
}

/// Reports the outcome of a send to the core and counts it.
fn note(
    core: &mut Core,
    counts: &mut rest::Sent,
    batch: &Batch,
    send: usize,
    sent: Sent,
    began: Monotonic,
) {
    if let Sent::Bytes { bytes, .. } = sent {
        counts.sends += u64::from(bytes > 0);
        counts.bytes += bytes as u64;
    }
    core.sent(batch, send, sent, began);
}

fn not_sent(error: &io::Error) -> Sent {
    match error.kind() {
        io::ErrorKind::WouldBlock => Sent::Bytes {
            bytes: 0,
            has_room: false,
        },
        io::ErrorKind::Interrupted => Sent::Bytes {
            bytes: 0,
            has_room: true,
        },
        _ if is_end(error) => Sent::Lost,
        _ => Sent::Failed,
    }
}
