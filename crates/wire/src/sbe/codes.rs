//! The codes of the enums on the wire.

use market::{Aggressor, Channel, Reason, State};

use crate::{GoAwayReason, LagKind};

/// An enum with a code for each of its values.
pub(super) trait Code: Copy + 'static {
    /// The value and its code in the schema.
    const CODES: &'static [(Self, u8)];
    /// The code of this value.
    fn code(self) -> u8;

    /// The value of that code, if the schema has it.
    fn from_code(code: u8) -> Option<Self> {
        Self::CODES
            .iter()
            .find(|(_, known)| *known == code)
            .map(|(value, _)| *value)
    }
}

macro_rules! codes {
    ($($enum:ident { $($value:ident = $code:literal),+ $(,)? })+) => {
        $(impl Code for $enum {
            const CODES: &'static [(Self, u8)] = &[$((Self::$value, $code)),+];

            fn code(self) -> u8 {
                match self {
                    $(Self::$value => $code),+
                }
            }
        })+
    };
}

codes! {
    Channel { Book = 1, Bbo = 2, Trades = 3, Ticker = 4, Bars = 5, Status = 6 }
    State { Live = 1, Resyncing = 2, Stale = 3, Halted = 4, UpstreamGap = 5 }
    Reason {
        None = 0, Starting = 1, Gap = 2, Crossed = 3, BadRecord = 4, TopicReset = 5, Quiet = 6,
        Venue = 7, Recovered = 8, Retention = 9,
    }
    Aggressor { Unknown = 0, Buy = 1, Sell = 2 }
    LagKind { Conflated = 1, Snapshot = 2, Skipped = 3 }
    GoAwayReason { Drain = 1, Shutdown = 2 }
}
