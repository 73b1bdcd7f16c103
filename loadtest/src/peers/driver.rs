//! The clients: one thread, one epoll, one buffer. They do as little as possible for a message, so
//! that it is the server that is measured.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use socket2::{Domain, Socket, Type};

use super::peer::Protocol;
use super::protocol::{self, Partial};
use super::tally::Tally;
use crate::clock::wall_clock;
use crate::loopback::address;

/// Bytes of one read; a frame must fit, except on NATS.
const BUFFER: usize = 256 * 1024;
/// Ready sockets that are handled at once.
const EVENTS: usize = 512;
/// Maximum wait of the loop before it checks whether to end.
const WAIT: Duration = Duration::from_millis(10);

/// All clients of one server.
pub(super) struct Driver {
    protocol: Protocol,
    addr: SocketAddr,
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    buffer: Vec<u8>,
    replies: Vec<u8>,
    clients: Vec<Client>,
    pub(super) tally: Tally,
    /// Clients whose connection was closed by the server or by an error.
    pub(super) closed: usize,
    pub(super) first_trouble: Option<String>,
}

/// Connects a client, from an address with free ports.
fn connect(addr: SocketAddr, client: usize) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    // Closes with a reset: otherwise the ports of 19,000 clients would stay taken for a minute.
    socket.set_linger(Some(Duration::ZERO))?;
    let from = address(0, client);
    if from != Ipv4Addr::LOCALHOST {
        socket.bind(&SocketAddr::from((from, 0)).into())?;
    }
    socket.connect(&addr.into())?;
    Ok(socket.into())
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    /// The beginning of what has not arrived completely.
    rest: Vec<u8>,
    partial: Partial,
    open: bool,
}

impl Driver {
    pub(super) fn new(protocol: Protocol, addr: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            protocol,
            addr,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC).context("cannot create an epoll")?,
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; BUFFER],
            replies: Vec::new(),
            clients: Vec::new(),
            tally: Tally::new()?,
            closed: 0,
            first_trouble: None,
        })
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Connects and subscribes one more client.
    pub(super) fn connect(&mut self, wants: &[u16]) -> anyhow::Result<()> {
        let stream = connect(self.addr, self.clients.len()).context("cannot connect")?;
        let (stream, rest) = protocol::connect(self.protocol, stream, wants)?;
        let id = epoll::EventData::new_u64(self.clients.len() as u64);
        epoll::add(&self.epoll, &stream, id, epoll::EventFlags::IN)
            .context("cannot add to epoll")?;
        self.clients.push(Client {
            stream,
            rest,
            partial: Partial::default(),
            open: true,
        });
        Ok(())
    }

    /// Reads for some time, or until `end` returns true.
    pub(super) fn run(
        &mut self,
        time: Duration,
        mut end: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < time && !end() {
            self.turn(WAIT)?;
        }
        Ok(())
    }

    /// Starts to count, from zero.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        self.tally = Tally::new()?;
        self.tally.measuring(true);
        Ok(())
    }

    /// Reads once from every client that is ready.
    pub(super) fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: wait.subsec_nanos().into(),
        };
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for clients"),
        }
        for event in &events {
            let index = usize::try_from(event.data.u64())?;
            if let Err(error) = self.read(index) {
                self.close(index, &error);
            }
        }
        self.events = events;
        Ok(())
    }

    fn read(&mut self, index: usize) -> anyhow::Result<()> {
        let client = &mut self.clients[index];
        if !client.open {
            return Ok(());
        }
        let kept = client.rest.len();
        let room = self.buffer.get_mut(kept..).filter(|room| !room.is_empty());
        let room = room.context("a frame is too long")?;
        let len = match client.stream.read(room) {
            Ok(0) => anyhow::bail!("closed by the server"),
            Ok(len) => len,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        self.tally.read_at(wall_clock());
        self.buffer[..kept].copy_from_slice(&client.rest);
        let bytes = &self.buffer[..kept + len];
        let used = protocol::take(
            self.protocol,
            bytes,
            &mut client.partial,
            &mut self.tally,
            &mut self.replies,
        )?;
        client.rest.clear();
        client.rest.extend_from_slice(&bytes[used..]);
        if !self.replies.is_empty() {
            // A few bytes on a connection that hardly writes always fit.
            client.stream.write_all(&self.replies)?;
            self.replies.clear();
        }
        Ok(())
    }

    fn close(&mut self, index: usize, error: &anyhow::Error) {
        let client = &mut self.clients[index];
        client.open = false;
        self.replies.clear();
        // It is closed either way.
        let _gone = epoll::delete(&self.epoll, &client.stream);
        self.closed += 1;
        self.first_trouble
            .get_or_insert_with(|| format!("{error:#}"));
    }
}
