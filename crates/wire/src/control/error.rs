use std::fmt;

use market::{Nanos, Seq};

/// What is wrong with a request or a stream; stable, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The message is not JSON.
    BadJson,
    /// The message is JSON, and not a request: no object, a field missing, unknown or of a wrong type.
    BadRequest,
    /// There is no such `op`.
    UnknownOp,
    /// There is no such channel.
    UnknownChannel,
    /// This node does not have the channel.
    UnsupportedChannel,
    /// This node knows no such instrument, or the text cannot be one.
    UnknownSymbol,
    /// The depth is none of those that there are.
    BadDepth,
    /// The speed is none of those that there are.
    BadSpeed,
    /// This node does not have the speed.
    UnsupportedSpeed,
    /// The group is no price step.
    BadGroup,
    /// This node does not group, or not by this step.
    UnsupportedGroup,
    /// The interval is none of those that there are, or the channel has none.
    BadInterval,
    /// The policy is none of those that there are.
    BadPolicy,
    /// The position to resume from is none.
    BadResume,
    /// This node does not start in the past.
    UnsupportedStart,
    /// What the start needs is no longer in the log.
    StartTooEarly,
    /// The node replays as many streams as it may.
    Busy,
    /// The session has this stream already.
    AlreadySubscribed,
    /// The session does not have this stream.
    NotSubscribed,
    /// The session has as many streams as it may.
    TooManyStreams,
    /// There are as many grouped streams of the instrument, or on the node, as there may be.
    TooManyViews,
    /// The node is starting and does not know the instrument's state yet.
    NotReady,
    /// The client's token is not for this stream.
    NotEntitled,
    /// A wildcard matches more instruments than one request may concern.
    MoreMatches,
    /// The node ended the stream, which it can no longer make.
    StreamEnded,
    /// A code of a later version; read by clients, never sent.
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

    /// The code as it is sent.
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

    /// The code of that text; one that is not known is [`Other`](Self::Other).
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

/// What is wrong: a code for programs, and a text for people that names the field, what it was
/// and what it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ControlError {
    /// For programs.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
    /// Of [`ErrorCode::StartTooEarly`]: the first start that can be had.
    pub earliest: Option<Earliest>,
    /// How many more instruments match a wildcard, as far as they were counted.
    pub more: Option<u64>,
}

/// Where a stream can begin at the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earliest {
    /// The log time there.
    pub time: Nanos,
    /// The offset there.
    pub seq: Seq,
}

impl ControlError {
    /// An error of that code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            earliest: None,
            more: None,
        }
    }

    /// That a start is too early.
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

/// A stream that could not be had; the others of the same request are not concerned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stream}: {error}")]
pub struct StreamError {
    /// The stream, as JSON: as the client sent it, or with defaults filled where it was readable.
    pub stream: String,
    /// What is wrong.
    #[source]
    pub error: ControlError,
}

impl StreamError {
    /// The stream, where it was readable.
    #[must_use]
    pub fn key(&self) -> Option<super::StreamKey> {
        let fields = super::fields::Fields::read(&self.stream, "stream").ok()?;
        super::parse::key(&fields).ok()
    }
}

/// A request that could not be read as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refusal {
    /// What the client called the request, where that could be read.
    pub id: Option<super::RequestId>,
    /// What is wrong.
    #[source]
    pub error: ControlError,
}
