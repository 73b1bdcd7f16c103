use std::fmt;

use market::{Channel, Exponents};
use wire::{PriceStep, Speed, ViewParams};

use crate::StreamKey;
use crate::view::fits;

/// Why a stream cannot be opened or fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// This publisher has no such instrument.
    #[error("no such instrument")]
    UnknownInstrument,
    /// The channel has no such stream.
    #[error("channel {0} is not served")]
    Channel(&'static str),
    /// The channel cannot be throttled.
    #[error(
        "speed {speed} is not served for channel {channel}, which publishes every record: it may be raw"
    )]
    Speed {
        /// The requested speed.
        speed: &'static str,
        /// The channel.
        channel: &'static str,
    },
    /// The instrument's prices cannot be grouped by this step.
    #[error(
        "group {step} is not a multiple of the instrument's smallest price, 1e{price_exponent}, or is too large for a price"
    )]
    Group {
        /// The requested step.
        step: PriceStep,
        /// The exponent of the instrument's prices.
        price_exponent: i8,
    },
    /// A limit of grouped views is reached.
    #[error(
        "group {step}: {of} has reached its limit of grouped streams; use a step that is in use, or try again later"
    )]
    TooManyViews {
        /// The requested step.
        step: PriceStep,
        /// What the limit applies to.
        of: ViewsOf,
    },
}

/// What a limit of grouped views applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewsOf {
    /// The instrument, which limits their number.
    Instrument,
    /// The publisher, which limits their memory.
    Publisher,
}

impl fmt::Display for ViewsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Instrument => "the instrument",
            Self::Publisher => "the node",
        })
    }
}

/// Checks that an instrument with these exponents can have such a stream.
pub(super) fn check(key: &StreamKey, exponents: Exponents) -> Result<(), Rejected> {
    let ViewParams { speed, group, .. } = key.params;
    match key.channel {
        Channel::Bars if key.params.interval.is_none() => {
            return Err(Rejected::Channel(key.channel.name()));
        }
        Channel::Trades | Channel::Status if speed != Speed::Raw => {
            return Err(Rejected::Speed {
                speed: speed.name(),
                channel: key.channel.name(),
            });
        }
        _ => {}
    }
    let price_exponent = exponents.price;
    match group {
        Some(step) if !fits(key.params, price_exponent) => Err(Rejected::Group {
            step,
            price_exponent,
        }),
        _ => Ok(()),
    }
}
