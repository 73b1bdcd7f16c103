/// What a publisher has counted since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Deltas that the book has.
    pub deltas: u64,
    /// Whole books that were taken over.
    pub snapshots: u64,
    /// Records with trades.
    pub trades: u64,
    /// Records that were understood and say nothing to publish.
    pub nothing: u64,
    /// Deltas that the book had already.
    pub stale: u64,
    /// Deltas that came while there was no right book.
    pub waiting: u64,
    /// Missing sequence numbers of venues.
    pub upstream_gaps: u64,
    /// Deltas and whole books that were crossed.
    pub crossed: u64,
    /// Whole books that no kept delta links to.
    pub too_old: u64,
    /// Whole books that name a price twice, or have too many levels.
    pub unusable: u64,
    /// Records that could not be read, of a known instrument.
    pub bad_records: u64,
    /// Records of instruments that are read from another partition.
    pub other_partition: u64,
    /// Records that came again, or behind later ones.
    pub repeated: u64,
    /// How often a book was lost, for whatever reason.
    pub resyncs: u64,
    /// How often a lost book was right again.
    pub recoveries: u64,
    /// How often an instrument went quiet.
    pub went_stale: u64,
    /// Heartbeats of quiet streams.
    pub heartbeats: u64,
    /// Subscribers that joined with a snapshot.
    pub joined: u64,
    /// Grouped views that were rejected, since there were as many as there may be.
    pub views_rejected: u64,
    /// Subscribers that resumed.
    pub resumed: u64,
    /// Slow subscribers that were given a net change.
    pub conflated: u64,
    /// Slow subscribers that were given a snapshot.
    pub snapshotted: u64,
    /// Slow subscribers that lost messages which are no longer held.
    pub skipped: u64,
}
