//! The fan-out's decisions, without clocks or sockets: what each client is sent, and when.
//!
//! [`Core`] makes one shard's decisions: sessions, requests, subscriptions, sends, lag, pings,
//! deadlines and the drain. [`Port`] is the publisher's side of the same protocol. Both take an
//! input and the current time, and return what their owner has to do; the crate `fanout` supplies
//! threads, sockets and clocks.
//!
//! Invariants:
//! - A session holds cursors into shared rings, at most the unsent rest of one frame and of one
//!   answer, and a bounded backlog. It never has a queue of its own.
//! - A subscription that needs evicted frames is caught up by the publisher, or its session is
//!   disconnected if the client chose that policy. Either is reported to the client and counted.
//! - Nothing a client sends can cause a panic, exceed the session's bounds, or take more than a few
//!   milliseconds of the shard's time.
//! - Time during which the core is not called does not count against a client.
//!
//! Modules in reading order:
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod settings;

mod directory;
mod grant;
mod listing;
mod lists;

mod trace;

mod message;

mod port;

mod inbound;
mod outgoing;
mod rate;
mod session;
mod sessions;
mod sse;

mod growth;
mod subscribed_streams;
mod wheel;

mod core;

pub use core::{Batch, Core, Ended, Opening, Outputs, Sent};
pub use directory::{Directory, Page, ScanBudget, Scanned};
pub use grant::{Grant, NotEntitled, Rights, RightsError};
pub use inbound::{Inbound, InboundEvent, Violation};
pub use listing::Listing;
pub use lists::Lists;
pub use message::{
    Ask, Command, Delivery, Handover, JoinError, NextPage, ReplayCommand, ReplayError, ReplayPage,
    RunRoute, StreamSlot, SubscriptionId,
};
pub use port::Port;
pub use rate::TokenBucket;
pub use session::ClosedBy;
pub use settings::Settings;
pub use sse::{LastEventId, SseRequest, SseStart};
pub use trace::{Mark, Marks, Passage, Tracer};
