//! Errors for streams that a client cannot have.

use metrics::label;
use streams::Refused;
use wire::control::{self, ControlError, ErrorCode, StreamError, Symbol};

use crate::message::JoinError;

/// Instruments that match a wildcard but have no result.
pub(super) struct RemainingMatches {
    pub(super) count: u64,
    /// Whether the whole directory was examined, so that `count` is exact.
    pub(super) searched_all: bool,
}

pub(super) fn unknown(symbol: &Symbol) -> String {
    format!(
        "symbol {:?} is no instrument of this node; `list` returns those that it has",
        symbol.as_str()
    )
}

pub(super) fn not_subscribed() -> ControlError {
    ControlError::new(
        ErrorCode::NotSubscribed,
        "this session does not have the stream; depth, speed and group must be those of the subscription",
    )
}

/// Returns the last result of a wildcard that matches more instruments than one request may
/// concern.
pub(super) fn more_matches(rest: &RemainingMatches) -> ControlError {
    let count = rest.count;
    let message = if rest.searched_all {
        format!("{count} more instruments match; repeat the request for the next ones")
    } else {
        format!(
            "at least {count} more instruments match, and not all were searched; narrow the text before the '*'"
        )
    };
    ControlError {
        more: Some(count),
        ..ControlError::new(ErrorCode::MoreMatches, message)
    }
}

pub(super) fn refuse(key: &control::StreamKey, why: JoinError) -> StreamError {
    let (code, message) = match why {
        JoinError::NotReady => {
            let message = "this node is catching up with what it has missed; try again soon";
            (ErrorCode::NotReady, message.to_owned())
        }
        JoinError::Busy | JoinError::NoHistory | JoinError::Replay(_) => {
            return key.refuse(super::replays::refusal(why));
        }
        JoinError::Refused(refused) => {
            let code = match refused {
                Refused::UnknownInstrument => ErrorCode::UnknownSymbol,
                Refused::Channel(_) => ErrorCode::UnsupportedChannel,
                Refused::Speed { .. } => ErrorCode::UnsupportedSpeed,
                Refused::Group { .. } => ErrorCode::UnsupportedGroup,
                Refused::TooManyViews { .. } => ErrorCode::TooManyViews,
            };
            (code, refused.to_string())
        }
    };
    key.refuse(ControlError::new(code, message))
}

pub(super) const fn code_label(code: ErrorCode) -> label::ErrorCode {
    match code {
        ErrorCode::BadJson => label::ErrorCode::BadJson,
        ErrorCode::BadRequest | ErrorCode::Other => label::ErrorCode::BadRequest,
        ErrorCode::UnknownOp => label::ErrorCode::UnknownOp,
        ErrorCode::UnknownChannel => label::ErrorCode::UnknownChannel,
        ErrorCode::UnsupportedChannel => label::ErrorCode::UnsupportedChannel,
        ErrorCode::UnknownSymbol => label::ErrorCode::UnknownSymbol,
        ErrorCode::BadDepth => label::ErrorCode::BadDepth,
        ErrorCode::BadSpeed => label::ErrorCode::BadSpeed,
        ErrorCode::UnsupportedSpeed => label::ErrorCode::UnsupportedSpeed,
        ErrorCode::BadGroup => label::ErrorCode::BadGroup,
        ErrorCode::UnsupportedGroup => label::ErrorCode::UnsupportedGroup,
        ErrorCode::BadInterval => label::ErrorCode::BadInterval,
        ErrorCode::BadPolicy => label::ErrorCode::BadPolicy,
        ErrorCode::BadResume => label::ErrorCode::BadResume,
        ErrorCode::UnsupportedStart => label::ErrorCode::UnsupportedStart,
        ErrorCode::StartTooEarly => label::ErrorCode::StartTooEarly,
        ErrorCode::Busy => label::ErrorCode::Busy,
        ErrorCode::AlreadySubscribed => label::ErrorCode::AlreadySubscribed,
        ErrorCode::NotSubscribed => label::ErrorCode::NotSubscribed,
        ErrorCode::TooManyStreams => label::ErrorCode::TooManyStreams,
        ErrorCode::TooManyViews => label::ErrorCode::TooManyViews,
        ErrorCode::NotReady => label::ErrorCode::NotReady,
        ErrorCode::NotEntitled => label::ErrorCode::NotEntitled,
        ErrorCode::MoreMatches => label::ErrorCode::MoreMatches,
        ErrorCode::StreamEnded => label::ErrorCode::StreamEnded,
    }
}
