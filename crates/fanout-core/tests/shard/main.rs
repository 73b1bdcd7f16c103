//! What a shard guarantees, on one thread and on virtual time: the core, a publisher's port and the
//! publisher itself, with clients that read, answer, flood or are silent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

mod limits;
mod requests;
mod rig;
mod time;
