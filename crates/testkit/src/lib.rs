//! A real Apache Kafka for tests, and WebSocket frames.
//!
//! A test that needs a real broker starts one of its own, with its own directory and ports, and may
//! stop, kill and restart it:
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
//! - It never outlives its owner, even if the owner is killed.
//! - The jars are downloaded once for the whole project.
//!
//! Modules in reading order: [`kafka`], [`websocket`].

pub mod kafka;
pub mod websocket;

pub use kafka::{Instance, KafkaBroker, KafkaError};
