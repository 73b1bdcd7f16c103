/// Counts what became of one instrument's records and messages since the publisher started, for
/// anybody who wants to know how far the instrument can be trusted.
///
/// Plain counters with a single writer; nothing is counted per client on the hot path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Records of every kind.
    pub records: u64,
    /// Records with trades.
    pub trades: u64,
    /// Deltas that the venue's sequence numbers proved to follow on, and numbered snapshots.
    pub chained: u64,
    /// Books that the venue's own checksum confirmed.
    pub checked: u64,
    /// Breaks of the venue's own sequence or checksum: data lost before Kafka.
    pub upstream_gaps: u64,
    /// How often this node lost records that were in Kafka; anything but 0 is a bug.
    pub own_gaps: u64,
    /// Records that could not be read.
    pub rejected: u64,
    /// Snapshots and deltas that were crossed, repeated a price or had too many levels.
    pub unusable: u64,
    /// Times that the book became invalid, for whatever reason.
    pub resyncs: u64,
    /// Times that an invalid book became valid again.
    pub recoveries: u64,
    /// Messages that lagging clients received as part of a net change or a snapshot.
    pub conflated: u64,
    /// Messages that lagging clients lost for good.
    pub lost_to_slow: u64,
}
