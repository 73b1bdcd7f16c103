use crate::{Exponents, Level, Nanos, State, Trade, VenueChecksum};

/// What a record says, in the words of this project, whatever its format was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole book.
    Snapshot {
        /// The venue's sequence number of the book, where the venue has one.
        seq: Option<u64>,
        /// How the book was got.
        origin: SnapshotOrigin,
        /// When the venue made it.
        time: Option<Nanos>,
        /// Its bids, in any order.
        bids: &'a [Level],
        /// Its asks, in any order.
        asks: &'a [Level],
    },
    /// A change of the book; sizes are absolute, zero deletes.
    Delta {
        /// Where the venue's own sequence puts it, where the venue has one.
        link: Option<Link>,
        /// How the whole books of this feed are got.
        origin: SnapshotOrigin,
        /// When the venue made it.
        time: Option<Nanos>,
        /// Changed bids, in the order in which they are to be applied.
        bids: &'a [Level],
        /// Changed asks, likewise.
        asks: &'a [Level],
    },
    /// Trades.
    Trades {
        /// When the venue made them.
        time: Option<Nanos>,
        /// At least one.
        trades: &'a [Trade<'a>],
    },
    /// The venue's word on the instrument: only LIVE and HALTED are a venue's to say.
    Status {
        /// When the venue said it.
        time: Option<Nanos>,
        /// What it said.
        state: State,
    },
    /// The instrument's fixed-point scale and steps.
    Definition {
        /// When the venue said it.
        time: Option<Nanos>,
        /// What it said.
        definition: Definition,
    },
    /// Understood, and nothing to publish: a venue's own ticker, an acknowledgement.
    Nothing,
}

/// A delta's place in the venue's own sequence: it turns the book as of `prev` into that of `seq`.
///
/// The rules of all venues come down to this one; the format that reads a venue's fields says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The last number that the delta builds on.
    pub prev: u64,
    /// The number that it leads to.
    pub seq: u64,
}

/// How a whole book relates to the deltas around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SnapshotOrigin {
    /// In the stream itself: it stands exactly between the deltas around it.
    InBand,
    /// Fetched beside the stream (REST): deltas before it may be newer than it.
    OutOfBand,
    /// In the stream itself, and the venue says what a copy of its book must be after this message.
    Checked(Check),
}

/// What a copy of a venue's book must be after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Check {
    /// The most levels of a side: the venue leaves out to say that worse ones are gone. None when
    /// this message does not tell; then what its whole book told goes on.
    pub window: Option<u32>,
    /// The venue's own checksum over its best levels.
    pub checksum: Option<VenueChecksum>,
    /// The feed itself says that something before this message is missing.
    pub lost: bool,
}

/// How an instrument is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// The fixed-point scale.
    pub exponents: Exponents,
    /// The price step, as a price mantissa.
    pub tick_size: Option<i64>,
    /// The size step, as a size mantissa.
    pub lot_size: Option<i64>,
}
