//! The JSON of the data messages: field names as in the schema, in a fixed order.
//!
//! Writing takes a decoded SBE message, so the content is the same by construction; it needs
//! neither serde nor, once its buffer has grown, an allocation. Reading is for clients and tests.

mod object;
mod write;

mod raw;
mod read;

pub use read::{ReadError, read};
pub use write::{InstrumentText, write};
