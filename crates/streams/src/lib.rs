//! What is broadcast: logs, views, conflation, runs and cursors.
//!
//! The deterministic core between a decoded record and bytes that are ready to send. It has no
//! IO, no runtime and no clock: time comes in as an argument, frames go out as [`Runs`].
//!
//! Invariants:
//! - Sequence numbers are offsets; nothing here counts on its own. So two publishers that read
//!   the same log say the same, byte for byte but for the publish time.
//! - A message is encoded once per encoding, and only where somebody watches.
//! - Whoever starts, resumes or catches up is given exactly what leads from where it stands to
//!   the stream's last message, or is told what is missing.
//! - One instrument's trouble touches no other instrument.
//!
//! In reading order:
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod key;
mod place;
mod settings;

mod frames;
mod run;
mod runs;

mod growth;

mod book_log;
mod message_log;

mod deadline;

mod before;
mod grouped;
mod pace;
mod view;

mod candle;

mod bars;
mod day;

mod checkpoint;
mod publisher;
mod replay;

mod ring;

pub use bars::{ClosedBar, OneBar};
pub use candle::Candle;
pub use checkpoint::{
    BarsPart, BookPart, Checkpoint, CheckpointError, DayPart, SavedBars, SavedHome, SavedPlace,
    StatusPart, TickerPart, TradesPart,
};
pub use frames::{Cursor, Frames, Passed};
pub use key::{StreamKey, WatchId};
pub use message_log::MessageLog;
pub use publisher::{
    About, CaughtUp, Encoded, Fetched, Joined, LastMessage, Ledger, NotRestored, Origin, Publisher,
    Refused, Report, ResumeFailure, Room, Source, Start, Stats, Unwanted, ViewsOf,
};
pub use replay::{Foundation, Replay};
pub use ring::{Chunks, Ring};
pub use run::{FrameMark, Opcode, Run, RunBuilder, append_frame, payload};
pub use runs::{Runs, StreamRun};
pub use settings::Settings;
