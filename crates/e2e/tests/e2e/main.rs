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
    reason = "tests fail where they stand, and print figures"
)]

mod bad_input;
mod channels;
mod checkpoints;
mod clocks;
mod cryptofeed;
mod documents;
mod doors;
mod edges;
mod failures;
mod farewell;
mod fleet;
mod history;
mod http;
mod limits;
mod mapper;
mod oracle;
mod sessions;
mod traces;
mod views;
