//! Who is sent what, and when: the fan-out without clocks and sockets.
//!
//! [`Core`] is one shard's decisions: sessions, their requests and subscriptions, what they are sent,
//! what becomes of those that lag, pings, deadlines and the drain. [`Port`] is a publisher's side of
//! the same conversation. Both take an input and the present, and return what is to be done; the crate
//! `fanout` has the threads, the sockets and the clocks, and does it.
//!
//! Invariants:
//! - A session holds cursors into shared rings, at most the unsent rest of one frame and of one
//!   answer, and a bounded part of what its subscriptions begin with; never a queue of its own.
//! - Whoever needs frames that are no longer held is caught up by the publisher, or disconnected
//!   where that is its policy; either is reported to the client and counted.
//! - No bytes of a client can cause a panic, make a session hold more than its bounds, or take more
//!   than a few milliseconds of its shard.
//! - Time that passes while the core is not called does not count against a client.
//!
//! In reading order:
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod settings;

mod directory;
mod grant;
mod lists;

mod trace;

mod message;

mod port;

mod events;
mod inbound;
mod outgoing;
mod rate;
mod session;
mod sessions;

mod growth;
mod held_streams;
mod wheel;

mod core;

pub use core::{Batch, Core, Ended, Opening, Outputs, Sent};
pub use directory::{Directory, Listing, Page, ScanBudget, Scanned};
pub use events::{EventStart, Events, LastEventId};
pub use grant::{Grant, NotEntitled, Rights, RightsError};
pub use inbound::{Inbound, InboundEvent, Violation};
pub use lists::Lists;
pub use message::{
    Ask, Command, Delivery, Handover, NoReplay, NotJoined, ReplayOrder, ReplayPage, RunFor,
    StreamSlot, SubscriberId, Then,
};
pub use port::Port;
pub use rate::TokenBucket;
pub use session::ClosedBy;
pub use settings::Settings;
pub use trace::{Mark, Marks, Passage, Tracer};
