//! What publishers and shards guarantee together, checked by clients that implement the protocol to the
//! letter.

#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test may read files and clocks, and run programs"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod client;
mod connection;
mod log;
mod model;
mod node;
mod script;
mod venue;

mod backlogs;
mod catching_up;
mod following;
mod lost_records;
mod rescaling;
mod restoring;
mod resuming;
mod shipped_client;
mod source_partitions;
mod starting;
