//! The sockets of a shard's sessions, all on one poll.
//!
//! A session has no task of its own, and no buffer while nothing of a frame has come: what an idle
//! client costs is its session and its entry here. The poll is edge-triggered, so a socket is read
//! until it would block, and what is not read at once is remembered.

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::addresses::Counted;
use crate::permits::Permit;
use crate::tls::Tls;

/// The sockets of all sessions, by the places that the core gave these.
pub(super) struct Sockets {
    registry: Registry,
    table: Vec<Option<Socket>>,
    /// Sessions whose sockets may have something to read, each once.
    to_read: Vec<u32>,
}

/// A session's socket.
pub(super) struct Socket {
    pub(super) io: TcpStream,
    /// It may have something to read.
    pub(super) readable: bool,
    /// Whether it is in the list of sockets to be read from.
    listed: bool,
    /// Its sending half ends once its TLS holds nothing more.
    ends: bool,
    /// Its bytes go through [`ClientInfo::tls`].
    pub(super) is_tls: bool,
    pub(super) client: Box<ClientInfo>,
}

/// What is rarely needed of a connection: when it opens and when it ends.
pub(crate) struct ClientInfo {
    pub(crate) permit: Permit,
    /// The client's address, as the balancer reports it where there is one.
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<Box<Tls>>,
    /// Its connection counts for its address as long as it lives.
    pub(crate) _counted: Option<Counted>,
}

const _: () = assert!(size_of::<Option<Socket>>() <= 16);

impl Sockets {
    pub(super) const fn new(registry: Registry) -> Self {
        Self {
            registry,
            table: Vec::new(),
            to_read: Vec::new(),
        }
    }

    /// Takes a socket to the place of its session.
    pub(super) fn insert(
        &mut self,
        index: usize,
        io: TcpStream,
        client: ClientInfo,
    ) -> io::Result<()> {
        self.registry.register(
            &mut SourceFd(&io.as_raw_fd()),
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        if self.table.len() <= index {
            // Closely: a list that doubles is on average a third larger than it has to be.
            let more = index + 1 - self.table.len();
            if self.table.capacity() <= index {
                self.table.reserve_exact(more.max(self.table.len() / 4));
            }
            self.table.resize_with(index + 1, || None);
        }
        self.table[index] = Some(Socket {
            io,
            readable: false,
            listed: false,
            ends: false,
            is_tls: client.tls.is_some(),
            client: Box::new(client),
        });
        Ok(())
    }

    pub(super) fn get(&self, index: usize) -> Option<&Socket> {
        self.table.get(index)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Socket> {
        self.table.get_mut(index)?.as_mut()
    }

    /// Closes a socket; returns what was known of its connection.
    pub(super) fn remove(&mut self, index: usize) -> Option<Box<ClientInfo>> {
        let socket = self.table.get_mut(index)?.take()?;
        Some(socket.client)
    }

    /// The socket may have something to read, or its session may be read from again.
    pub(super) fn list(&mut self, index: usize, readable: bool) {
        let Some(socket) = self.table.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        socket.readable |= readable;
        if !socket.listed {
            socket.listed = true;
            self.to_read.push(u32::try_from(index).unwrap_or(u32::MAX));
        }
    }

    /// Takes the list of sockets that may have something to read.
    pub(super) fn take_listed(&mut self) -> Vec<u32> {
        for index in &self.to_read {
            let socket = self.table.get_mut(*index as usize);
            if let Some(socket) = socket.and_then(Option::as_mut) {
                socket.listed = false;
            }
        }
        std::mem::take(&mut self.to_read)
    }

    /// Gives the list's memory back, to be used again.
    pub(super) fn give_list(&mut self, mut list: Vec<u32>) {
        list.clear();
        if self.to_read.is_empty() {
            self.to_read = list;
        }
    }

    /// Returns whether a socket may have something to read.
    pub(super) const fn has_listed(&self) -> bool {
        !self.to_read.is_empty()
    }
}

impl Socket {
    /// Returns whether its TLS holds what the socket has not taken.
    pub(super) fn holds_records(&self) -> bool {
        let tls = self.client.tls.as_ref().filter(|_| self.is_tls);
        tls.is_some_and(|tls| tls.holds_records())
    }

    /// Receives what there is; 0 is the end.
    pub(super) fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.client.tls {
            Some(tls) if self.is_tls => tls.receive(&self.io, into),
            _ => self.io.read(into),
        }
    }

    /// Has the socket take what its TLS holds. Returns whether it took all.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.client.tls else {
            return Ok(true);
        };
        let flushed = tls.flush(&self.io)?;
        if flushed && self.ends {
            let _ended = self.io.shutdown(Shutdown::Write);
        }
        Ok(flushed)
    }

    /// Signals that nothing comes any more, once everything has gone. Returns whether it has.
    pub(super) fn end_sending(&mut self) -> bool {
        if let Some(tls) = &mut self.client.tls {
            tls.send_end();
            if !matches!(tls.flush(&self.io), Ok(true)) {
                // Its socket is full: it ends when it has room.
                self.ends = true;
                return false;
            }
        }
        let _ended = self.io.shutdown(Shutdown::Write);
        true
    }
}
