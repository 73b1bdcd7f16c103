//! A node as a library: everything between Kafka and clients, wired together, with its configuration
//! and lifecycle. The binary `tapecast` is a command line on top of it.
//!
//! Invariants:
//! - A node starts with a configuration that is valid as a whole, or not at all.
//! - If an essential thread ends, the node stops with an error: it never runs with a part missing.
//!
//! Modules in reading order: `config`; `serve`, which starts and stops a node, with `threads`, `readiness`
//! and `reload`; `pipeline`, from a record to the shards, with `instruments`, `checkpoints` and `traces`;
//! `history`, replays; `api` and `pages`, HTTP on the public listener; `admin`, the listener for operators;
//! `logging`, `deliveries` and [`clock`].

mod admin;
mod api;
mod checkpoints;
pub mod clock;
mod config;
mod deliveries;
mod history;
mod instruments;
mod logging;
mod pages;
mod pipeline;
mod readiness;
mod reload;
mod serve;
mod threads;
mod traces;

pub use config::{Config, ConfigError, ConfigErrors, Effective, Flag, Origin, Sources, log_filter};
pub use deliveries::{Deliveries, Failure};
pub use logging::{Log, LogFormat, LogHandle, start_log};
pub use reload::Reread;
pub use serve::{prepare, run};
