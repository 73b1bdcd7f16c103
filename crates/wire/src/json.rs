//! The JSON twin of the data messages: field names as in the schema, in a fixed order.
//!
//! Writing takes a decoded SBE message, so that both say the same by construction, and needs
//! neither serde nor an allocation once its buffer has grown. Reading is for clients and tests.

mod object;
mod write;

mod raw;
mod read;

pub use read::{ReadError, read};
pub use write::{InstrumentText, write};
