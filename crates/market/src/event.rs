use crate::{Exponents, Level, Nanos, State, Trade, VenueChecksum};

/// The content of a record, independent of its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A complete book.
    Snapshot {
        /// The venue's sequence number of the book, if the venue has one.
        seq: Option<u64>,
        /// How the snapshot relates to the deltas around it.
        origin: SnapshotOrigin,
        /// The venue's timestamp.
        time: Option<Nanos>,
        /// The bids, in any order.
        bids: &'a [Level],
        /// The asks, in any order.
        asks: &'a [Level],
    },
    /// An update of the book. Sizes are absolute; zero deletes the level.
    Delta {
        /// The delta's link in the venue's own sequence, if the venue has one.
        link: Option<SeqLink>,
        /// How the snapshots of this feed relate to its deltas.
        origin: SnapshotOrigin,
        /// The venue's timestamp.
        time: Option<Nanos>,
        /// The updated bids, in the order in which they are to be applied.
        bids: &'a [Level],
        /// The updated asks, in the order in which they are to be applied.
        asks: &'a [Level],
    },
    /// One or more trades.
    Trades {
        /// The venue's timestamp.
        time: Option<Nanos>,
        /// The trades; never empty.
        trades: &'a [Trade<'a>],
    },
    /// The venue's own status of the instrument, which is LIVE or HALTED.
    Status {
        /// The venue's timestamp.
        time: Option<Nanos>,
        /// The reported state.
        state: State,
    },
    /// The instrument's fixed-point scale and steps.
    Definition {
        /// The venue's timestamp.
        time: Option<Nanos>,
        /// The definition.
        definition: Definition,
    },
    /// Nothing to publish: a venue's own ticker, an acknowledgement.
    Nothing,
}

/// A delta's link in the venue's own sequence: it turns the book as of `prev` into the book as of
/// `seq`.
///
/// The rules of all venues reduce to this one; each format maps its venue's fields to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqLink {
    /// The venue's sequence number of the book before the delta.
    pub prev: u64,
    /// The venue's sequence number of the book after the delta.
    pub seq: u64,
}

/// How a feed's snapshots relate to its deltas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotOrigin {
    /// Snapshots are part of the stream: each belongs exactly between the deltas around it.
    InBand,
    /// Snapshots are fetched separately (REST): earlier deltas in the log may be newer.
    OutOfBand,
    /// Snapshots are part of the stream, and this message carries a check of the book after it.
    Checked(Check),
}

/// What the venue states about its book after a message, for a copy to be checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Check {
    /// The maximum number of levels that a side has; the venue does not delete worse ones explicitly. `None` if this
    /// message does not say, in which case that of the last snapshot applies.
    pub window: Option<u32>,
    /// The venue's own checksum over its best levels.
    pub checksum: Option<VenueChecksum>,
    /// Whether the feed reports that messages before this one are missing.
    pub lost: bool,
}

/// The fixed-point scale and the steps of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The fixed-point scale.
    pub exponents: Exponents,
    /// The price step, as a price mantissa.
    pub tick_size: Option<i64>,
    /// The size step, as a size mantissa.
    pub lot_size: Option<i64>,
}
