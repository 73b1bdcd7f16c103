//! Instruments, books, sequence rules and checksums.
//!
//! This crate says what a market is and nothing about how it is carried: it has no IO, no runtime
//! and no clock. Prices and sizes are exact: `i64` mantissas with an exponent per instrument.
//!
//! Invariants:
//! - Every state is a pure function of the events applied to it, in order.
//! - A [`Book`] is never crossed once a [`BookBuilder`] has called it live.
//! - A book's checksum equals the one computed from scratch over its levels, always.
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

mod builder;
mod event;
mod recent;
mod saved;

pub use bbo::Bbo;
pub use book::{Book, DuplicateLevel};
pub use builder::{BookBuilder, Break, DeltaOutcome, SnapshotOutcome};
pub use change::{Change, Changes, difference};
pub use channel::Channel;
pub use event::{Check, Definition, Event, Link, SnapshotOrigin};
pub use handle::Handle;
pub use instrument::{Exponents, InstrumentId, InstrumentName, NameError};
pub use ladder::Ladder;
pub use level::{Level, Price, Size};
pub use partition::{PartitionIdentity, PartitionIndex};
pub use position::{Epoch, Position, Seq, Step};
pub use recent::{RecentDelta, RecentDeltas};
pub use record::{At, Scope};
pub use saved::{SavedBook, SavedDelta};
pub use side::{Aggressor, Side};
pub use state::{Reason, State};
pub use time::{Monotonic, Nanos, Now};
pub use trade::Trade;
pub use venue_checksum::{ChecksumRule, ChecksumText, Decimals, VenueChecksum};
