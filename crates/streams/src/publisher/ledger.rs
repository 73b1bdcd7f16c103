/// What became of one instrument's records and messages since its publisher began: the account
/// that is shown to whoever wants to know how far it can be trusted.
///
/// Plain counters with one writer; nothing is counted for each client on the way of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ledger {
    /// Records that came for it, of every kind.
    pub records: u64,
    /// Of these, trades' records.
    pub trades: u64,
    /// Changes that the venue's own sequence proved to follow on, or whole books that the venue
    /// numbers.
    pub chained: u64,
    /// Books that the venue's own checksum proved.
    pub checked: u64,
    /// Where the venue's own sequence or checksum broke: lost before Kafka.
    pub upstream_gaps: u64,
    /// Where this node lost records that were in Kafka: must be 0.
    pub own_gaps: u64,
    /// Records that could not be read.
    pub refused: u64,
    /// Books and changes that were crossed, named a price twice or had too many levels.
    pub unusable: u64,
    /// How often its book was lost, for whatever reason.
    pub resyncs: u64,
    /// How often a lost book was right again.
    pub recoveries: u64,
    /// Messages that slow clients got as a part of a net change or of a whole book.
    pub conflated: u64,
    /// Messages that slow clients lost for good.
    pub lost_to_slow: u64,
}
