use std::time::Duration;

use market::{Epoch, Exponents, InstrumentId, Position};
use wire::control::{ControlError, StartKind, StartReason};
use wire::{GoAwayReason, View};

use crate::SubscriptionId;

/// The node accepted a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribed {
    /// Which one.
    pub subscription: SubscriptionId,
    /// The number of its instrument in every message.
    pub instrument: InstrumentId,
    /// Its view in every message.
    pub view: View,
    /// The epoch that it is in.
    pub epoch: Epoch,
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
    /// What its messages begin with.
    pub start: StartKind,
    /// Why it begins with a snapshot although it was to be resumed.
    pub reason: Option<StartReason>,
    /// The position that was to be resumed.
    pub asked: Option<Position>,
}

impl Subscribed {
    pub(crate) const fn new(
        subscription: SubscriptionId,
        told: &wire::control::Subscribed,
        asked: Option<Position>,
    ) -> Self {
        Self {
            subscription,
            instrument: told.instrument,
            view: told.view,
            epoch: told.epoch,
            exponents: told.exponents,
            start: told.start,
            reason: told.reason,
            asked,
        }
    }
}

/// The node refused a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Which one.
    pub subscription: SubscriptionId,
    /// A stable code, and a text for people.
    pub error: ControlError,
    /// When it is asked for again; `None` is never: the subscription is no more.
    pub retry: Option<Duration>,
}

/// The node refused to change a subscription, which goes on as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUpdated {
    /// Which one.
    pub subscription: SubscriptionId,
    /// A stable code, and a text for people.
    pub error: ControlError,
}

/// The node is about to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    /// Why.
    pub reason: GoAwayReason,
    /// When this client leaves: chosen at random within what the node asks for, so that not all of its
    /// clients reconnect at once.
    pub leave_in: Duration,
    /// When the node closes the connection.
    pub close_after: Duration,
}
