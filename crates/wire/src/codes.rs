//! The enums of the schema: the SBE code and the JSON name of each value.

use market::{Aggressor, Channel, Reason, State};

use crate::{GoAwayReason, LagKind};

/// An enum of the schema.
pub(crate) trait Code: Copy + 'static {
    /// The enum's name in the schema.
    #[cfg(test)]
    const ENUM: &'static str;
    /// All values with their codes and names.
    const VALUES: &'static [(Self, u8, &'static str)];

    /// The code of this value.
    fn code(self) -> u8;

    /// The name of this value.
    fn name(self) -> &'static str;

    /// The value with that code, if this version of the schema has it.
    #[inline]
    fn from_code(code: u8) -> Option<Self> {
        Self::VALUES
            .iter()
            .find(|(_, known, _)| *known == code)
            .map(|(value, ..)| *value)
    }

    /// The value with that name, if this version of the schema has it.
    fn from_name(name: &str) -> Option<Self> {
        Self::VALUES
            .iter()
            .find(|(.., known)| *known == name)
            .map(|(value, ..)| *value)
    }
}

macro_rules! codes {
    ($($enum:ident $schema:literal { $($value:ident = $code:literal $name:literal),+ $(,)? })+) => {
        $(impl Code for $enum {
            #[cfg(test)]
            const ENUM: &'static str = $schema;
            const VALUES: &'static [(Self, u8, &'static str)] =
                &[$((Self::$value, $code, $name)),+];

            fn code(self) -> u8 {
                match self {
                    $(Self::$value => $code),+
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        })+
    };
}

codes! {
    Channel "Channel" {
        Book = 1 "BOOK",
        Bbo = 2 "BBO",
        Trades = 3 "TRADES",
        Ticker = 4 "TICKER",
        Bars = 5 "BARS",
        Status = 6 "STATUS",
    }
    State "State" {
        Live = 1 "LIVE",
        Resyncing = 2 "RESYNCING",
        Stale = 3 "STALE",
        Halted = 4 "HALTED",
        UpstreamGap = 5 "UPSTREAM_GAP",
    }
    Reason "Reason" {
        None = 0 "NONE",
        Starting = 1 "STARTING",
        Gap = 2 "GAP",
        Crossed = 3 "CROSSED",
        BadRecord = 4 "BAD_RECORD",
        TopicReset = 5 "TOPIC_RESET",
        Quiet = 6 "QUIET",
        Venue = 7 "VENUE",
        Recovered = 8 "RECOVERED",
        Retention = 9 "RETENTION",
    }
    Aggressor "AggressorSide" {
        Unknown = 0 "UNKNOWN",
        Buy = 1 "BUY",
        Sell = 2 "SELL",
    }
    LagKind "LagKind" {
        Conflated = 1 "CONFLATED",
        Snapshot = 2 "SNAPSHOT",
        Skipped = 3 "SKIPPED",
    }
    GoAwayReason "GoAwayReason" {
        Drain = 1 "DRAIN",
        Shutdown = 2 "SHUTDOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = include_str!("../schema/tapecast.xml");

    #[track_caller]
    fn check<T: Code + PartialEq + std::fmt::Debug>() {
        let (_, rest) = SCHEMA
            .split_once(&format!("<enum name=\"{}\"", T::ENUM))
            .unwrap();
        let (values, _) = rest.split_once("</enum>").unwrap();
        assert_eq!(values.matches("<validValue").count(), T::VALUES.len());
        for &(value, code, name) in T::VALUES {
            let known = format!("<validValue name=\"{name}\">{code}</validValue>");
            assert!(values.contains(&known), "the schema lacks {known}");
            assert_eq!((value.code(), value.name()), (code, name));
            assert_eq!(
                (T::from_code(code), T::from_name(name)),
                (Some(value), Some(value))
            );
        }
        assert_eq!((T::from_code(200), T::from_name("other")), (None, None));
    }

    #[test]
    fn codes_and_names_are_those_of_the_schema() {
        check::<Channel>();
        check::<State>();
        check::<Reason>();
        check::<Aggressor>();
        check::<LagKind>();
        check::<GoAwayReason>();
    }
}
