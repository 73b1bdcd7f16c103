//! The harness of the end-to-end tests: the real binary, a real Kafka, real captures, real clients.
//!
//! Invariants:
//! - A test knows the node as its operators and clients do: configuration, signals, sockets, logs.
//! - Every wait has a bound, and fails with what it waited for.
//! - Nothing outlives its test: nodes and publishers are killed when dropped, the broker with the process.
//! - One test runs at a time, whatever the number of threads, so that figures mean something.
//!
//! In reading order: [`binary`] finds what is tested, [`broker`] the Kafka that all tests share, [`kafka`]
//! a producer of any bytes, [`captures`] the real data, [`publish`] how it goes
//! to Kafka, [`node`] and its [`settings`], [`http`] what operators and
//! programs request, [`sse`] what browsers receive, [`proxy`] a cable to cut,
//! [`watcher`] a verifying client and what it observed, [`tape`] that as bytes to compare, [`prints`] its trades, [`socket`] a
//! client that sends any bytes, and [`ends`] where streams end; [`issuer`] signs tokens and certificates, [`clocks`] sets the
//! clocks of a node, and [`collector`] receives its traces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a harness fails its test by panicking, and prints figures"
)]

pub mod binary;
pub mod broker;
pub mod captures;
pub mod clocks;
pub mod collector;
pub mod ends;
pub mod http;
pub mod issuer;
pub mod kafka;
pub mod node;
pub mod ports;
pub mod prints;
pub mod proxy;
pub mod publish;
pub mod settings;
pub mod socket;
pub mod sse;
pub mod tape;
pub mod wait;
pub mod watcher;

pub use node::Node;
pub use settings::Settings;
pub use tape::Tape;
pub use watcher::Watcher;
