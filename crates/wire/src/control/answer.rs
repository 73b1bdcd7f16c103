use market::{Channel, Epoch, Exponents, InstrumentId, InstrumentName, Nanos, State};

use super::{ControlError, Policy, Refusal, RequestId, StreamError, StreamKey};
use crate::View;
use crate::text::{integer, quote};

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `subscribe`: each stream's outcome, in the order of the request.
    Subscribed {
        /// What the client calls its request.
        id: Option<RequestId>,
        /// One for each stream, or for each instrument that a `*` matched.
        results: Vec<Outcome<Subscribed>>,
    },
    /// To `unsubscribe`: each stream's outcome, in the order of the request.
    Unsubscribed {
        /// What the client calls its request.
        id: Option<RequestId>,
        /// One for each stream.
        results: Vec<Outcome<Unsubscribed>>,
    },
    /// To `update`: each stream's outcome, in the order of the request.
    Updated {
        /// What the client calls its request.
        id: Option<RequestId>,
        /// One for each stream, which is told as it is now.
        results: Vec<Outcome<Subscribed>>,
    },
    /// To `list`.
    Instruments {
        /// What the client calls its request.
        id: Option<RequestId>,
        /// The instruments that match, by name.
        instruments: Vec<InstrumentEntry>,
        /// Where the next page continues, if there is one.
        next: Option<InstrumentName>,
    },
    /// To `ping`.
    Pong {
        /// What the client calls its request.
        id: Option<RequestId>,
        /// What the node's clock says.
        time: Nanos,
    },
    /// To a message that is no request.
    Error {
        /// What the client calls its request, where that could be read.
        id: Option<RequestId>,
        /// What is wrong.
        error: ControlError,
    },
}

/// What became of one stream of a request.
pub type Outcome<T> = Result<T, StreamError>;

/// A stream that the client has from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The stream, with defaults filled.
    pub stream: StreamKey,
    /// What happens when the client is too slow.
    pub policy: Policy,
    /// The number of its instrument in every message.
    pub instrument: InstrumentId,
    /// Its view in every message.
    pub view: View,
    /// The epoch that it is in.
    pub epoch: Epoch,
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
    /// What its messages begin with.
    pub start: StartKind,
    /// Why it begins with a snapshot although the client wanted to resume.
    pub reason: Option<StartReason>,
}

/// A stream that the client has no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribed {
    /// The stream, with defaults filled.
    pub stream: StreamKey,
}

/// What a stream's messages begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartKind {
    /// With what follows on the position that the client gave.
    Resumed,
    /// With the whole state.
    Snapshot,
}

/// Why a stream begins with a snapshot although the client wanted to resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartReason {
    /// The client's epoch is not the stream's.
    EpochChanged,
    /// The client's position is older than the node's log reaches, or the way from there is longer
    /// than a snapshot.
    LogExceeded,
    /// The node has not read as far as the client's position yet.
    AheadOfLog,
    /// The client's position is before what this node has read since it started.
    BeforeStart,
    /// The node has no state of the instrument.
    NoState,
    /// A reason of a later version; read by clients, never sent.
    Other,
}

/// An instrument that the node knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentEntry {
    /// Its name.
    pub symbol: InstrumentName,
    /// Its number in every message.
    pub instrument: InstrumentId,
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
    /// How far it can be trusted at the moment.
    pub state: State,
    /// The channels that it has.
    pub channels: Vec<Channel>,
}

impl Answer {
    /// Appends the answer as it is sent.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"op\":");
        quote(out, self.op());
        out.extend_from_slice(b",\"id\":");
        RequestId::write_or_null(self.id(), out);
        match self {
            Self::Subscribed { results, .. } | Self::Updated { results, .. } => {
                write_all(out, "results", results, |result, out| {
                    write_outcome(out, result, Subscribed::write);
                });
            }
            Self::Unsubscribed { results, .. } => {
                write_all(out, "results", results, |result, out| {
                    write_outcome(out, result, Unsubscribed::write);
                });
            }
            Self::Instruments {
                instruments, next, ..
            } => {
                write_all(out, "instruments", instruments, InstrumentEntry::write);
                if let Some(next) = next {
                    out.extend_from_slice(b",\"next\":");
                    quote(out, next.as_str());
                }
            }
            Self::Pong { time, .. } => {
                out.extend_from_slice(b",\"time\":\"");
                integer(out, time.0);
                out.push(b'"');
            }
            Self::Error { error, .. } => {
                out.extend_from_slice(b",\"error\":");
                error.write(out);
            }
        }
        out.push(b'}');
    }

    /// The answer as it is sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(512);
        self.write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Whether a text message is an answer; in the JSON subprotocol it may be a data message.
    #[must_use]
    pub fn is_answer(text: &[u8]) -> bool {
        text.starts_with(b"{\"op\":")
    }

    /// The `op`.
    #[must_use]
    pub const fn op(&self) -> &'static str {
        match self {
            Self::Subscribed { .. } => "subscribed",
            Self::Unsubscribed { .. } => "unsubscribed",
            Self::Updated { .. } => "updated",
            Self::Instruments { .. } => "instruments",
            Self::Pong { .. } => "pong",
            Self::Error { .. } => "error",
        }
    }

    /// What the client calls its request.
    #[must_use]
    pub const fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Subscribed { id, .. }
            | Self::Unsubscribed { id, .. }
            | Self::Updated { id, .. }
            | Self::Instruments { id, .. }
            | Self::Pong { id, .. }
            | Self::Error { id, .. } => id.as_ref(),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(Refusal { id, error }: Refusal) -> Self {
        Self::Error { id, error }
    }
}

impl Subscribed {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"stream\":");
        self.stream.write(Some(self.policy), out);
        out.extend_from_slice(b",\"ok\":true,\"instrument\":");
        integer(out, self.instrument.0);
        out.extend_from_slice(b",\"view\":");
        integer(out, self.view.0);
        out.extend_from_slice(b",\"epoch\":");
        integer(out, self.epoch.0);
        write_exponents(out, self.exponents);
        out.extend_from_slice(b",\"start\":");
        quote(out, self.start.name());
        out.extend_from_slice(b",\"reason\":");
        match self.reason {
            Some(reason) => quote(out, reason.name()),
            None => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
}

impl Unsubscribed {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"stream\":");
        self.stream.write(None, out);
        out.extend_from_slice(b",\"ok\":true}");
    }
}

impl InstrumentEntry {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"symbol\":");
        quote(out, self.symbol.as_str());
        out.extend_from_slice(b",\"instrument\":");
        integer(out, self.instrument.0);
        write_exponents(out, self.exponents);
        out.extend_from_slice(b",\"state\":");
        quote(out, self.state.name());
        write_all(out, "channels", &self.channels, |channel, out| {
            quote(out, channel.name());
        });
        out.push(b'}');
    }
}

impl StartKind {
    /// The name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Resumed => "resumed",
            Self::Snapshot => "snapshot",
        }
    }
}

impl StartReason {
    /// All reasons that a node sends.
    pub const ALL: [Self; 5] = [
        Self::EpochChanged,
        Self::LogExceeded,
        Self::AheadOfLog,
        Self::BeforeStart,
        Self::NoState,
    ];

    /// The name in answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EpochChanged => "epoch_changed",
            Self::LogExceeded => "log_exceeded",
            Self::AheadOfLog => "ahead_of_log",
            Self::BeforeStart => "before_start",
            Self::NoState => "no_state",
            Self::Other => "other",
        }
    }

    /// The reason of that name; one that is not known is [`Other`](Self::Other).
    #[must_use]
    pub fn read(name: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name() == name)
            .unwrap_or(Self::Other)
    }
}

fn write_outcome<T>(out: &mut Vec<u8>, outcome: &Outcome<T>, write: impl Fn(&T, &mut Vec<u8>)) {
    match outcome {
        Ok(value) => write(value, out),
        Err(StreamError { stream, error }) => {
            out.extend_from_slice(b"{\"stream\":");
            out.extend_from_slice(stream.as_bytes());
            out.extend_from_slice(b",\"ok\":false,\"error\":");
            error.write(out);
            out.push(b'}');
        }
    }
}

fn write_exponents(out: &mut Vec<u8>, exponents: Exponents) {
    out.extend_from_slice(b",\"price_exponent\":");
    integer(out, exponents.price);
    out.extend_from_slice(b",\"size_exponent\":");
    integer(out, exponents.size);
}

fn write_all<T>(out: &mut Vec<u8>, name: &str, items: &[T], write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b',');
    quote(out, name);
    out.extend_from_slice(b":[");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}
