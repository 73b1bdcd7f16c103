//! The node's clock is that of its fan-out.

pub(crate) use fanout::wall_clock as now;
