//! The node's clocks are those of its fan-out.

pub(crate) use fanout::{monotonic, now, wall_clock};
