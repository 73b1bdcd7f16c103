//! The sockets of a shard's sessions, all on one poll.
//!
//! A session has no task of its own, and no buffer between frames: an idle client costs its session
//! and its entry here. The poll is edge-triggered, so a socket is read until it would block, and
//! unfinished reads are remembered.

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::addresses::Counted;
use crate::permits::Permit;
use crate::tls::Tls;

/// The sockets of all sessions, by session index.
pub(super) struct Sockets {
    registry: Registry,
    table: Vec<Option<Socket>>,
    /// Sessions whose sockets may have data to read, each once.
    to_read: Vec<u32>,
}

/// A session's socket.
pub(super) struct Socket {
    pub(super) io: TcpStream,
    /// Whether it may have data to read.
    pub(super) readable: bool,
    /// Whether it is in the list of sockets to read.
    listed: bool,
    /// Whether its sending half ends once TLS holds nothing more.
    ends: bool,
    /// Whether its bytes go through [`ClientInfo::tls`].
    pub(super) is_tls: bool,
    pub(super) client: Box<ClientInfo>,
}

/// Rarely used details of a connection, needed when it opens and when it ends.
pub(crate) struct ClientInfo {
    pub(crate) permit: Permit,
    /// The client's address, as reported by the balancer if there is one.
    pub(crate) peer: SocketAddr,
    pub(crate) tls: Option<Box<Tls>>,
    /// Counts the connection for its address as long as it lives.
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

    /// Stores the socket of a session.
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
            // Grows slowly: a list that doubles is a third larger than necessary on average.
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

    /// Closes a socket and returns the details of its connection.
    pub(super) fn remove(&mut self, index: usize) -> Option<Box<ClientInfo>> {
        let socket = self.table.get_mut(index)?.take()?;
        Some(socket.client)
    }

    /// Lists a socket that may have data, or whose session may be read again.
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

    /// Takes the list of sockets to read.
    pub(super) fn take_listed(&mut self) -> Vec<u32> {
        for index in &self.to_read {
            let socket = self.table.get_mut(*index as usize);
            if let Some(socket) = socket.and_then(Option::as_mut) {
                socket.listed = false;
            }
        }
        std::mem::take(&mut self.to_read)
    }

    /// Returns the list's memory, to be reused.
    pub(super) fn give_list(&mut self, mut list: Vec<u32>) {
        list.clear();
        if self.to_read.is_empty() {
            self.to_read = list;
        }
    }

    /// Returns whether any socket may have data.
    pub(super) const fn has_listed(&self) -> bool {
        !self.to_read.is_empty()
    }
}

impl Socket {
    /// Returns whether TLS holds records that the socket has not taken.
    pub(super) fn holds_records(&self) -> bool {
        let tls = self.client.tls.as_ref().filter(|_| self.is_tls);
        tls.is_some_and(|tls| tls.holds_records())
    }

    /// Receives available bytes; 0 means the end of the stream.
    pub(super) fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.client.tls {
            Some(tls) if self.is_tls => tls.receive(&self.io, into),
            _ => self.io.read(into),
        }
    }

    /// Flushes TLS records. Returns whether the socket took all of them.
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

    /// Shuts down the sending half once everything has been sent. Returns whether it has.
    pub(super) fn end_sending(&mut self) -> bool {
        if let Some(tls) = &mut self.client.tls {
            tls.send_end();
            if !matches!(tls.flush(&self.io), Ok(true)) {
                // The socket is full; its sending half ends once it has room.
                self.ends = true;
                return false;
            }
        }
        let _ended = self.io.shutdown(Shutdown::Write);
        true
    }
}
