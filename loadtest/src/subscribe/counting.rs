use std::io::{self, Read as _, Write as _};
use std::net::IpAddr;
use std::time::Instant;

use anyhow::{Context as _, bail};
use market::Channel;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use wire::close::NORMAL;
use wire::control::{Answer, Policy, StartKind};

use super::frames::{BINARY, CLOSE, PING, PONG, Partial, TEXT, masked};
use super::place::{Place, Step};
use super::socket::{Answered, Node, answered};
use super::streams::{Choice, requests};
use super::tally::Tally;
use crate::clock::wall_clock;

/// What clients need to work, and all of them share; one thread has them all.
pub(super) struct Bench {
    pub(super) tally: Tally,
    pub(super) choice: Choice,
    pub(super) policy: Policy,
    /// Whether it is noted where each stream stands, to go on from there.
    pub(super) places: bool,
    /// What is read is read into here, so that a client that waits costs no buffer.
    pub(super) buffer: Box<[u8]>,
}

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has not begun, or was cut off.
    Waiting,
    Connecting,
    /// The handshake was sent.
    Shaking,
    /// The streams were asked for.
    Joining,
    /// It has all that it wants.
    Live,
    Ended,
}

/// A client that counts.
pub(super) struct Counting {
    pub(super) state: State,
    socket: Option<TcpStream>,
    partial: Partial,
    unsent: Vec<u8>,
    /// Which of the choice's streams it wants.
    streams: Box<[u32]>,
    /// Requests whose answer is waited for.
    unanswered: u32,
    /// Streams that were answered on this connection.
    results: usize,
    /// Books of which the beginning is waited for.
    awaited: u32,
    /// Where each stream stands, if that is noted.
    places: Vec<Option<Place>>,
    /// When it began to connect.
    pub(super) begun: Instant,
    /// It was live before.
    pub(super) is_back: bool,
    pub(super) tries: u32,
}

impl Counting {
    pub(super) fn new(streams: Box<[u32]>) -> Self {
        Self {
            state: State::Waiting,
            socket: None,
            partial: Partial::default(),
            unsent: Vec::new(),
            streams,
            unanswered: 0,
            results: 0,
            awaited: 0,
            places: Vec::new(),
            begun: Instant::now(),
            is_back: false,
            tries: 0,
        }
    }

    /// Begins to connect.
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
        self.state = State::Connecting;
        Ok(())
    }

    /// Loses the connection, and forgets what belongs to it.
    pub(super) fn cut(&mut self, state: State) {
        self.state = state;
        self.socket = None;
        self.partial = Partial::default();
        self.unsent = Vec::new();
        (self.unanswered, self.results, self.awaited) = (0, 0, 0);
    }

    /// Says good-bye, as far as the socket takes it.
    pub(super) fn leave(&mut self) {
        if let Some(socket) = &mut self.socket {
            let _left = socket.write(&masked(CLOSE, &NORMAL.to_be_bytes()));
        }
        self.cut(State::Ended);
    }

    /// The socket takes more.
    pub(super) fn write(&mut self, node: &Node, bench: &mut Bench) -> anyhow::Result<()> {
        if self.state == State::Connecting {
            let Some(socket) = &self.socket else {
                return Ok(());
            };
            if let Some(error) = socket.take_error()? {
                return Err(error).context("cannot connect");
            }
            if socket.peer_addr().is_err() {
                return Ok(());
            }
            self.state = State::Shaking;
            bench.tally.counts.connected += 1;
            return self.send(node.request());
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent)
    }

    /// Reads once, at most `most` bytes; whether there may be more.
    pub(super) fn read(&mut self, most: usize, bench: &mut Bench) -> anyhow::Result<bool> {
        let Some(socket) = &mut self.socket else {
            return Ok(false);
        };
        let most = most.min(bench.buffer.len());
        let read = match socket.read(&mut bench.buffer[..most]) {
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
        // It is put back below: frames lie in it while clients and tally are worked on.
        let buffer = std::mem::take(&mut bench.buffer);
        let taken = match self.state {
            State::Shaking => self.shake(&buffer[..read], bench),
            _ => self.take(&buffer[..read], bench),
        };
        bench.buffer = buffer;
        taken?;
        // Less than was asked for is all that there was.
        Ok(read == most)
    }

    fn shake(&mut self, bytes: &[u8], bench: &mut Bench) -> anyhow::Result<()> {
        self.partial.hold(bytes);
        let Answered::Accepted(end) = answered(self.partial.held())? else {
            return Ok(());
        };
        let mut head = self.partial.release();
        let ahead = head.split_off(end);
        self.state = State::Joining;
        let places = self.places.iter().copied().chain(std::iter::repeat(None));
        let streams = self.streams.iter().zip(places).map(|(index, place)| {
            let resume = place.filter(|_| self.is_back).map(Place::resume);
            (bench.choice.wanted(*index), resume.flatten())
        });
        let requests = requests(streams, bench.policy);
        self.unanswered = u32::try_from(requests.len())?;
        let frames: Vec<u8> = requests
            .iter()
            .flat_map(|request| masked(TEXT, request.as_bytes()))
            .collect();
        self.send(&frames)?;
        self.take(&ahead, bench)
    }

    fn take(&mut self, bytes: &[u8], bench: &mut Bench) -> anyhow::Result<()> {
        bench.tally.begin_read(wall_clock());
        let follows = bench.places || self.state == State::Joining;
        let mut partial = std::mem::take(&mut self.partial);
        let mut ended = Ok(());
        let taken = partial.take(bytes, |opcode, payload| {
            if opcode == BINARY {
                bench.tally.message(payload);
                if follows {
                    self.follow(payload, &mut bench.tally);
                }
            } else if let Err(error) = self.control(opcode, payload, bench) {
                ended = Err(error);
            }
        });
        self.partial = partial;
        bench.tally.end_read();
        taken.and(ended)?;
        if self.state == State::Joining && self.unanswered == 0 && self.awaited == 0 {
            self.state = State::Live;
        }
        Ok(())
    }

    fn control(&mut self, opcode: u8, payload: &[u8], bench: &mut Bench) -> anyhow::Result<()> {
        match opcode {
            TEXT => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.answer(payload, bench);
                Ok(())
            }
            PING => {
                bench.tally.counts.pings += 1;
                self.send(&masked(PONG, payload))
            }
            CLOSE => {
                bench.tally.close(payload);
                self.send(&masked(CLOSE, payload))?;
                bail!("the node closed the connection")
            }
            _ => Ok(()),
        }
    }

    fn answer(&mut self, payload: &[u8], bench: &mut Bench) {
        let tally = &mut bench.tally;
        let text = String::from_utf8_lossy(payload);
        let Ok(Answer::Subscribed { results, .. }) = Answer::parse(&text) else {
            tally.counts.refused += 1;
            tally.trouble(format_args!("answered: {text}"));
            return;
        };
        for result in results {
            let index = self.results;
            self.results += 1;
            let subscribed = match result {
                Ok(subscribed) => subscribed,
                Err(refused) => {
                    tally.counts.refused += 1;
                    tally.trouble(format_args!("refused: {refused:?}"));
                    continue;
                }
            };
            let is_whole = subscribed.start == StartKind::Snapshot;
            // Another channel may have nothing to say at first.
            let is_awaited = is_whole && subscribed.stream.channel == Channel::Book;
            self.awaited += u32::from(is_awaited);
            if self.is_back {
                tally.counts.resumed += u64::from(!is_whole);
                tally.counts.snapshots += u64::from(is_whole);
            } else {
                tally.counts.streams += 1;
            }
            if !bench.places {
                continue;
            }
            if self.places.len() <= index {
                self.places.resize(index + 1, None);
            }
            let place = &mut self.places[index];
            if is_whole || place.is_none() {
                *place = Some(Place::begin(&subscribed));
            }
        }
    }

    /// Looks at what a message is about, while that matters.
    fn follow(&mut self, payload: &[u8], tally: &mut Tally) {
        let Some(step) = Step::of(payload) else {
            return;
        };
        self.awaited = self.awaited.saturating_sub(u32::from(step.ends_snapshot));
        let mut places = self.places.iter_mut().flatten();
        if let Some(place) = places.find(|place| place.is_of(&step)) {
            tally.counts.breaks += u64::from(!place.follow(&step));
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
