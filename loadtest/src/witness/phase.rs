use std::collections::BTreeMap;

use serde::Serialize;

/// What was seen while one thing was done to the fleet.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Phase {
    pub(super) name: String,
    /// Sessions that ended, by what the client says of it.
    pub(super) sessions_lost: BTreeMap<String, u64>,
    /// Attempts to connect that failed, by why.
    pub(super) failed_attempts: BTreeMap<String, u64>,
    /// Streams of the market that went on where they stood.
    pub(super) resumed: u64,
    /// Those that began anew, by the node's reason.
    pub(super) snapshots: BTreeMap<String, u64>,
    /// Streams that a node refused for now, by its code.
    pub(super) refused: BTreeMap<String, u64>,
    /// Gaps that clients were told of or found themselves, by their cause.
    pub(super) gaps: BTreeMap<String, u64>,
    /// Clients that were told that their instrument is stale.
    pub(super) told_stale: u64,
    /// Messages that came again over the wire, and that the client passed over by the protocol's rule.
    pub(super) passed_over: u64,
    /// Net changes in the place of several messages, told as such.
    pub(super) conflated: u64,
    /// What must not be.
    pub(super) faults: Faults,
    /// Each client's longest time between two items of the market, in milliseconds.
    pub(super) pauses_ms: Vec<u32>,
}

/// What must not be, however much goes wrong around it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Faults {
    /// Items that a client was given twice.
    pub(super) repeated: u64,
    /// Items that do not follow on what the client had.
    pub(super) missing: u64,
    /// Items with another numbering, although nobody made the topic anew.
    pub(super) other_epoch: u64,
    /// Books that were not what their checksum says.
    pub(super) mismatches: u64,
    /// Messages that are not what another client was sent under the same number.
    pub(super) different: u64,
    /// Messages that cannot be read.
    pub(super) undecodable: u64,
    /// Streams that the node did not trust any more.
    pub(super) untrusted: u64,
    /// Clients that gave up, and streams that were refused for good.
    pub(super) given_up: u64,
}

impl Phase {
    pub(super) fn new(name: String, clients: usize) -> Self {
        Self {
            name,
            pauses_ms: vec![0; clients],
            ..Self::default()
        }
    }
}

/// Counts one more.
pub(super) fn count(counts: &mut BTreeMap<String, u64>, what: impl Into<String>) {
    *counts.entry(what.into()).or_default() += 1;
}
