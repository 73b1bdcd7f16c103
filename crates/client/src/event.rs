//! What a client reports. In reading order:

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
pub use lifecycle::{GoAwayNotice, Rejected, Subscribed, UpdateRejected};

use std::time::Duration;

use bytes::Bytes;
use wire::sbe::DecodeError;

use crate::{Endpoint, SubscriptionId};

/// An item of a client's event stream.
///
/// Whatever interrupts a stream is an event of its own: [`Gap`](Self::Gap),
/// [`ChecksumMismatch`](Self::ChecksumMismatch), [`Resync`](Self::Resync),
/// [`Reconnecting`](Self::Reconnecting).
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection is up. Every subscription is requested again, and resumed if it has a position.
    Connected {
        /// The node.
        endpoint: Endpoint,
    },
    /// The connection was lost, or an attempt failed. Books stay as they are, and are no longer updated.
    Reconnecting {
        /// The number of the next attempt, counted from 1 since a connection last proved stable.
        attempt: u32,
        /// How long until that attempt.
        delay: Duration,
        /// What went wrong.
        cause: Disconnect,
    },
    /// The node is about to stop. The client will move to another one in time.
    GoAway(GoAwayNotice),
    /// The last event: the client was closed, or has given up.
    Closed {
        /// Why it has given up; `None` if it was closed.
        cause: Option<Disconnect>,
    },

    /// The node accepted a subscription: for the first time, or again after a reconnect or a fault.
    Subscribed(Subscribed),
    /// The node rejected a subscription.
    Rejected(Rejected),
    /// The node applied an update. If the view changed, the stream restarts with what follows; if only the
    /// policy did, it continues (`start` is `Resumed`).
    Updated(Subscribed),
    /// The node rejected an update; the subscription is unchanged.
    UpdateRejected(UpdateRejected),
    /// The subscription has ended; it has no further events.
    Unsubscribed(SubscriptionId),

    /// An instrument's name, exponents and steps.
    Instrument(Box<InstrumentInfo>),
    /// The book changed, and its checksum matches. [`Client::book`](crate::Client::book) returns it as of this event.
    Book(BookUpdate),
    /// A new best bid and offer.
    Bbo(BboUpdate),
    /// The trades of one record.
    Trades(TradesUpdate),
    /// Statistics of the last 24 hours.
    Ticker(Box<TickerUpdate>),
    /// A bar: open, high, low, close and volume of an interval.
    Bar(Box<BarUpdate>),
    /// The state of the instrument or the stream: how far its data can be trusted.
    Status(StatusUpdate),
    /// The stream is quiet, and nothing is missing.
    Heartbeat(Heartbeat),
    /// The past that was requested is complete; from here on the stream is live.
    ReplayComplete(ReplayComplete),
    /// This client lagged: what follows is the net change, or a snapshot.
    Lag(Box<LagNotice>),

    /// Data is missing.
    Gap(Gap),
    /// The book does not have the checksum that the node published; it is requested again.
    ChecksumMismatch(Mismatch),
    /// A fault is over: with the next event the stream is complete again.
    Resync(Resync),
    /// A message of the node cannot be decoded. If it mattered, a gap follows.
    Undecodable {
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The bytes of a data message; only with [`Builder::raw`](crate::Builder::raw), and before the events that it causes.
    Raw {
        /// Its subscription; `None` if it belongs to no current stream.
        subscription: Option<SubscriptionId>,
        /// One complete message in the encoding of the connection.
        bytes: Bytes,
    },
}

impl Event {
    /// The subscription that the event is about, if any.
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
            Self::UpdateRejected(item) => Some(item.subscription),
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

// Events are moved from the core to the caller one by one: two and a half cache lines at most.
const _: () = assert!(size_of::<Event>() <= 160);
