//! The Tapecast client: typed market-data events, verified order books, automatic resume.
//!
//! [`Client`] connects to one of several nodes, subscribes, and keeps a local book for every book subscription.
//! It verifies the book at every message (sequence, and checksum over the whole subscribed depth), and recovers
//! by itself from gaps, checksum mismatches, silent or lost connections, and nodes that shut down.
//!
//! Invariants:
//! - Gaps, resyncs and reconnects are never silent: each is an [`Event`] of its own.
//! - A book is [`Trust::Live`] only while it equals what the node published as of its position.
//! - Nothing changes between two events: [`Client::book`] is as of the last one.
//! - The client reads no faster than its caller takes events. A caller that is too slow costs no memory here: the
//!   node conflates its data, and the client reports that ([`Event::Lag`]).
//!
//! ```no_run
//! use client::{Client, Event, Subscription};
//!
//! # async fn run() -> Result<(), client::BuildError> {
//! let mut client = Client::builder()
//!     .endpoint("ws://127.0.0.1:8080/ws")
//!     .subscribe(Subscription::book("BINANCE:BTC-USDT"))
//!     .build()?;
//! while let Some(event) = client.next_event().await {
//!     match event {
//!         Event::Book(update) => {
//!             let local = client.book(update.subscription);
//!             println!("{:?}", local.map(|local| local.book().bbo()));
//!         }
//!         Event::Gap(gap) => println!("missing: {gap:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`session`] is the core, without I/O and with time as an argument; [`Client`] is a shell around it.
//!
//! In reading order:

mod backoff;
mod config;
mod endpoint;
mod random;
mod root_certificates;
mod stats;
mod subscription;
mod token;
mod websocket_error;

pub mod event;

mod stream;

pub mod session;

mod payload;
mod socket;

mod client;

#[cfg(test)]
mod testing;

pub use backoff::Backoff;
pub use client::{BuildError, Builder, Client, Handle};
pub use config::Config;
pub use endpoint::{Endpoint, EndpointError};
pub use event::Event;
pub use payload::Payload;
pub use root_certificates::RootCertificatesError;
pub use stats::{Stats, StreamStats};
pub use stream::{LocalBook, Trust};
pub use subscription::{Change, SubscribeError, Subscription, SubscriptionId, UpdateError};
pub use websocket_error::{HandshakeError, WebSocketError};
