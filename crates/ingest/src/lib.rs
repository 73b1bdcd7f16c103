//! Consumes records from Kafka and decodes them.
//!
//! A [`Consumer`] runs in a thread of its own. It reads its share of the partitions of every
//! matching topic, decodes each record in its topic's format, and passes the events to a [`Sink`]
//! in log order.
//!
//! Invariants:
//! - A partition's records reach the sink in order, each once; records that were lost are reported
//!   as a [`Reset`].
//! - A record decodes to an event, to nothing, or to a [`DecodeError`] that names the field. It
//!   never causes a panic.
//! - Levels that are scanned from their text equal those parsed from the tape of the whole record.
//! - Prices and sizes are parsed from the record's text, never from a binary floating-point number.
//! - Decoding a valid record does not allocate once the buffers are warm.
//!
//! The modules in reading order:

mod resolve;

mod decode_error;
mod decoder;
mod error_kind;
mod format;
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
mod config_errors;
mod consumer;
mod history;
mod ingest_error;
mod progress;
mod scout;
mod shares;
mod sink;
mod topic_id;
mod waker;

pub use compacted::{Compacted, CompactedError, read_compacted};
pub use config::{BatchLimits, ConfigError, IngestConfig, ResumeAt, Start};
pub use consumer::{Consumer, start};
pub use decode_error::{DecodeError, Excerpt};
pub use decoder::{Decoded, Decoder};
pub use error_kind::ErrorKind;
pub use format::Format;
pub use formats::{
    Kind as MappedKind, Mapping, MappingConfig, MappingError, Otherwise, SymbolFrom, TimeUnit,
};
pub use history::{HistoryClients, HistoryError, HistoryReader, HistorySink, Next};
pub use ingest_error::IngestError;
pub use progress::{PartitionProgress, Progress, Topics};
pub use resolve::{Rejection, Resolve, Resolved};
pub use sink::{OpenedPartition, Reset, Sink};
pub use source::{FormatOptions, RawRecord, Source, TopicRule};
pub use times::date_of as date;
pub use waker::{Stop, Waker};
