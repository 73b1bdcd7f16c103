//! A node of the fleet, as a library: configuration, lifecycle, and everything between Kafka and
//! clients wired together. The binary `tapecast` is a command line on top of it.
//!
//! Invariants:
//! - A node starts with a configuration that is valid as a whole, or not at all.
//! - If one of its threads ends, the node stops with an error: it never runs with a part missing.
//!
//! Modules in reading order: [`config`] what a node is given; [`serve`] what it starts and how it
//! stops, with [`threads`], [`readiness`] and [`reload`]; [`pipeline`] from a record to the shards, with
//! [`checkpoints`] and [`traces`]; [`history`] replays; [`api`] and [`pages`] what the public
//! listener serves beside the stream; [`admin`] what operators see; [`logging`], [`deliveries`] and
//! [`clock`].
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

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
