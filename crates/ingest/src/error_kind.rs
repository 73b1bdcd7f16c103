use std::fmt;

use market::NameError;
use market::decimal::DecimalError;
use metrics::label::DecodeOutcome;

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The record has no value.
    Tombstone,
    /// The value has no bytes.
    Empty,
    /// The value is larger than configured.
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The value is no JSON.
    MalformedJson {
        /// The byte at which that was seen.
        at: usize,
    },
    /// A field that this kind of record has is not there.
    MissingField,
    /// A field stands twice.
    RepeatedField,
    /// A field is of another type.
    WrongType {
        /// What it is.
        found: &'static str,
        /// What it may be.
        expected: &'static str,
    },
    /// A field has the right type, and a value that means nothing.
    BadValue {
        /// What it may be.
        expected: &'static str,
    },
    /// A price or size has no exact mantissa.
    BadDecimal(DecimalError),
    /// A size is below zero.
    NegativeSize,
    /// A time is no time since 1970 that nanoseconds in 63 bits can hold.
    BadTime,
    /// A delta leads nowhere: its number is not behind the one it builds on.
    BadSequence {
        /// What it builds on.
        prev: u64,
        /// What it leads to.
        seq: u64,
    },
    /// A whole book is not the one of which the venue's own checksum was made.
    BadChecksum {
        /// What the venue says.
        told: u32,
        /// What was found.
        found: u32,
    },
    /// One record speaks of two instruments.
    OtherInstrument,
    /// Nothing says which instrument this is subject.
    MissingSymbol,
    /// That is no instrument's name.
    BadName(NameError),
    /// The configuration names all instruments, and not this one.
    UnknownInstrument,
    /// There are as many instruments as this node may have.
    TooManyInstruments,
    /// No kind of record looks like this.
    UnknownKind,
    /// More levels or trades than the bound.
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// A text is too long.
    TooLong {
        /// How many bytes it may have.
        limit: usize,
    },
}

impl ErrorKind {
    /// What it counts as.
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
                "the record's value has {bytes} bytes, and may have {limit}"
            ),
            Self::MalformedJson { at } => write!(f, "the value is no JSON from byte {at} on"),
            Self::MissingField => f.write_str("is missing"),
            Self::RepeatedField => f.write_str("stands twice"),
            Self::WrongType { found, expected } => {
                write!(f, "is {found}, and may be {expected}")
            }
            Self::BadValue { expected } => write!(f, "may be {expected}"),
            Self::BadDecimal(error) => error.fmt(f),
            Self::NegativeSize => f.write_str("is a size below zero"),
            Self::BadTime => f.write_str("is no time from 1970 to 2262"),
            Self::BadSequence { prev, seq } => {
                write!(f, "leads from {prev} to {seq}, and must lead forward")
            }
            Self::BadChecksum { told, found } => {
                write!(f, "is {told}, and the checksum of this book is {found}")
            }
            Self::OtherInstrument => {
                f.write_str("is another instrument than before it, and a record may be of one")
            }
            Self::MissingSymbol => f.write_str(
                "missing symbol: it may stand in the value, be the record's key, be the group \
                 `symbol` of the topic's pattern, or be configured for the topic",
            ),
            Self::BadName(error) => error.fmt(f),
            Self::UnknownInstrument => f.write_str("is not among the configured instruments"),
            Self::TooManyInstruments => {
                f.write_str("would be one instrument more than this node may have")
            }
            Self::UnknownKind => f.write_str("is no kind of record that the format knows"),
            Self::TooMany { limit } => write!(f, "has more than {limit} elements"),
            Self::TooLong { limit } => write!(f, "is longer than {limit} bytes"),
        }
    }
}
