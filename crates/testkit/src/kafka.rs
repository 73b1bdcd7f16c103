//! Apache Kafka in KRaft mode, one node, from its jars.
//!
//! Modules in reading order: [`broker`] is what a test owns, [`instance`] a broker's directory and
//! what can be done with it, `running` its process, `settings` how it is configured, `jars` where
//! it comes from, `ready` and `cluster` how it is seen to answer, `ports` and `process` what the system gives.

pub mod broker;
mod cluster;
pub mod error;
pub mod instance;
mod jars;
pub mod ports;
mod process;
mod ready;
mod running;
mod settings;

pub use broker::KafkaBroker;
pub use error::KafkaError;
pub use instance::Instance;
pub use settings::Door;

use std::path::PathBuf;

/// The ignored folder in the project's root that holds the jars and the brokers started by hand.
#[must_use]
pub fn home() -> PathBuf {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = crates.ancestors().nth(2).unwrap_or(&crates);
    root.join(".kafka")
}
