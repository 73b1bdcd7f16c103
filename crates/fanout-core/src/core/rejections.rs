//! Errors for streams that a client cannot have.

use streams::Rejected;
use wire::control::{self, ControlError, ErrorCode, StreamError, Symbol};

use crate::message::JoinError;

/// Instruments that match a wildcard but have no result.
pub(super) struct RemainingMatches {
    pub(super) count: u64,
    /// Whether the whole directory was examined, so that `count` is exact.
    pub(super) searched_all: bool,
}

impl RemainingMatches {
    /// Returns whether there may be any.
    pub(super) const fn is_any(&self) -> bool {
        self.count > 0 || !self.searched_all
    }
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
                Rejected::UnknownInstrument => ErrorCode::UnknownSymbol,
                Rejected::Channel(_) => ErrorCode::UnsupportedChannel,
                Rejected::Speed { .. } => ErrorCode::UnsupportedSpeed,
                Rejected::Group { .. } => ErrorCode::UnsupportedGroup,
                Rejected::TooManyViews { .. } => ErrorCode::TooManyViews,
            };
            (code, refused.to_string())
        }
    };
    key.refuse(ControlError::new(code, message))
}
