//! The wire protocol: the schema, the encodings and the control messages.
//!
//! Pure: no I/O, no runtime, no clock; bytes in, values out. `docs/protocol.md` describes the same for
//! authors of clients.
//!
//! Invariants:
//! - No bytes from a peer can cause a panic; malformed input is a typed error that names the message,
//!   the field and the offset.
//! - All encodings of a message have the same content: the JSON is written from the decoded message.
//! - `publishTime` is at byte [`sbe::PUBLISH_TIME_OFFSET`] of every message, so that the bytes of two nodes
//!   can be compared, and a message can be encoded before it is published.
//!
//! In reading order:

mod depth;
mod head;
mod speed;
mod step;
mod view;

mod bar_interval;
mod body;

mod codes;

pub mod sbe;

mod owned;
mod text;

pub mod json;
pub mod packed;

mod encoding;

pub mod close;
pub mod control;

pub use bar_interval::BarInterval;
pub use body::{Bar, GoAway, GoAwayReason, Lag, LagKind, ReplayComplete, Status, Ticker};
pub use depth::Depth;
pub use encoding::{Encoding, SUBPROTOCOL_JSON, SUBPROTOCOL_PACKED, SUBPROTOCOL_SBE};
pub use head::Head;
pub use owned::{OwnedBody, OwnedInstrument, OwnedMessage, OwnedTrade};
pub use speed::Speed;
pub use step::{PriceStep, StepError};
pub use view::{View, ViewParams};
