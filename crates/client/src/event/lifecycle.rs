use std::time::Duration;

use market::{Epoch, Exponents, InstrumentId, Position};
use wire::control::{ControlError, StartKind, StartReason};
use wire::{GoAwayReason, View};

use crate::SubscriptionId;

/// The node accepted a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribed {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The id of its instrument in every message.
    pub instrument: InstrumentId,
    /// Its view in every message.
    pub view: View,
    /// Its current epoch.
    pub epoch: Epoch,
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
    /// Whether it was resumed or begins with a snapshot.
    pub start: StartKind,
    /// Why it begins with a snapshot although a resume was requested.
    pub reason: Option<StartReason>,
    /// The position from which a resume was requested.
    pub requested: Option<Position>,
}

impl Subscribed {
    pub(crate) const fn new(
        subscription: SubscriptionId,
        answer: &wire::control::Subscribed,
        requested: Option<Position>,
    ) -> Self {
        Self {
            subscription,
            instrument: answer.instrument,
            view: answer.view,
            epoch: answer.epoch,
            exponents: answer.exponents,
            start: answer.start,
            reason: answer.reason,
            requested,
        }
    }
}

/// The node rejected a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// A stable code, and a message for people.
    pub error: ControlError,
    /// When the client will try again; `None` if it will not, and the subscription has ended.
    pub retry: Option<Duration>,
}

/// The node rejected an update; the subscription is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateRejected {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// A stable code, and a message for people.
    pub error: ControlError,
}

/// The node is about to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoAwayNotice {
    /// Why it stops.
    pub reason: GoAwayReason,
    /// When this client will leave: a random time within the node's limit, so that its clients do not all
    /// reconnect at once.
    pub leave_in: Duration,
    /// When the node will close the connection.
    pub close_after: Duration,
}
