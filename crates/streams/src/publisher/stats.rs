/// What a publisher has counted since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Deltas that were applied.
    pub deltas: u64,
    /// Snapshots that were applied.
    pub snapshots: u64,
    /// Records with trades.
    pub trades: u64,
    /// Records with nothing to publish.
    pub ignored: u64,
    /// Deltas that the book included already.
    pub stale: u64,
    /// Deltas that arrived while there was no valid book.
    pub waiting: u64,
    /// Gaps in the venues' own sequences.
    pub upstream_gaps: u64,
    /// Snapshots and deltas that were crossed.
    pub crossed: u64,
    /// Snapshots that no retained delta links to.
    pub too_old: u64,
    /// Snapshots and deltas that repeated a price or had too many levels, and trades that cannot be
    /// encoded.
    pub unusable: u64,
    /// Records of known instruments that could not be read.
    pub bad_records: u64,
    /// Records of channels that are read from another partition.
    pub other_partition: u64,
    /// Records that were repeated, or arrived after later ones.
    pub repeated: u64,
    /// Times that a book became invalid, for whatever reason.
    pub resyncs: u64,
    /// Times that an invalid book became valid again.
    pub recoveries: u64,
    /// Times that an instrument became STALE.
    pub went_stale: u64,
    /// Heartbeats of quiet streams.
    pub heartbeats: u64,
    /// Subscriptions that started with a snapshot.
    pub joined: u64,
    /// Grouped views that were rejected because of a limit.
    pub views_rejected: u64,
    /// Subscriptions that resumed.
    pub resumed: u64,
    /// Lagging subscriptions that were sent a net change.
    pub conflated: u64,
    /// Lagging subscriptions that were sent a snapshot.
    pub snapshotted: u64,
    /// Lagging subscriptions that lost messages that are no longer retained.
    pub skipped: u64,
}
