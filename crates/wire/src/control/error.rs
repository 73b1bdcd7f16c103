use std::fmt;

use market::{Nanos, Seq};

/// What is wrong with a request or a stream; stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The message is not JSON.
    BadJson,
    /// The message is JSON, but not a request: not an object, or a field is missing, unknown or of the wrong type.
    BadRequest,
    /// There is no such `op`.
    UnknownOp,
    /// There is no such channel.
    UnknownChannel,
    /// This node does not provide the channel.
    UnsupportedChannel,
    /// This node does not know the instrument, or the text is not a valid symbol.
    UnknownSymbol,
    /// Not one of the depths.
    BadDepth,
    /// Not one of the speeds.
    BadSpeed,
    /// The channel does not have this speed.
    UnsupportedSpeed,
    /// Not a price step.
    BadGroup,
    /// This instrument cannot be grouped by this step.
    UnsupportedGroup,
    /// Not one of the intervals, or the channel has none.
    BadInterval,
    /// Not one of the policies.
    BadPolicy,
    /// Not a position to resume from.
    BadResume,
    /// This node, or this stream, cannot start in the past.
    UnsupportedStart,
    /// What the start needs is no longer in the log.
    StartTooEarly,
    /// The node already replays as many streams as it may.
    Busy,
    /// The session already has the stream.
    AlreadySubscribed,
    /// The session does not have the stream.
    NotSubscribed,
    /// The session has as many streams as it may.
    TooManyStreams,
    /// The instrument, the session or the node has as many grouped streams as it may.
    TooManyViews,
    /// The node is starting and does not know the instrument's state yet.
    NotReady,
    /// The client's token does not cover the stream.
    NotEntitled,
    /// A pattern matches more instruments than one request may cover.
    MoreMatches,
    /// The node can no longer provide the stream, and has ended it.
    StreamEnded,
    /// A code of a later version; parsed by clients, never sent.
    Other,
}

impl ErrorCode {
    /// All codes that a node sends.
    pub const ALL: [Self; 25] = [
        Self::BadJson,
        Self::BadRequest,
        Self::UnknownOp,
        Self::UnknownChannel,
        Self::UnsupportedChannel,
        Self::UnknownSymbol,
        Self::BadDepth,
        Self::BadSpeed,
        Self::UnsupportedSpeed,
        Self::BadGroup,
        Self::UnsupportedGroup,
        Self::BadInterval,
        Self::BadPolicy,
        Self::BadResume,
        Self::UnsupportedStart,
        Self::StartTooEarly,
        Self::Busy,
        Self::AlreadySubscribed,
        Self::NotSubscribed,
        Self::TooManyStreams,
        Self::TooManyViews,
        Self::NotReady,
        Self::NotEntitled,
        Self::MoreMatches,
        Self::StreamEnded,
    ];

    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadRequest => "bad_request",
            Self::UnknownOp => "unknown_op",
            Self::UnknownChannel => "unknown_channel",
            Self::UnsupportedChannel => "unsupported_channel",
            Self::UnknownSymbol => "unknown_symbol",
            Self::BadDepth => "bad_depth",
            Self::BadSpeed => "bad_speed",
            Self::UnsupportedSpeed => "unsupported_speed",
            Self::BadGroup => "bad_group",
            Self::UnsupportedGroup => "unsupported_group",
            Self::BadInterval => "bad_interval",
            Self::BadPolicy => "bad_policy",
            Self::BadResume => "bad_resume",
            Self::UnsupportedStart => "unsupported_start",
            Self::StartTooEarly => "start_too_early",
            Self::Busy => "busy",
            Self::AlreadySubscribed => "already_subscribed",
            Self::NotSubscribed => "not_subscribed",
            Self::TooManyStreams => "too_many_streams",
            Self::TooManyViews => "too_many_views",
            Self::NotReady => "not_ready",
            Self::NotEntitled => "not_entitled",
            Self::MoreMatches => "more_matches",
            Self::StreamEnded => "stream_ended",
            Self::Other => "other",
        }
    }

    /// The code with that text; an unknown one is [`Other`](Self::Other).
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: a code for programs, and a message for people that names the field, its value
/// and the values allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ControlError {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// For [`ErrorCode::StartTooEarly`]: the earliest possible start.
    pub earliest: Option<Earliest>,
    /// How many more instruments a pattern matches, as far as they were counted.
    pub more: Option<u64>,
}

/// The earliest possible start of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earliest {
    /// Its log time.
    pub time: Nanos,
    /// Its offset.
    pub seq: Seq,
}

impl ControlError {
    /// An error with that code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            earliest: None,
            more: None,
        }
    }

    /// The error for a start that is too early.
    pub fn too_early(message: impl Into<String>, earliest: Option<Earliest>) -> Self {
        Self {
            earliest,
            ..Self::new(ErrorCode::StartTooEarly, message)
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"code\":");
        crate::text::quote(out, self.code.as_str());
        out.extend_from_slice(b",\"message\":");
        crate::text::quote(out, &self.message);
        if let Some(Earliest { time, seq }) = self.earliest {
            out.extend_from_slice(b",\"earliest\":{\"time\":\"");
            crate::text::integer(out, time.0);
            out.extend_from_slice(b"\",\"seq\":");
            crate::text::integer(out, seq.0);
            out.push(b'}');
        }
        if let Some(more) = self.more {
            out.extend_from_slice(b",\"more\":");
            crate::text::integer(out, more);
        }
        out.push(b'}');
    }
}

/// The error of one stream; it does not affect the others of the request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stream}: {error}")]
pub struct StreamError {
    /// The stream as JSON: as the client sent it, or with defaults filled in if it could be parsed.
    pub stream: String,
    /// What is wrong.
    #[source]
    pub error: ControlError,
}

/// A request that could not be parsed at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// The id of the request, if it could be read.
    pub id: Option<super::RequestId>,
    /// What is wrong.
    #[source]
    pub error: ControlError,
}
