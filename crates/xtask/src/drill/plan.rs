//! What is done, and how much of it.

use clap::ValueEnum;
use std::time::Duration;

/// Something that is done to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Ordeal {
    /// Nothing, to compare with.
    Steady,
    /// All nodes are restarted, one after another, each ready before the next.
    Roll,
    /// One is killed with SIGKILL, and started again.
    Kill,
    /// One is cut off from Kafka, and joined again.
    Cut,
    /// One is frozen with SIGSTOP, and thawed again.
    Freeze,
}

impl Ordeal {
    pub(super) const ALL: [Self; 5] = [
        Self::Steady,
        Self::Roll,
        Self::Kill,
        Self::Cut,
        Self::Freeze,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Roll => "roll",
            Self::Kill => "kill",
            Self::Cut => "cut",
            Self::Freeze => "freeze",
        }
    }

    /// Whether clients of the node have to go elsewhere.
    pub(super) const fn moves_clients(self) -> bool {
        matches!(self, Self::Roll | Self::Kill | Self::Freeze)
    }
}

/// How much of it.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) clients: usize,
    pub(super) ordeals: Vec<Ordeal>,
    /// `session.drain_for` and `session.drain_delay` of the nodes.
    pub(super) drain_for: Duration,
    pub(super) drain_delay: Duration,
    /// How long nothing is done.
    pub(super) steady: Duration,
    /// How long a node is cut off at least.
    pub(super) cut: Duration,
}

impl Plan {
    /// What operators should do before they trust a fleet.
    pub(super) fn whole() -> Self {
        Self {
            clients: 5_000,
            ordeals: Ordeal::ALL.to_vec(),
            drain_for: Duration::from_secs(10),
            drain_delay: Duration::from_secs(2),
            steady: Duration::from_secs(15),
            cut: Duration::from_secs(30),
        }
    }

    /// The same in small, as often as somebody pushes.
    pub(super) fn brief() -> Self {
        Self {
            clients: 60,
            drain_for: Duration::from_secs(1),
            drain_delay: Duration::from_secs(1),
            steady: Duration::from_secs(1),
            cut: Duration::from_secs(6),
            ..Self::whole()
        }
    }
}
