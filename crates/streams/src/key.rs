use market::{Channel, InstrumentId};
use wire::ViewParams;

/// A stream: one channel of one instrument with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Of which instrument.
    pub instrument: InstrumentId,
    /// What of it.
    pub channel: Channel,
    /// How much of it; the default for every channel but `book`.
    pub params: ViewParams,
}

/// A stream in one encoding, while somebody watches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WatchId(pub u32);
