//! Simple Binary Encoding of the data messages, as in `schema/tapecast.xml`: the normative
//! encoding. In reading order:

mod layout;

mod error;
mod groups;
mod message;

mod draft;
mod encode;

mod decode;
mod reader;

pub use decode::Messages;
pub use encode::{
    bar, bbo, book_delta, book_snapshot, epoch, go_away, heartbeat, instrument, lag,
    replay_complete, stamp, status, ticker, trades,
};
pub use error::{DecodeError, EncodeError, Fault};
pub use groups::{Levels, TradeEntries};
pub use layout::{
    HEADER, MAX_CHUNK_LEVELS, MAX_DELTA_LEVELS, MAX_TEXT, MAX_TRADES, PUBLISH_TIME_OFFSET,
    SCHEMA_ID, SCHEMA_VERSION,
};
pub use message::{Body, BookDelta, BookSnapshot, Instrument, Message};
