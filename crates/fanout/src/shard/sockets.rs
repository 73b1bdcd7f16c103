//! Receiving: what sockets have to say, all on one poll.
//!
//! A session has no task of its own, and no buffer while nothing of a frame has come: what an idle
//! client costs is its `Session`. The poll is edge-triggered, so a socket is read until it would
//! block, and what is not read at once is remembered.

use std::io;
use std::time::Duration;

use mio::{Events, Poll, Registry};
use tokio::io::unix::AsyncFd;

use super::state::{State, number};
use crate::inbound::Inbound;

/// Events that are taken at once.
const EVENTS: usize = 1024;
/// Reads of one session before others have their turn.
const READS_A_VISIT: usize = 4;
/// A session with more than this to send of its own is not read from. It is more than the rest of
/// any frame (64 KiB), so that a slow client's pongs are read.
const OUTGOING_WHILE_READING: usize = 72 * 1024;

/// The poll that all sessions of a shard are on.
pub(super) struct Sockets {
    poll: Poll,
    /// The poll as something that the runtime waits for.
    ready: AsyncFd<Registry>,
    events: Events,
}

impl Sockets {
    pub(super) fn new(poll: Poll) -> io::Result<Self> {
        Ok(Self {
            ready: watch(poll.registry().try_clone()?)?,
            poll,
            events: Events::with_capacity(EVENTS),
        })
    }

    /// Waits until there may be an event; [`Sockets::take_events`] is to follow. Cancel-safe.
    pub(super) async fn ready(&self) -> io::Result<()> {
        // An event that comes from now on makes it ready anew.
        self.ready.readable().await?.clear_ready();
        Ok(())
    }

    /// Takes events as far as there are any; never waits.
    pub(super) fn take_events(&mut self, state: &mut State) -> io::Result<()> {
        let Self { poll, events, .. } = self;
        loop {
            poll.poll(events, Some(Duration::ZERO))?;
            for event in events.iter() {
                let index = event.token().0;
                if event.is_writable() {
                    state.unblock(index);
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    state.mark_readable(index);
                }
            }
            if events.iter().count() < EVENTS {
                return Ok(());
            }
        }
    }
}

/// The poll as something that the runtime waits for.
#[expect(unsafe_code, reason = "see the SAFETY comment")]
fn watch(registry: Registry) -> io::Result<AsyncFd<Registry>> {
    // SAFETY: a registry owns its descriptor, always gives the same one, and keeps it open as long
    // as it lives, and the `AsyncFd` owns the registry.
    Ok(unsafe { AsyncFd::register(registry) }?)
}

impl State {
    /// The socket has room again.
    fn unblock(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && session.blocked
        {
            session.blocked = false;
            self.blocked -= 1;
            self.mark_to_send(index);
        }
    }

    /// The socket may have something to read.
    pub(super) fn mark_readable(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.readable = true;
            self.read_on(index);
        }
    }

    /// Something that kept a session from being read from may be over.
    pub(super) fn read_on(&mut self, index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let waits = session.readable || session.inbound.is_some();
        if waits && session.request.is_none() && !session.reading {
            session.reading = true;
            self.to_read.push(number(index));
        }
    }

    /// Reads of every session that may have something to read; whether there may be more.
    pub(super) fn read_pass(&mut self) -> bool {
        let mut visits = std::mem::take(&mut self.to_read);
        for index in visits.drain(..) {
            let index = index as usize;
            if let Some(session) = self.sessions.get_mut(index) {
                session.reading = false;
                self.read_session(index);
            }
        }
        if self.to_read.is_empty() {
            self.to_read = visits;
        }
        !self.to_read.is_empty()
    }

    fn read_session(&mut self, index: usize) {
        // Requests that came behind one that has been answered since.
        self.read_requests(index);
        for _ in 0..READS_A_VISIT {
            let Some(session) = self.sessions.get_mut(index) else {
                return;
            };
            let is_full = session
                .inbound
                .as_ref()
                .is_some_and(|inbound| inbound.is_full());
            let reads = session.readable
                && !session.gone
                && session.request.is_none()
                && !is_full
                && session.outgoing_len() <= OUTGOING_WHILE_READING;
            if !reads {
                return;
            }
            let received = session.receive(&mut self.received);
            if session.holds_records() && !session.blocked {
                // TLS itself has something to say, such as the answer to new keys.
                self.flush_records(index);
            }
            match received {
                Ok(0) => return self.lose(index),
                Ok(n) => {
                    let received = std::mem::take(&mut self.received);
                    self.take_bytes(index, &received[..n]);
                    self.received = received;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(session) = self.sessions.get_mut(index) {
                        session.readable = false;
                    }
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.lose(index),
            }
        }
        self.read_on(index);
    }

    /// Takes received bytes, and reads the requests in them.
    pub(super) fn take_bytes(&mut self, index: usize, bytes: &[u8]) {
        self.metrics.bytes_in.add(bytes.len() as u64);
        let max = self.settings.inbound_message_bytes;
        if let Some(session) = self.sessions.get_mut(index) {
            session.heard = true;
            if session.is_events {
                // It has asked already; what it says besides has no meaning.
                return;
            }
            let inbound = session
                .inbound
                .get_or_insert_with(|| Box::new(Inbound::new(max)));
            inbound.push(bytes);
            self.read_requests(index);
        }
    }
}
