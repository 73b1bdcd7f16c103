//! What tests stand on: a real Apache Kafka of their own, and WebSocket frames.
//!
//! A test that needs the real broker starts one, in its own directory and on its own ports, and
//! may stop, kill and restart it without asking anybody:
//!
//! ```no_run
//! # fn main() -> Result<(), testkit::KafkaError> {
//! let mut kafka = testkit::KafkaBroker::start()?;
//! println!("{}", kafka.bootstrap());
//! kafka.restart()?;
//! # Ok(())
//! # }
//! ```
//!
//! Invariants:
//! - A broker listens on the loopback interface only.
//! - Its address never changes, however often it is stopped and started.
//! - It never outlives its owner, even when the owner is killed.
//! - The jars are fetched once for the whole project, whoever asks first.
//!
//! Modules in reading order: [`kafka`], [`websocket`].

pub mod kafka;
pub mod websocket;

pub use kafka::{Instance, KafkaBroker, KafkaError};
