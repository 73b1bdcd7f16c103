//! The node's clocks are those of its fan-out.

pub use fanout::{monotonic, now, wall_clock};
