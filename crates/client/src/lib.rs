//! The Rust client: a stream of typed events, books that are kept and verified, resume.
//!
//! [`Client`] connects to one of several nodes, subscribes, keeps the book of every book subscription,
//! proves it at every message (chain and checksum over the whole subscribed depth), and comes back after
//! anything: a gap, a wrong checksum, a lost or mute connection, a node that goes away.
//!
//! Invariants:
//! - A gap, a resync and a reconnect are never silent: each is an [`Event`] of its own.
//! - A book is [`Trust::Live`] only while it equals what the node published as of its position.
//! - Between two events nothing moves: [`Client::book`] is as of the last one.
//! - The client reads no faster than its caller takes events. A caller that is too slow is conflated by the
//!   node, which is told ([`Event::Lag`]), and costs no memory here.
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
//!             let kept = client.book(update.subscription);
//!             println!("{:?}", kept.map(|kept| kept.book().bbo()));
//!         }
//!         Event::Gap(gap) => println!("missing: {gap:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`session`] is the core, without IO and with time as an argument; [`Client`] is a shell around it.
//!
//! In reading order:

mod authorities;
mod backoff;
mod config;
mod endpoint;
mod random;
mod stats;
mod subscription;
mod token;

pub mod event;

mod stream;

pub mod session;

mod payload;
mod socket;

mod client;

#[cfg(test)]
mod testing;

pub use authorities::AuthoritiesError;
pub use backoff::Backoff;
pub use client::{BuildError, Builder, Client, Handle};
pub use config::Config;
pub use endpoint::{Endpoint, EndpointError};
pub use event::Event;
pub use payload::Payload;
pub use socket::{HandshakeError, WebSocketError};
pub use stats::{Stats, StreamStats};
pub use stream::{KeptBook, Trust};
pub use subscription::{Change, SubscribeError, Subscription, SubscriptionId, UpdateError};
