//! What is broadcast: logs, views, conflation, runs and cursors.
//!
//! The deterministic core between a decoded record and bytes that are ready to send. It has no IO,
//! no runtime and no clock: time comes in as an argument, and frames go out as [`Runs`].
//!
//! Invariants:
//! - Sequence numbers are offsets; nothing here counts on its own. So two publishers that read the
//!   same log publish the same bytes, except for the publish time.
//! - A message is encoded once per encoding, and only if somebody is subscribed.
//! - A subscription that starts, resumes or catches up receives exactly what leads from its
//!   position to the stream's last message, or receives a notice of what is missing.
//! - A problem of one instrument affects no other instrument.
//!
//! In reading order:

mod key;
mod settings;
mod stamp;

mod frame;
mod frames;
mod run;
mod runs;

mod growth;

mod book_log;
mod message_log;

mod deadline;

mod grouped;
mod prior_levels;
mod throttle;
mod view;

mod candle;

mod bars;
mod day;

mod checkpoint;
mod publisher;
mod replay;

mod ring;

pub use bars::{ClosedBar, SavedBars, TimedCandle};
pub use candle::Candle;
pub use checkpoint::{
    BarsPart, BookPart, Checkpoint, CheckpointError, SavedSource, SavedStamp, StatusPart,
    TickerPart, TradesPart,
};
pub use day::DayBucket;
pub use frame::{Opcode, append_frame, payload};
pub use frames::{Cursor, FrameMark, Frames, Passed};
pub use key::{StreamId, StreamKey};
pub use message_log::MessageLog;
pub use publisher::{
    CaughtUp, ChannelReport, Encoded, Fetched, InstrumentInfo, Joined, LastMessage, Ledger, Origin,
    Publisher, Rejected, Report, RestoreError, ResumeFailure, Room, Skipped, Start, Stats, ViewsOf,
};
pub use replay::{Knowledge, Replay};
pub use ring::{Chunks, Ring};
pub use run::{Run, RunBuilder};
pub use runs::{Runs, StreamRun};
pub use settings::Settings;
