use std::fmt;

use market::NameError;
use market::decimal::DecimalError;
use metrics::label::DecodeOutcome;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The record has no value: a tombstone of a compacted topic.
    Tombstone,
    /// The record's value is empty.
    Empty,
    /// The value is larger than the configured maximum.
    TooLarge {
        /// The size of the value in bytes.
        bytes: usize,
        /// The configured maximum.
        limit: usize,
    },
    /// The value is not valid JSON.
    MalformedJson {
        /// The byte at which the parser stopped.
        at: usize,
    },
    /// A required field is missing.
    MissingField,
    /// A field occurs twice.
    RepeatedField,
    /// A field has the wrong type.
    WrongType {
        /// The JSON type of the field.
        found: &'static str,
        /// The types that are accepted.
        expected: &'static str,
    },
    /// A field has the right type, but an invalid value.
    BadValue {
        /// The values that are accepted.
        expected: &'static str,
    },
    /// A price or a size cannot be represented exactly at the instrument's scale.
    BadDecimal(DecimalError),
    /// A size is negative.
    NegativeSize,
    /// A timestamp is not within the years 1970 to 2262, the range of nanoseconds in 63 bits.
    BadTime,
    /// A delta's sequence number is not greater than that of the delta before it.
    BadSequence {
        /// The sequence number of the delta before it.
        prev: u64,
        /// The delta's own sequence number.
        seq: u64,
    },
    /// A snapshot does not match the venue's checksum.
    BadChecksum {
        /// The venue's checksum.
        expected: u32,
        /// The checksum of the snapshot as it was read.
        found: u32,
    },
    /// A record refers to two instruments.
    OtherInstrument,
    /// Neither the record nor the configuration names the instrument.
    MissingSymbol,
    /// The name of the instrument is invalid.
    BadName(NameError),
    /// The configuration lists all instruments, and this is not one of them.
    UnknownInstrument,
    /// The node has reached its maximum number of instruments.
    TooManyInstruments,
    /// The type of the record is unknown to the format.
    UnknownKind,
    /// A list has too many elements.
    TooMany {
        /// The maximum number of elements.
        limit: usize,
    },
    /// A string is too long.
    TooLong {
        /// The maximum length in bytes.
        limit: usize,
    },
}

impl ErrorKind {
    /// The outcome that the record is counted under in metrics.
    #[must_use]
    pub const fn outcome(&self) -> DecodeOutcome {
        match self {
            Self::Tombstone => DecodeOutcome::Tombstone,
            Self::Empty => DecodeOutcome::Empty,
            Self::TooLarge { .. } => DecodeOutcome::TooLarge,
            Self::MalformedJson { .. } => DecodeOutcome::MalformedJson,
            Self::UnknownKind => DecodeOutcome::UnknownKind,
            Self::MissingField | Self::RepeatedField | Self::WrongType { .. } => {
                DecodeOutcome::WrongShape
            }
            Self::BadValue { .. }
            | Self::BadDecimal(_)
            | Self::NegativeSize
            | Self::BadTime
            | Self::BadChecksum { .. }
            | Self::OtherInstrument
            | Self::TooLong { .. } => DecodeOutcome::BadValue,
            Self::BadSequence { .. } => DecodeOutcome::BadSequence,
            Self::MissingSymbol | Self::BadName(_) => DecodeOutcome::BadName,
            Self::UnknownInstrument | Self::TooManyInstruments => DecodeOutcome::UnknownInstrument,
            Self::TooMany { .. } => DecodeOutcome::TooMany,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tombstone => f.write_str("the record has no value (a tombstone)"),
            Self::Empty => f.write_str("the record's value is empty"),
            Self::TooLarge { bytes, limit } => write!(
                f,
                "the record's value has {bytes} bytes, more than the maximum of {limit}"
            ),
            Self::MalformedJson { at } => write!(f, "the value is not valid JSON at byte {at}"),
            Self::MissingField => f.write_str("is missing"),
            Self::RepeatedField => f.write_str("occurs twice"),
            Self::WrongType { found, expected } => {
                write!(f, "is {found}, and may be {expected}")
            }
            Self::BadValue { expected } => write!(f, "may be {expected}"),
            Self::BadDecimal(error) => error.fmt(f),
            Self::NegativeSize => f.write_str("is a negative size"),
            Self::BadTime => f.write_str("is not a time from 1970 to 2262"),
            Self::BadSequence { prev, seq } => {
                write!(f, "is {seq}, and must be greater than its predecessor {prev}")
            }
            Self::BadChecksum { expected, found } => {
            write!(f, "is {expected}, but the checksum of this snapshot is {found}")
            }
            Self::OtherInstrument => {
                f.write_str("is another instrument than before, and a record may have only one")
            }
            Self::MissingSymbol => f.write_str(
                "missing symbol: it may be in the value, the record's key or the group `symbol` of the \
                 topic's pattern, or be configured for the topic",
            ),
            Self::BadName(error) => error.fmt(f),
            Self::UnknownInstrument => f.write_str("is not among the configured instruments"),
            Self::TooManyInstruments => {
                f.write_str("would exceed the node's maximum number of instruments")
            }
            Self::UnknownKind => f.write_str("is not a type of record that the format knows"),
            Self::TooMany { limit } => write!(f, "has more than {limit} elements"),
            Self::TooLong { limit } => write!(f, "is longer than {limit} bytes"),
        }
    }
}
