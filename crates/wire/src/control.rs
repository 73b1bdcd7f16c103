//! Control messages: the requests of clients and the answers of nodes, JSON text in every subprotocol.
//!
//! Syntax is checked here. Whether a node supports a feature or knows an instrument is for the node to
//! decide; the error codes for that are here too. In reading order:

mod id;
mod symbol;

mod pace;
mod stream;

mod error;

mod request;

mod fields;
mod parse;

mod answer;
mod read;

pub use answer::{
    Answer, InstrumentEntry, Outcome, StartKind, StartReason, Subscribed, Unsubscribed,
};
pub use error::{ControlError, Earliest, ErrorCode, Refusal, StreamError};
pub use id::RequestId;
pub use pace::Pace;
pub use read::AnswerError;
pub use request::Request;
pub use stream::{Policy, Resume, Start, StreamChange, StreamKey, StreamRequest, StreamUpdate};
pub use symbol::{Symbol, SymbolError};

/// The longest message that a node accepts, in bytes: room for some forty streams in one request, at about
/// 100 bytes per stream with a depth and a position to resume from.
pub const MAX_REQUEST: usize = 4096;
