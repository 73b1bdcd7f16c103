/// Counters of one subscription since it was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Data messages received.
    pub messages: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Messages skipped because they had been applied already.
    pub duplicates: u64,
    /// Book messages that followed on and whose checksum matched.
    pub verified: u64,
    /// Book messages whose checksum did not match.
    pub mismatches: u64,
    /// Gaps, filled later or not.
    pub gaps: u64,
    /// Gaps that will never be filled, although the node once had the data.
    pub losses: u64,
    /// Faults that are over.
    pub resyncs: u64,
    /// Times that the node had to catch this client up because it lagged.
    pub lags: u64,
}

/// Counters of a client since it was built.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections established.
    pub connections: u64,
    /// Data messages received.
    pub messages: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Data messages of no current stream, such as late ones of a subscription that has ended.
    pub unrouted: u64,
    /// Data messages that could not be decoded.
    pub undecodable: u64,
}
