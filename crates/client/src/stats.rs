/// What one subscription has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Data messages of the stream.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that were had already, and passed over.
    pub held: u64,
    /// Book messages whose chain and checksum were right.
    pub verified: u64,
    /// Book messages whose checksum was not.
    pub mismatches: u64,
    /// Gaps, whatever became of them.
    pub gaps: u64,
    /// Gaps that are never filled, although the node had what is missing.
    pub losses: u64,
    /// Faults that are over.
    pub resyncs: u64,
    /// Catch-ups, since this client was too slow.
    pub lags: u64,
}

/// What a client has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections that stood.
    pub connections: u64,
    /// Data messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Data messages that belong to no stream that is wanted: late ones of a subscription that ended.
    pub unrouted: u64,
    /// Data messages that could not be read.
    pub undecodable: u64,
}
