//! What a client tells. In reading order:

mod data;
mod disconnect;
mod fault;
mod lifecycle;

pub use data::{
    BarUpdate, BboUpdate, BookUpdate, Heartbeat, InstrumentInfo, LagNotice, ReplayComplete,
    StatusUpdate, TickerUpdate, TradesUpdate,
};
pub use disconnect::Disconnect;
pub use fault::{Gap, GapCause, Mismatch, Resync, ResyncReason};
pub use lifecycle::{Leaving, NotUpdated, Rejected, Subscribed};

use std::time::Duration;

use bytes::Bytes;
use wire::sbe::DecodeError;

use crate::{Endpoint, SubscriptionId};

/// One item of a client's stream.
///
/// Whatever interrupts a stream is an item of its own: [`Gap`](Self::Gap),
/// [`ChecksumMismatch`](Self::ChecksumMismatch), [`Resync`](Self::Resync),
/// [`Reconnecting`](Self::Reconnecting).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A node answered; every subscription is asked for, those that have a position with `resume`.
    Connected {
        /// Which node.
        endpoint: Endpoint,
    },
    /// The connection is lost or could not be made; what is held stays, and is no longer followed.
    Reconnecting {
        /// The attempt that is made next, counted from 1 since a connection last proved good.
        attempt: u32,
        /// When it is made.
        delay: Duration,
        /// Why.
        cause: Disconnect,
    },
    /// The node is about to stop; the client leaves it in time.
    GoAway(Leaving),
    /// The last item: the client was closed, or has given up.
    Closed {
        /// Why it has given up; `None` when it was told to close.
        cause: Option<Disconnect>,
    },

    /// The node accepted a subscription: for the first time, or again after a reconnect or a fault.
    Subscribed(Subscribed),
    /// The node refused a subscription.
    Rejected(Rejected),
    /// The node changed a subscription as was asked. One with another view begins anew with what follows; of one whose
    /// policy alone is another, nothing begins anew (`start` is `Resumed`).
    Updated(Subscribed),
    /// The node refused a change, and the subscription goes on as it was.
    NotUpdated(NotUpdated),
    /// Nothing more comes of that subscription.
    Unsubscribed(SubscriptionId),

    /// What an instrument is.
    Instrument(Box<InstrumentInfo>),
    /// The book moved on, and is verified. [`Client::book`](crate::Client::book) has it as of this event.
    Book(BookUpdate),
    /// Best bid and offer.
    Bbo(BboUpdate),
    /// Trades.
    Trades(TradesUpdate),
    /// Statistics of the last 24 hours.
    Ticker(Box<TickerUpdate>),
    /// Open, high, low, close and volume of an interval.
    Bar(Box<BarUpdate>),
    /// The node says how far the instrument or the stream can be trusted from here on.
    Status(StatusUpdate),
    /// A quiet stream's sign of life.
    Heartbeat(Heartbeat),
    /// What was asked for of the past has come; from here on the stream is live.
    ReplayComplete(ReplayComplete),
    /// This client was too slow, and what follows is the net change, or a snapshot.
    Lag(Box<LagNotice>),

    /// Something is missing.
    Gap(Gap),
    /// The book is not what the node says it is; it is asked for anew.
    ChecksumMismatch(Mismatch),
    /// A fault is over: the next item makes the stream whole again.
    Resync(Resync),
    /// A message of the node cannot be read. When it mattered, a gap follows.
    Undecodable {
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The bytes of a data message as it came; only when asked for, and before what they cause.
    Raw {
        /// The subscription; `None` where it belongs to no stream, or to one that is no longer wanted.
        subscription: Option<SubscriptionId>,
        /// One whole SBE message, with its header.
        bytes: Bytes,
    },
}

impl Event {
    /// The subscription that this is about, if it is about one.
    #[must_use]
    pub const fn subscription(&self) -> Option<SubscriptionId> {
        match self {
            Self::Connected { .. }
            | Self::Reconnecting { .. }
            | Self::GoAway(_)
            | Self::Closed { .. }
            | Self::Instrument(_)
            | Self::Undecodable { .. } => None,
            Self::Subscribed(item) | Self::Updated(item) => Some(item.subscription),
            Self::NotUpdated(item) => Some(item.subscription),
            Self::Rejected(item) => Some(item.subscription),
            Self::Unsubscribed(subscription) => Some(*subscription),
            Self::Book(item) => Some(item.subscription),
            Self::Bbo(item) => Some(item.subscription),
            Self::Trades(item) => Some(item.subscription),
            Self::Ticker(item) => Some(item.subscription),
            Self::Bar(item) => Some(item.subscription),
            Self::Status(item) => Some(item.subscription),
            Self::Heartbeat(item) => Some(item.subscription),
            Self::ReplayComplete(item) => Some(item.subscription),
            Self::Lag(item) => Some(item.subscription),
            Self::Gap(item) => Some(item.subscription),
            Self::ChecksumMismatch(item) => Some(item.subscription),
            Self::Resync(item) => Some(item.subscription),
            Self::Raw { subscription, .. } => *subscription,
        }
    }
}

// Events are moved from the core to the caller one by one: two cache lines, and a little.
const _: () = assert!(size_of::<Event>() <= 160);
