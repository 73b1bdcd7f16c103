use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A server to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// The limit: one send() per client, of bytes that are framed already
    Loop,
    /// Tapecast's fan-out and publisher, without Kafka
    Tapecast,
    /// uWebSockets (C++), through socketify from PyPI
    Uwebsockets,
    /// fastwebsockets, with a task per client and broadcast channels
    Fastwebsockets,
    /// tokio-tungstenite, likewise
    Tungstenite,
    /// ws, on Node.js
    NodeWs,
    /// nats-server from Debian, over its WebSocket listener
    Nats,
    /// Centrifuge, the library that Centrifugo is built on
    Centrifugo,
    /// Socket.IO, on Node.js
    Socketio,
}

/// The protocol of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Of our own small programs: a JSON text subscribes, and a binary message is one delivery.
    Plain,
    Tapecast,
    Nats,
    Centrifugo,
    Socketio,
}

impl Peer {
    pub(super) fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Tapecast => "tapecast",
            Self::Uwebsockets => "uwebsockets",
            Self::Fastwebsockets => "fastwebsockets",
            Self::Tungstenite => "tungstenite",
            Self::NodeWs => "node-ws",
            Self::Nats => "nats",
            Self::Centrifugo => "centrifugo",
            Self::Socketio => "socketio",
        }
    }

    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::Loop
            | Self::Uwebsockets
            | Self::Fastwebsockets
            | Self::Tungstenite
            | Self::NodeWs => Protocol::Plain,
            Self::Tapecast => Protocol::Tapecast,
            Self::Nats => Protocol::Nats,
            Self::Centrifugo => Protocol::Centrifugo,
            Self::Socketio => Protocol::Socketio,
        }
    }

    /// How its results must be read.
    pub(crate) fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Loop => Some("the limit, not a server: it reads no client, and catches none up"),
            Self::Tapecast => Some(
                "messages are Bbo messages with sequence and checksum, larger than --size: see the bytes of a delivery",
            ),
            Self::Nats => Some("its publisher is another process, whose CPU time is separate"),
            Self::Socketio => Some("its protocol sends two WebSocket frames for each message"),
            Self::Uwebsockets => Some("C++; the publishing loop is Python, over cffi"),
            _ => None,
        }
    }
}
