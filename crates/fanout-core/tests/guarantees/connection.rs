//! A client's end of a connection to a shard: its socket, its requests, and the frames it is sent.

use std::collections::VecDeque;

use market::{Channel, InstrumentId};
use testkit::websocket::{client_frame, take_server_frame};
use wire::control::{Answer, Request};
use wire::{Encoding, OwnedBody, OwnedMessage, View, packed, sbe};

/// A connection, as its client sees it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) shard: usize,
    /// The index of its session in the shard, until the session has ended.
    pub(crate) session: Option<usize>,
    pub(crate) encoding: Encoding,
    /// If set, it reads only when the test does, and its socket holds this many bytes.
    pub(crate) stalled: Option<usize>,
    /// The same, as the test set it for the entire connection.
    pub(crate) held: Option<usize>,
    /// Bytes that its socket takes before it is full.
    pub(crate) room: usize,
    /// Whether the shard knows that the socket is full.
    pub(crate) blocked: bool,
    /// Whether it was at any time since it was last up to date.
    pub(crate) was_blocked: bool,
    /// Whether the shard learns with its last byte that the socket is full, as with TLS.
    reports_full: bool,
    /// What the shard sent, and the client has not read.
    pub(crate) received: Vec<u8>,
    /// What the client sent, and the shard has not read.
    pub(crate) sent: Vec<u8>,
    /// The subscribers to its streams.
    pub(crate) subscribers: Vec<usize>,
    /// The subscribers of each unanswered request, in order.
    pub(crate) asked: VecDeque<Vec<usize>>,
    /// The code that it was closed with.
    pub(crate) closed: Option<u16>,
    pub(crate) pings: usize,
    pub(crate) answers: usize,
    requests: u64,
}

/// What the node sends.
#[derive(Debug)]
pub(crate) enum Frame {
    Answer(String),
    /// A message of a stream, with its head.
    Data(Vec<u8>),
    Ping,
    Close(u16),
}

/// Which stream a message belongs to; a definition has no channel.
pub(crate) type Address = (InstrumentId, View, Option<Channel>);

impl Connection {
    pub(crate) const fn new(shard: usize, session: usize, encoding: Encoding) -> Self {
        Self {
            shard,
            session: Some(session),
            encoding,
            stalled: None,
            held: None,
            room: usize::MAX,
            blocked: false,
            was_blocked: false,
            reports_full: session % 2 == 1,
            received: Vec::new(),
            sent: Vec::new(),
            subscribers: Vec::new(),
            asked: VecDeque::new(),
            closed: None,
            pings: 0,
            answers: 0,
            requests: 0,
        }
    }

    pub(crate) fn request(&mut self, make: impl FnOnce(u64) -> Request) {
        self.requests += 1;
        let request = make(self.requests).to_json();
        assert!(request.len() <= 4096, "{} bytes", request.len());
        self.send(0x81, request.as_bytes());
    }

    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.sent.extend(client_frame(opcode, payload));
    }

    /// Takes what the shard sends, as far as there is room; how much, and whether there is more.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let taken = bytes.len().min(self.room);
        self.received.extend(&bytes[..taken]);
        if self.room != usize::MAX {
            self.room -= taken;
        }
        let has_room = self.room > 0 || taken == bytes.len() && taken > 0 && !self.reports_full;
        self.blocked = taken < bytes.len() || !has_room;
        self.was_blocked |= self.blocked;
        (taken, has_room)
    }

    /// The next complete frame of what was received.
    pub(crate) fn next_frame(&mut self) -> Option<Frame> {
        let frame = take_server_frame(&mut self.received)?;
        let payload = frame.payload();
        Some(match frame.opcode() {
            0x1 if Answer::is_answer(payload) => {
                let text = std::str::from_utf8(payload).unwrap();
                self.answers += 1;
                Frame::Answer(text.to_owned())
            }
            0x1 | 0x2 => Frame::Data(frame.bytes),
            0x8 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
            0x9 => Frame::Ping,
            other => panic!("opcode {other:x}"),
        })
    }

    /// Returns whether the client has read all complete frames that the shard sent.
    pub(crate) fn has_read_all(&self) -> bool {
        self.received.is_empty()
    }
}

/// What a frame carries.
pub(crate) fn payload(frame: &[u8]) -> &[u8] {
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &frame[head..]
}

/// Which stream a frame with a message belongs to.
pub(crate) fn address(frame: &[u8], encoding: Encoding) -> Address {
    let payload = payload(frame);
    let message: OwnedMessage = match encoding {
        Encoding::Json => return address_of_text(payload),
        Encoding::Packed => packed::Messages::new(payload).next().unwrap().unwrap(),
        Encoding::Sbe => sbe::Message::decode(payload).unwrap().0.into_owned(),
    };
    let channel = match &message.body {
        OwnedBody::BookSnapshot { .. } | OwnedBody::BookDelta { .. } => Some(Channel::Book),
        OwnedBody::Bbo(_) => Some(Channel::Bbo),
        OwnedBody::Trades(_) => Some(Channel::Trades),
        OwnedBody::Ticker(_) => Some(Channel::Ticker),
        OwnedBody::Bar(_) => Some(Channel::Bars),
        OwnedBody::Status(status) => Some(status.channel),
        OwnedBody::Heartbeat(channel) => Some(*channel),
        OwnedBody::Lag(lag) => Some(lag.channel),
        _ => None,
    };
    (message.head.instrument, message.head.view, channel)
}

fn address_of_text(text: &[u8]) -> Address {
    let raw: serde_json::Value = serde_json::from_slice(text).unwrap();
    let number = |key: &str| raw[key].as_u64().unwrap();
    let channel = match raw["type"].as_str().unwrap() {
        "BookSnapshot" | "BookDelta" => Some(Channel::Book),
        "Bbo" => Some(Channel::Bbo),
        "Trades" => Some(Channel::Trades),
        "Ticker" => Some(Channel::Ticker),
        "Bar" => Some(Channel::Bars),
        "Instrument" => None,
        _ => {
            let name = raw["channel"].as_str().unwrap().to_ascii_lowercase();
            Some(Channel::from_name(&name).unwrap())
        }
    };
    let view = View(u32::try_from(number("view")).unwrap());
    (InstrumentId(number("instrumentId")), view, channel)
}
