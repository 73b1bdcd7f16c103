//! WebSocket and SSE fan-out: threads, sockets, TLS, links to publishers and the HTTP handshake
//! around the decisions of `fanout-core`.
//!
//! There is one shard per core: a thread with its own single-threaded runtime, its own listener on
//! the shared port, its own connections and its own subscriptions. Publishers hand each shard the
//! runs of the streams it has subscriptions of, and the shard sends every session what it has not
//! been sent yet, with one system call where a single run is all there is.
//!
//! Invariants:
//! - A session holds cursors into shared runs and at most the unsent rest of one frame and one
//!   answer; it never has a queue of its own.
//! - A shard never waits for a publisher. A publisher may wait for a shard, which only makes its
//!   batches larger.
//! - Nothing a client sends can cause a panic or make a session exceed its bounds.
//!
//! Modules in reading order:
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod access;
mod clock;
mod network;
mod settings;
mod tls;

mod fetch;
mod fetcher;
mod history;
mod link;
mod posted_command;
mod publisher_port;

mod permits;

mod address_table;
mod addresses;
mod http_rates;
mod rule_breakers;

mod balance;
mod pages;
mod shard;
mod slots;

mod connection;
mod connection_slot;
mod proxy;

mod handshake;

mod accept;
mod shard_thread;

mod server;

pub use access::{
    Access, Algorithm, Denied, JwtRules, KeyDigest, KeyEntry, KeySet, KeySetError, Mode,
    OriginError, OriginPattern, StaticKeys,
};
pub use clock::{monotonic, now, wall_clock};
pub use fanout_core::{
    Directory, Grant, Handover, JoinError, LastEventId, Listing, Lists, Mark, NextPage,
    NotEntitled, Page, Passage, ReplayCommand, ReplayError, Rights, RightsError, ScanBudget,
    Scanned, Settings as SessionSettings, SseRequest, Tracer,
};
pub use fetcher::{FetchError, Fetcher};
pub use history::{Asker, History, ReplayReceiver, SessionGone, Wanted};
pub use http_rates::{HttpAllowance, TooManyRequests};
pub use link::{Links, PublisherLink, link};
pub use network::{Network, NetworkError};
pub use pages::{Body, Pages, Served, Serving};
pub use permits::Permits;
pub use publisher_port::PublisherPort;
pub use server::{Fanout, Spawn, StartError, ThreadBody, spawn_and_log};
pub use settings::Settings;
pub use slots::{Evicted, SlotId, Slots, Stage};
pub use tls::{TlsError, TlsIdentity};
