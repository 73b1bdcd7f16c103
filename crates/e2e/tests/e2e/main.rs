//! The guarantees of a node, each tested on the real binary with a real Kafka.
#![allow(
    clippy::too_many_lines,
    reason = "a case or a scenario reads best in one piece"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints figures"
)]

mod bad_input;
mod channels;
mod checkpoints;
mod clocks;
mod cryptofeed;
mod documents;
mod drains;
mod edges;
mod failures;
mod fleet;
mod http;
mod limits;
mod mapper;
mod oracle;
mod replays;
mod security;
mod sessions;
mod traces;
mod views;
