//! What goes over the wire: the schema, the encodings and the control messages.
//!
//! Pure: no IO, no runtime, no clock; bytes in, values out. `docs/protocol.md` tells the same to
//! the authors of clients.
//!
//! Invariants:
//! - No bytes of a peer can cause a panic; what is wrong with them is a typed error that names
//!   the message, the field and the place.
//! - All encodings of a message say the same: the JSON twin is written from the decoded message.
//! - `publishTime` stands at byte [`sbe::PUBLISH_TIME_OFFSET`] of every message, so that two nodes'
//!   bytes can be compared and a message can be encoded before it is published.
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
