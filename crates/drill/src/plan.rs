//! What is done to the fleet, for how long, and with how many clients.

use clap::ValueEnum;
use std::time::Duration;

/// One thing that is done to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Phase {
    /// Nothing happens, for comparison
    Steady,
    /// All nodes are restarted, one after another, each ready before the next
    Roll,
    /// One node is killed with SIGKILL, then restarted
    Kill,
    /// One node is cut off from Kafka, then reconnected
    Cut,
    /// One node is frozen with SIGSTOP, then resumed
    Freeze,
}

impl Phase {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Roll => "roll",
            Self::Kill => "kill",
            Self::Cut => "cut",
            Self::Freeze => "freeze",
        }
    }

    /// Returns whether clients of the affected node have to reconnect to another.
    pub(crate) const fn moves_clients(self) -> bool {
        matches!(self, Self::Roll | Self::Kill | Self::Freeze)
    }
}

/// The size of a drill.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) phases: Vec<Phase>,
    /// `session.drain_for` of the nodes.
    pub(crate) drain_for: Duration,
    /// `session.drain_delay` of the nodes.
    pub(crate) drain_delay: Duration,
    /// Length of [`Phase::Steady`].
    pub(crate) steady: Duration,
    /// Minimum time without Kafka in [`Phase::Cut`].
    pub(crate) cut: Duration,
}

impl Plan {
    /// What operators should run before they trust a fleet.
    pub(crate) fn full() -> Self {
        Self {
            clients: 5_000,
            phases: Phase::value_variants().to_vec(),
            drain_for: Duration::from_secs(10),
            drain_delay: Duration::from_secs(2),
            steady: Duration::from_secs(15),
            cut: Duration::from_secs(30),
        }
    }

    /// Small enough to run before a push.
    pub(crate) fn brief() -> Self {
        Self {
            clients: 60,
            drain_for: Duration::from_secs(1),
            drain_delay: Duration::from_secs(1),
            steady: Duration::from_secs(1),
            cut: Duration::from_secs(6),
            ..Self::full()
        }
    }
}
