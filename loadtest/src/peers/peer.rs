use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A server that the same work is given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Peer {
    /// The limit: one send() a client of bytes that are framed already
    Loop,
    /// This tree's fan-out and publisher, without Kafka
    Tapecast,
    /// uWebSockets (C++), through PyPI's socketify
    Uwebsockets,
    /// fastwebsockets, a task a client and broadcast channels
    Fastwebsockets,
    /// tokio-tungstenite, likewise
    Tungstenite,
    /// ws, on Node
    NodeWs,
    /// Debian's nats-server, over its WebSocket listener
    Nats,
    /// Centrifuge, the library that Centrifugo is made of
    Centrifugo,
    /// Socket.IO, on Node
    Socketio,
}

/// How a client protocol with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Our little programs: a JSON text subscribes, a binary message is a message.
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

    /// What of its results must not be taken for more than it is.
    pub(crate) fn caveat(self) -> Option<&'static str> {
        match self {
            Self::Loop => Some("no server: no client is read, none is caught up"),
            Self::Tapecast => Some(
                "messages are book changes with sequence and checksum, larger than --size: see bytes a delivery",
            ),
            Self::Nats => Some("its publisher is another process, whose CPU is told apart"),
            Self::Socketio => Some("each message is two WebSocket frames, by its protocol"),
            Self::Uwebsockets => Some("C++; the publishing loop is Python, over cffi"),
            _ => None,
        }
    }
}
