//! A publisher, a shard and its clients.
//!
//! Long because time, sockets and queues of all three advance together.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fanout_core::{
    Ask, Batch, Command, Core, Delivery, Directory, Ended, Grant, LastEventId, Opening, Port, Sent,
    Settings, SseRequest, SseStart,
};
use market::{
    At, Channel, Event, Exponents, Handle, InstrumentName, Level, Monotonic, Nanos, Now,
    PartitionIdentity, PartitionIndex, Seq, SnapshotOrigin,
};
use metrics::ShardMetrics;
use streams::Publisher;
use testkit::websocket::{client_frame, take_server_frame};
use wire::control::{Answer, StreamRequest};
use wire::{Encoding, GoAwayReason};

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Reads all, and answers pings.
    Alive,
    /// Reads all, and sends nothing by itself.
    Silent,
    /// Reads nothing.
    Deaf,
}

/// A client's end of a connection.
pub(crate) struct Peer {
    pub(crate) session: usize,
    pub(crate) manner: Manner,
    /// Whether it receives Server-Sent Events instead of frames.
    is_sse: bool,
    /// Bytes of an incomplete frame.
    received: Vec<u8>,
    /// How many more bytes a deaf client's socket takes.
    room: usize,
    /// What it sent but the node has not read.
    to_node: VecDeque<Vec<u8>>,
    pub(crate) texts: Vec<String>,
    /// Messages of streams.
    pub(crate) messages: usize,
    pub(crate) pings: usize,
    pub(crate) closed_with: Option<u16>,
    /// Bytes that it was sent.
    pub(crate) bytes: usize,
}

/// Everything on one thread; time passes only when the test lets it.
pub(crate) struct Rig {
    pub(crate) core: Core,
    pub(crate) publisher: Publisher,
    pub(crate) port: Port,
    pub(crate) directory: Arc<Directory>,
    pub(crate) metrics: Arc<ShardMetrics>,
    pub(crate) now: Now,
    pub(crate) peers: Vec<Peer>,
    pub(crate) ended: Vec<Ended>,
    pub(crate) rule_breakers: Vec<usize>,
    /// Whether the publisher can no longer produce what a lagging client needs.
    unmakeable: bool,
    handles: Vec<Handle>,
    next_offset: i64,
    batch: Batch,
}

/// One second into 2026.
const WALL: Nanos = Nanos(1_767_225_601_000_000_000);

pub(crate) fn name(number: usize) -> InstrumentName {
    InstrumentName::parse(&format!("TEST:I{number:05}")).unwrap()
}

impl Rig {
    /// A rig with this many instruments, each with a book of `levels` a side.
    pub(crate) fn new(settings: Settings, instruments: usize, levels: i64) -> Self {
        Self::starting_at(Monotonic(5_000_000_000), settings, instruments, levels)
    }

    pub(crate) fn starting_at(
        monotonic: Monotonic,
        settings: Settings,
        instruments: usize,
        levels: i64,
    ) -> Self {
        let heartbeat_after = streams::Settings::default().heartbeat_after;
        Self::quiet_for(heartbeat_after, monotonic, settings, instruments, levels)
    }

    /// Likewise, with streams that send a heartbeat after this long without a message.
    pub(crate) fn quiet_for(
        heartbeat_after: Duration,
        monotonic: Monotonic,
        settings: Settings,
        instruments: usize,
        levels: i64,
    ) -> Self {
        let now = Now {
            monotonic,
            wall: WALL,
        };
        let metrics = Arc::new(ShardMetrics::default());
        let directory = Arc::new(Directory::new(1));
        let core = Core::new(
            0,
            Arc::new(settings),
            Arc::clone(&directory),
            Arc::clone(&metrics),
            now,
        );
        let mut publisher = Publisher::new(streams::Settings {
            stale_after: None,
            heartbeat_after,
            ..streams::Settings::default()
        });
        let identity = PartitionIdentity {
            topic: "t".into(),
            topic_id: [7; 16],
            partition: 0,
            turns: 0,
        };
        publisher.open(PartitionIndex(0), identity, Seq(0));
        let mut port = Port::new(1);
        port.open();
        let mut rig = Self {
            core,
            publisher,
            port,
            directory,
            metrics,
            now,
            peers: Vec::new(),
            ended: Vec::new(),
            rule_breakers: Vec::new(),
            unmakeable: false,
            handles: Vec::new(),
            next_offset: 0,
            batch: Batch::default(),
        };
        for number in 0..instruments {
            let name = name(number);
            let listing = rig.directory.list(&name, Exponents::default());
            let _first = listing.claim(Channel::Book, 0);
            let handle = rig
                .publisher
                .add_instrument(&name, Exponents::default(), now.monotonic)
                .unwrap();
            rig.handles.push(handle);
            rig.snapshot(number, levels);
        }
        rig.settle();
        rig
    }

    /// An instrument gets a snapshot with this many levels per side.
    pub(crate) fn snapshot(&mut self, instrument: usize, levels: i64) {
        let bids: Vec<_> = (1..=levels)
            .map(|level| Level::new(1_000_000 - level, level))
            .collect();
        let asks: Vec<_> = (1..=levels)
            .map(|level| Level::new(1_000_000 + level, level))
            .collect();
        self.event(
            instrument,
            &Event::Snapshot {
                seq: None,
                origin: SnapshotOrigin::InBand,
                time: None,
                bids: &bids,
                asks: &asks,
            },
        );
    }

    /// The size of an instrument's best bid changes.
    pub(crate) fn change(&mut self, instrument: usize, size: i64) {
        self.event(
            instrument,
            &Event::Delta {
                link: None,
                origin: SnapshotOrigin::InBand,
                time: None,
                bids: &[Level::new(999_999, size)],
                asks: &[],
            },
        );
    }

    fn event(&mut self, instrument: usize, event: &Event<'_>) {
        let at = At {
            partition: PartitionIndex(0),
            seq: Seq(self.next_offset),
            log_time: self.now.wall,
        };
        self.next_offset += 1;
        self.publisher
            .event(at, self.handles[instrument], event, self.now)
            .unwrap();
    }

    /// Connects a client; returns its number.
    pub(crate) fn connect(&mut self, manner: Manner) -> usize {
        self.connect_as(manner, Encoding::Sbe, Arc::new(Grant::default()))
    }

    pub(crate) fn connect_as(
        &mut self,
        manner: Manner,
        encoding: Encoding,
        grant: Arc<Grant>,
    ) -> usize {
        self.open(
            manner,
            Opening {
                encoding,
                grant,
                sse: None,
            },
        )
    }

    /// Connects a client that wants these streams as Server-Sent Events; returns its number.
    pub(crate) fn connect_for_events(
        &mut self,
        manner: Manner,
        streams: Vec<StreamRequest>,
    ) -> usize {
        let asked = SseRequest {
            streams,
            last: LastEventId::default(),
        };
        let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        self.open(
            manner,
            Opening {
                encoding: Encoding::Json,
                grant: Arc::default(),
                sse: Some(SseStart { asked, head }),
            },
        )
    }

    fn open(&mut self, manner: Manner, opening: Opening) -> usize {
        let is_sse = opening.sse.is_some();
        let session = self.core.open(opening, self.now);
        self.peers.push(Peer {
            session,
            manner,
            is_sse,
            received: Vec::new(),
            room: 0,
            to_node: VecDeque::new(),
            texts: Vec::new(),
            messages: 0,
            pings: 0,
            closed_with: None,
            bytes: 0,
        });
        self.peers.len() - 1
    }

    /// A client sends a frame, which stays in its socket until the node reads it.
    pub(crate) fn send(&mut self, peer: usize, opcode: u8, payload: &[u8]) {
        let frame = client_frame(0x80 | opcode, payload);
        self.peers[peer].to_node.push_back(frame);
    }

    /// A client sends bytes as they are.
    pub(crate) fn send_raw(&mut self, peer: usize, bytes: &[u8]) {
        self.peers[peer].to_node.push_back(bytes.to_vec());
    }

    pub(crate) fn request(&mut self, peer: usize, text: &str) {
        self.send(peer, 0x1, text.as_bytes());
    }

    /// Sends a request and returns its answer.
    pub(crate) fn ask(&mut self, peer: usize, text: &str) -> Answer {
        self.request(peer, text);
        self.settle();
        self.answer(peer)
    }

    /// The last answer.
    pub(crate) fn answer(&mut self, peer: usize) -> Answer {
        let texts = &mut self.peers[peer].texts;
        let text = texts.pop().expect("no answer");
        Answer::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Lets a deaf client's socket take this many bytes more.
    pub(crate) fn make_room(&mut self, peer: usize, bytes: usize) {
        self.peers[peer].room += bytes;
        self.core.writable(self.peers[peer].session);
    }

    /// A client lags in its stream, which the publisher can no longer produce.
    pub(crate) fn lose_stream(&mut self, peer: usize) {
        self.unmakeable = true;
        self.peers[peer].manner = Manner::Deaf;
        for size in 0..200 {
            self.change(0, 1_000 + size);
            self.settle();
        }
        self.peers[peer].manner = Manner::Alive;
        self.make_room(peer, 0);
        self.settle();
    }

    /// Runs the network and the queues until nothing moves.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = self.read();
            moved |= self.converse();
            moved |= self.send_all();
            self.core.remove_ended();
            self.take_outputs();
            if !moved {
                return;
            }
        }
    }

    /// Lets the node read from sockets as far as it accepts input.
    fn read(&mut self) -> bool {
        let mut readable = Vec::new();
        self.core.take_readable(&mut readable);
        for session in readable {
            self.core.resume(session as usize, self.now);
        }
        let mut moved = false;
        for peer in 0..self.peers.len() {
            let session = self.peers[peer].session;
            while !self.is_gone(peer)
                && self.core.may_receive(session)
                && let Some(bytes) = self.peers[peer].to_node.pop_front()
            {
                moved = true;
                self.core.received(session, &bytes, self.now);
                self.take_outputs();
            }
        }
        moved
    }

    /// Carries commands to the publisher and deliveries back.
    fn converse(&mut self) -> bool {
        let mut deliveries: Vec<Delivery> = Vec::new();
        let commands: Vec<(usize, Command)> = self.core.outputs().commands.drain(..).collect();
        let mut deliver = |_, delivery| deliveries.push(delivery);
        self.port
            .hand_over(&mut self.publisher, self.now.monotonic, None, &mut deliver);
        for (_, command) in &commands {
            if let Ask::CatchUp { id, .. } = command.ask
                && self.unmakeable
            {
                let caught_up = None;
                deliver(0, Delivery::CaughtUp { id, caught_up });
                continue;
            }
            self.port
                .carry_out(command, &mut self.publisher, self.now, &mut deliver);
        }
        let moved = !commands.is_empty() || !deliveries.is_empty();
        for delivery in deliveries {
            self.core.deliver(delivery, self.now);
        }
        moved
    }

    fn send_all(&mut self) -> bool {
        let mut moved = false;
        let mut left = self.core.sendable();
        let mut batch = std::mem::take(&mut self.batch);
        while left > 0 {
            let visited = self.core.fill(&mut batch, left, self.now);
            if visited == 0 {
                break;
            }
            left -= visited;
            // A visit may send commands to publishers.
            moved |= !self.core.outputs().commands.is_empty();
            for send in 0..batch.len() {
                let session = batch.session(send).unwrap();
                let bytes = self.core.bytes(&batch, send).to_vec();
                let taken = self.carry(session, &bytes);
                moved |= taken > 0;
                let sent = Sent::Bytes {
                    bytes: taken,
                    has_room: taken == bytes.len(),
                };
                self.core.sent(&batch, send, sent, self.now.monotonic);
            }
        }
        self.core.end_pass(self.now);
        self.batch = batch;
        moved
    }

    /// Hands bytes to a client's socket; returns how many it took.
    fn carry(&mut self, session: usize, bytes: &[u8]) -> usize {
        let Some(peer) = self.peer_of(session) else {
            return 0;
        };
        let one = &mut self.peers[peer];
        let taken = match one.manner {
            Manner::Deaf => {
                let taken = bytes.len().min(one.room);
                one.room -= taken;
                taken
            }
            _ => bytes.len(),
        };
        one.bytes += taken;
        if !one.is_sse {
            one.received.extend_from_slice(&bytes[..taken]);
            self.read_frames(peer);
        }
        taken
    }

    fn read_frames(&mut self, peer: usize) {
        while let Some(frame) = take_server_frame(&mut self.peers[peer].received) {
            let (opcode, payload) = (frame.opcode(), frame.payload());
            let one = &mut self.peers[peer];
            match opcode {
                0x1 if Answer::is_answer(payload) => {
                    one.texts.push(String::from_utf8(payload.to_vec()).unwrap());
                }
                0x1 | 0x2 => one.messages += 1,
                0x9 => {
                    one.pings += 1;
                    if one.manner == Manner::Alive {
                        self.send(peer, 0xA, payload);
                    }
                }
                0x8 => {
                    let code = payload
                        .first_chunk()
                        .map_or(1005, |it| u16::from_be_bytes(*it));
                    one.closed_with = Some(code);
                    if one.manner == Manner::Alive {
                        self.send(peer, 0x8, payload);
                    }
                }
                _ => {}
            }
        }
    }

    /// The client of an open session.
    fn peer_of(&self, session: usize) -> Option<usize> {
        self.peers.iter().rposition(|peer| peer.session == session)
    }

    /// Returns whether its session has ended.
    pub(crate) fn is_gone(&self, peer: usize) -> bool {
        self.peers[peer].session == usize::MAX
    }

    fn take_outputs(&mut self) {
        let outputs = self.core.outputs();
        outputs.finished.clear();
        outputs.replay_commands.clear();
        outputs.left_replays.clear();
        self.rule_breakers.append(&mut outputs.rule_breakers);
        let ended: Vec<_> = outputs.ended.drain(..).collect();
        for ended in ended {
            if let Some(peer) = self.peer_of(ended.session) {
                self.peers[peer].session = usize::MAX;
            }
            self.ended.push(ended);
        }
    }

    /// Lets time pass normally: everything is called when it is due.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now.monotonic + span;
        // No more than what is due a hundred times a second for each of a thousand sessions.
        let most = span.as_millis() * 100 + 1_000;
        for _ in 0..most {
            self.settle();
            let due = [self.core.next_due(), self.publisher.next_due()];
            let due = due.into_iter().flatten().min().unwrap_or(end).min(end);
            self.leap(due.since(self.now.monotonic));
            self.publisher.advance(self.now);
            self.core.advance(self.now);
            if self.now.monotonic >= end {
                return self.settle();
            }
        }
        panic!("something is due again and again");
    }

    /// Lets time pass in which nothing of the node runs.
    pub(crate) fn leap(&mut self, span: Duration) {
        self.now.monotonic = self.now.monotonic + span;
        self.now.wall = Nanos(self.now.wall.0 + u64::try_from(span.as_nanos()).unwrap());
    }

    pub(crate) fn drain(&mut self, delay: Duration, spread: Duration) {
        self.core
            .drain(GoAwayReason::Shutdown, delay, spread, self.now);
    }
}
