use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::time::Instant;

use anyhow::{Context as _, bail};
use market::Channel;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use wire::close::NORMAL;
use wire::control::{Answer, Policy, StartKind};

use super::position::{MessagePosition, StreamPosition};
use super::socket::Node;
use super::streams::{Choice, requests};
use super::tally::Tally;
use crate::clock::wall_clock;
use crate::websocket::frames::{self, BINARY, CLOSE, PING, PONG, Partial, TEXT};
use crate::websocket::handshake;

/// What all counting clients share, on one thread.
pub(super) struct Shared {
    pub(super) tally: Tally,
    pub(super) choice: Choice,
    pub(super) policy: Policy,
    /// Whether clients track the position in each stream, to resume from.
    pub(super) positions: bool,
    /// All reads go here, so that an idle client has no buffer.
    pub(super) buffer: Box<[u8]>,
}

/// A client's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientState {
    /// Not connected yet, or disconnected.
    Waiting,
    Connecting,
    /// The handshake was sent.
    Shaking,
    /// The streams were requested.
    Joining,
    /// It has all its streams.
    Live,
    Ended,
}

/// A client that only counts.
pub(super) struct Counting {
    pub(super) state: ClientState,
    socket: Option<TcpStream>,
    partial: Partial,
    unsent: Vec<u8>,
    /// Indices of its streams in the choice.
    streams: Box<[u32]>,
    /// Requests without an answer.
    unanswered: u32,
    /// Streams with an answer on this connection.
    results: usize,
    /// Books without a complete snapshot.
    awaited: u32,
    /// The position in each stream, if tracked.
    positions: Vec<Option<StreamPosition>>,
    /// When it started to connect.
    pub(super) begun: Instant,
    /// It was live before.
    pub(super) is_back: bool,
    pub(super) tries: u32,
}

impl Counting {
    pub(super) fn new(streams: Box<[u32]>) -> Self {
        Self {
            state: ClientState::Waiting,
            socket: None,
            partial: Partial::default(),
            unsent: Vec::new(),
            streams,
            unanswered: 0,
            results: 0,
            awaited: 0,
            positions: Vec::new(),
            begun: Instant::now(),
            is_back: false,
            tries: 0,
        }
    }

    /// Starts to connect.
    pub(super) fn connect(
        &mut self,
        node: &Node,
        source: Option<IpAddr>,
        registry: &Registry,
        token: Token,
    ) -> anyhow::Result<()> {
        self.tries += 1;
        let mut socket = node.connect(source).context("cannot connect")?;
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut socket, token, both)?;
        self.socket = Some(socket);
        self.state = ClientState::Connecting;
        Ok(())
    }

    /// Drops the connection and its state.
    pub(super) fn cut(&mut self, state: ClientState) {
        self.state = state;
        self.socket = None;
        self.partial = Partial::default();
        self.unsent = Vec::new();
        (self.unanswered, self.results, self.awaited) = (0, 0, 0);
    }

    /// Sends a close frame, if the socket accepts it.
    pub(super) fn leave(&mut self) {
        if let Some(socket) = &mut self.socket {
            let mut close = Vec::new();
            frames::append_masked(&mut close, CLOSE, &NORMAL.to_be_bytes());
            let _sent = socket.write(&close);
        }
        self.cut(ClientState::Ended);
    }

    /// The socket is writable.
    pub(super) fn write(&mut self, node: &Node, shared: &mut Shared) -> anyhow::Result<()> {
        if self.state == ClientState::Connecting {
            let Some(socket) = &self.socket else {
                return Ok(());
            };
            if let Some(error) = socket.take_error()? {
                return Err(error).context("cannot connect");
            }
            if socket.peer_addr().is_err() {
                return Ok(());
            }
            self.state = ClientState::Shaking;
            shared.tally.counts.connected += 1;
            return self.send(node.request());
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent)
    }

    /// Reads once, at most `most` bytes. Returns whether there may be more.
    pub(super) fn read(&mut self, most: usize, shared: &mut Shared) -> anyhow::Result<bool> {
        let Some(socket) = &mut self.socket else {
            return Ok(false);
        };
        let most = most.min(shared.buffer.len());
        let read = match socket.read(&mut shared.buffer[..most]) {
            Ok(0) => bail!("the node ended the connection"),
            Ok(read) => read,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::NotConnected
                ) =>
            {
                return Ok(error.kind() == io::ErrorKind::Interrupted);
            }
            Err(error) => return Err(error).context("cannot read"),
        };
        // Put back below: it is borrowed while the client and the tally change.
        let buffer = std::mem::take(&mut shared.buffer);
        let taken = match self.state {
            ClientState::Shaking => self.shake(&buffer[..read], shared),
            _ => self.take(&buffer[..read], shared),
        };
        shared.buffer = buffer;
        taken?;
        // A short read has emptied the socket.
        Ok(read == most)
    }

    fn shake(&mut self, bytes: &[u8], shared: &mut Shared) -> anyhow::Result<()> {
        self.partial.keep(bytes);
        let Some(end) = handshake::accepted(self.partial.kept())? else {
            return Ok(());
        };
        let mut head = self.partial.release();
        let ahead = head.split_off(end);
        self.state = ClientState::Joining;
        let positions = self
            .positions
            .iter()
            .copied()
            .chain(std::iter::repeat(None));
        let streams = self.streams.iter().zip(positions).map(|(index, position)| {
            let resume = position
                .filter(|_| self.is_back)
                .map(StreamPosition::resume);
            (shared.choice.wanted(*index), resume.flatten())
        });
        let requests = requests(streams, shared.policy);
        self.unanswered = u32::try_from(requests.len())?;
        let mut bytes = Vec::new();
        for request in requests {
            frames::append_masked(&mut bytes, TEXT, request.as_bytes());
        }
        self.send(&bytes)?;
        self.take(&ahead, shared)
    }

    fn take(&mut self, bytes: &[u8], shared: &mut Shared) -> anyhow::Result<()> {
        shared.tally.begin_read(wall_clock());
        let follows = shared.positions || self.state == ClientState::Joining;
        let mut partial = std::mem::take(&mut self.partial);
        let mut ended = Ok(());
        let taken = partial.take(bytes, |opcode, payload| {
            if opcode == BINARY {
                shared.tally.message(payload);
                if follows {
                    self.follow(payload, &mut shared.tally);
                }
            } else if let Err(error) = self.control(opcode, payload, shared) {
                ended = Err(error);
            }
        });
        self.partial = partial;
        shared.tally.end_read();
        taken.and(ended)?;
        if self.state == ClientState::Joining && self.unanswered == 0 && self.awaited == 0 {
            self.state = ClientState::Live;
        }
        Ok(())
    }

    fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> anyhow::Result<()> {
        let mut frame = Vec::new();
        frames::append_masked(&mut frame, opcode, payload);
        self.send(&frame)
    }

    fn control(&mut self, opcode: u8, payload: &[u8], shared: &mut Shared) -> anyhow::Result<()> {
        match opcode {
            TEXT => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.answer(payload, shared);
                Ok(())
            }
            PING => {
                shared.tally.counts.pings += 1;
                self.send_frame(PONG, payload)
            }
            CLOSE => {
                shared.tally.close(payload);
                self.send_frame(CLOSE, payload)?;
                bail!("the node closed the connection")
            }
            _ => Ok(()),
        }
    }

    fn answer(&mut self, payload: &[u8], shared: &mut Shared) {
        let tally = &mut shared.tally;
        let text = String::from_utf8_lossy(payload);
        let Ok(Answer::Subscribed { results, .. }) = Answer::parse(&text) else {
            tally.counts.refused += 1;
            tally.trouble(format_args!("unexpected answer: {text}"));
            return;
        };
        for result in results {
            let index = self.results;
            self.results += 1;
            let subscribed = match result {
                Ok(subscribed) => subscribed,
                Err(refused) => {
                    tally.counts.refused += 1;
                    tally.trouble(format_args!("rejected: {refused:?}"));
                    continue;
                }
            };
            let is_whole = subscribed.start == StartKind::Snapshot;
            // Other channels may have no first message.
            let is_awaited = is_whole && subscribed.stream.channel == Channel::Book;
            self.awaited += u32::from(is_awaited);
            if self.is_back {
                tally.counts.resumed += u64::from(!is_whole);
                tally.counts.snapshots += u64::from(is_whole);
            } else {
                tally.counts.streams += 1;
            }
            if !shared.positions {
                continue;
            }
            if self.positions.len() <= index {
                self.positions.resize(index + 1, None);
            }
            let position = &mut self.positions[index];
            if is_whole || position.is_none() {
                *position = Some(StreamPosition::begin(&subscribed));
            }
        }
    }

    /// Reads what a message is about, while that matters.
    fn follow(&mut self, payload: &[u8], tally: &mut Tally) {
        let Some(message) = MessagePosition::of(payload) else {
            return;
        };
        self.awaited = self
            .awaited
            .saturating_sub(u32::from(message.ends_snapshot));
        let mut positions = self.positions.iter_mut().flatten();
        if let Some(position) = positions.find(|position| position.is_of(&message)) {
            tally.counts.breaks += u64::from(!position.follow(&message));
        }
    }

    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        let sent = match socket.write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error).context("cannot write"),
        };
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }
}
