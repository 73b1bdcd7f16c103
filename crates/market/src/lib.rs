//! Instruments, books, sequence rules and checksums.
//!
//! This crate defines what a market is, and nothing about how its data is transported. It has no
//! IO, no runtime and no clock. Prices and sizes are exact: `i64` mantissas with an exponent per
//! instrument.
//!
//! Invariants:
//! - Every state is a pure function of the events applied to it, in order.
//! - The [`Book`] of a live [`VenueBook`] is never crossed.
//! - A book's checksum always equals the one computed from scratch over its levels.
//!
//! In reading order:

mod level;
mod side;
mod time;

pub mod checksum;
pub mod decimal;

mod channel;
mod instrument;
mod position;
mod state;

mod handle;
mod partition;
mod record;

mod bbo;
mod book;
mod change;
mod ladder;
mod trade;
mod venue_checksum;

mod event;
mod recent;
mod venue_book;

pub use bbo::Bbo;
pub use book::{Book, DuplicateLevel};
pub use change::{Change, Changes, difference};
pub use channel::Channel;
pub use event::{Check, Definition, Event, SeqLink, SnapshotOrigin};
pub use handle::Handle;
pub use instrument::{Exponents, InstrumentId, InstrumentName, NameError};
pub use ladder::Ladder;
pub use level::{Level, Price, Size};
pub use partition::{PartitionIdentity, PartitionIndex};
pub use position::{Epoch, Position, Seq, Step};
pub use recent::RecentDelta;
pub use record::{At, Scope};
pub use side::{Aggressor, Side};
pub use state::{Reason, State};
pub use time::{Monotonic, Nanos, Now};
pub use trade::Trade;
pub use venue_book::{Break, DeltaOutcome, SavedBook, SavedDelta, SnapshotOutcome, VenueBook};
pub use venue_checksum::{ChecksumRule, ChecksumText, Decimals, VenueChecksum};
