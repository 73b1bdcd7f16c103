//! WebSocket out: shards, sessions and subscribers.
//!
//! One shard a core: a thread with its own single-threaded runtime, its own listener on the
//! shared port, its own connections and its own subscriber lists. Publishers hand each shard the
//! runs of the streams that it has subscribers for; the shard sends every session what it has not
//! been sent yet, with one system call where one run is all there is.
//!
//! Invariants:
//! - A session holds cursors into shared runs and at most the unsent rest of one frame and of one
//!   answer; never a queue of its own. Whoever falls off a stream's ring is caught up by the
//!   publisher, or disconnected where that is its policy; either is told and counted.
//! - A shard never waits for a publisher. A publisher may wait for a shard, which then only
//!   makes its batches larger.
//! - No bytes of a client can cause a panic, or make a session hold more than its bounds.
//!
//! In reading order:

mod access;
mod clock;
mod network;
mod settings;
mod tls;

mod fetcher;
mod history;
mod link;
mod publisher_port;

mod rule_breakers;
mod seats;

mod address_table;
mod addresses;
mod connection;
mod handshake;
mod http_rates;
mod proxy;
mod shard;
mod slots;

mod server;

pub use access::{
    Access, Algorithm, Denied, JwtRules, KeyDigest, KeyEntry, KeySet, KeySetError, Mode,
    OriginError, OriginPattern, StaticKeys,
};
pub use clock::{monotonic, now, wall_clock};
pub use fanout_core::{
    Directory, Events, Grant, Handover, LastEventId, Listing, Lists, Mark, NoReplay, NotEntitled,
    Page, Passage, ReplayOrder, Rights, RightsError, ScanBudget, Scanned,
    Settings as SessionSettings, Then, Tracer,
};
pub use fetcher::{FetchError, Fetcher};
pub use handshake::{Body, Pages, Served, Serving};
pub use history::{Asker, History, Left, ReplayReceiver, Wanted};
pub use http_rates::{HttpAllowance, TooManyRequests};
pub use link::{Links, PublisherLink, link};
pub use network::{Network, NetworkError};
pub use publisher_port::PublisherPort;
pub use seats::Seats;
pub use server::{Fanout, Spawn, StartError, ThreadBody, spawn_and_log};
pub use settings::Settings;
pub use slots::{Evicted, SlotId, Slots, Stage};
pub use tls::{TlsError, TlsIdentity};
