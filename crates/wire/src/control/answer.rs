use market::{Channel, Epoch, Exponents, InstrumentId, InstrumentName, Nanos, State};

use super::{ControlError, Policy, Refusal, RequestId, StreamError, StreamKey};
use crate::View;
use crate::text::{integer, quote};

/// An answer of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `subscribe`: the result of each stream, in the order of the request.
    Subscribed {
        /// The id of the request.
        id: Option<RequestId>,
        /// One for each stream, or for each instrument that a pattern matched.
        results: Vec<Outcome<Subscribed>>,
    },
    /// To `unsubscribe`: the result of each stream, in the order of the request.
    Unsubscribed {
        /// The id of the request.
        id: Option<RequestId>,
        /// One for each stream.
        results: Vec<Outcome<Unsubscribed>>,
    },
    /// To `update`: the result of each stream, in the order of the request.
    Updated {
        /// The id of the request.
        id: Option<RequestId>,
        /// One for each stream, as it is after the update.
        results: Vec<Outcome<Subscribed>>,
    },
    /// To `list`.
    Instruments {
        /// The id of the request.
        id: Option<RequestId>,
        /// The instruments that match, in the order of their names.
        instruments: Vec<InstrumentEntry>,
        /// Where the next page begins, if there is one.
        next: Option<InstrumentName>,
    },
    /// To `ping`.
    Pong {
        /// The id of the request.
        id: Option<RequestId>,
        /// The node's clock.
        time: Nanos,
    },
    /// To a message that is not a request.
    Error {
        /// The id of the request, if it could be read.
        id: Option<RequestId>,
        /// What is wrong.
        error: ControlError,
    },
}

/// The result for one stream of a request.
pub type Outcome<T> = Result<T, StreamError>;

/// A stream that the client has from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// The stream, with defaults filled in.
    pub stream: StreamKey,
    /// What happens if the client lags.
    pub policy: Policy,
    /// The id of its instrument in every message.
    pub instrument: InstrumentId,
    /// Its view in every message.
    pub view: View,
    /// Its current epoch.
    pub epoch: Epoch,
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
    /// What the stream begins with.
    pub start: StartKind,
    /// A stream that the client is no longer subscribed to.
    pub reason: Option<StartReason>,
}

/// A stream that the client no longer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribed {
    /// The stream, with defaults filled in.
    pub stream: StreamKey,
}

/// What a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartKind {
    /// What follows the position that the client gave.
    Resumed,
    /// The whole state.
    Snapshot,
}

/// Why a stream begins with a snapshot although a resume was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StartReason {
    /// The position is of another epoch.
    EpochChanged,
    /// The node no longer holds what follows the position, or a snapshot is shorter.
    LogExceeded,
    /// The node has not read as far as the position.
    AheadOfLog,
    /// The position is before what this node has read since it started.
    BeforeStart,
    /// The node has no state of the instrument.
    NoState,
    /// A reason of a later version; parsed by clients, never sent.
    Other,
}

/// An instrument in the answer to `list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentEntry {
    /// Its name.
    pub symbol: InstrumentName,
    /// The id by which messages refer to it.
    pub instrument: InstrumentId,
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
    /// Its current state.
    pub state: State,
    /// The channels that the node provides.
    pub channels: Vec<Channel>,
}

impl Answer {
    /// Appends the answer as JSON.
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

    /// The answer as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::with_capacity(512);
        self.write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Returns whether a text message is an answer; in the JSON subprotocol it may be a data message.
    #[must_use]
    pub fn is_answer(text: &[u8]) -> bool {
        text.starts_with(b"{\"op\":")
    }

    /// The value of `op`.
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

    /// The id of the request.
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

    /// The reason with that name; an unknown one is [`Other`](Self::Other).
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
