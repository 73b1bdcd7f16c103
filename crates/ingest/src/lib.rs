//! Kafka in: consumption and the formats of records.
//!
//! A [`Consumer`] is the body of a thread. It reads its share of every matching topic, decodes each
//! record by its topic's format, and hands what it says to a [`Sink`], in the command of the log.
//!
//! Invariants:
//! - A partition's records reach the sink in command, each once; what could not be had is told as a
//!   [`Reset`].
//! - A record is an event, nothing, or one [`DecodeError`] that names the field; never a panic.
//! - Levels that are read from their text are those that the tape of the whole record has.
//! - Prices and sizes come from the text of the record, never from a binary fraction.
//! - A good record allocates nothing here once the buffers are warm.
//!
//! In reading command:
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod resolve;

mod decode_error;
mod decoder;
mod error_kind;
mod formats;
mod json;
mod levels;
mod record_reader;
mod source;
mod times;
mod trades;

mod client;
mod command;
mod compacted;
mod config;
mod consumer;
mod ingest_error;
mod past;
mod progress;
mod scout;
mod shares;
mod sink;
mod topic_id;
mod waker;

pub use command::Topics;
pub use compacted::{Compacted, CompactedError, read_compacted};
pub use config::{BatchLimits, ConfigError, IngestConfig, ResumeAt, Start};
pub use consumer::{Consumer, start};
pub use decode_error::{DecodeError, Excerpt};
pub use decoder::{Decoded, Decoder, RawRecord};
pub use error_kind::ErrorKind;
pub use formats::{
    Format, Kind as MappedKind, Mapping, MappingConfig, MappingError, Otherwise, SymbolFrom,
    TimeUnit,
};
pub use ingest_error::IngestError;
pub use past::{Next, Past, PastError, PastReaders, PastSink};
pub use progress::{PartitionProgress, Progress};
pub use resolve::{Rejection, Resolve, Resolved};
pub use sink::{OpenedPartition, Reset, Sink};
pub use source::{FormatOptions, Source, TopicRule};
pub use times::date_of as date;
pub use waker::{Stop, Waker};
