//! Apache Kafka in KRaft mode, one node, from its jars.
//!
//! Modules in reading order: [`broker`] is what a test owns; [`instance`] is a broker's directory and
//! what can be done with it; `running` is its process, `settings` its configuration, `jars` its
//! program; `ready` and `cluster` check that it responds; `ports` and `process` use the system.

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
pub use settings::Listener;

use std::path::PathBuf;

/// `.kafka/` in the workspace root, with the jars and manually started brokers.
#[must_use]
pub fn home() -> PathBuf {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = crates.ancestors().nth(2).unwrap_or(&crates);
    root.join(".kafka")
}
