use market::{Channel, InstrumentId};
use wire::ViewParams;

/// A stream: one channel of one instrument with its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The channel.
    pub channel: Channel,
    /// The parameters; the default for channels that have none.
    pub params: ViewParams,
}

/// An open stream: one that is published in one encoding, because somebody is subscribed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u32);
