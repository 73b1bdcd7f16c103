use crate::{Bbo, DuplicateLevel, Seq};

/// The outcome of a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaOutcome {
    /// It was applied to the book.
    Applied,
    /// The book includes it already.
    Stale,
    /// The book is not live: the delta is retained for a snapshot, or useless without one.
    Waiting,
    /// The venue's stream broke; nothing can be applied before its next snapshot.
    Gap(Break),
    /// It would have crossed the book and was undone.
    Crossed(Bbo),
    /// It would have made the book deeper than its limit and was undone.
    TooDeep,
}

/// The evidence that a venue's stream broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The feed reports it.
    Reported,
    /// Sequence numbers before the delta are missing.
    Numbers {
        /// The venue's sequence number of the book.
        last: u64,
        /// The number that the delta builds on.
        prev: u64,
    },
    /// The book would differ from the venue's; the delta was undone.
    Checksum {
        /// The venue's checksum.
        expected: u32,
        /// The checksum of the book.
        found: u32,
    },
}

/// The outcome of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotOutcome {
    /// It was applied, with every retained delta after it.
    Applied,
    /// It alone was applied; [`VenueBook::replay`] applies the retained deltas from `first` on.
    ///
    /// Returned only if nothing has been published yet that these deltas would precede.
    ///
    /// [`VenueBook::replay`]: super::VenueBook::replay
    Staged {
        /// The offset that the snapshot stands for: that of the record before the first delta
        /// after it.
        base: Seq,
        /// The index of the first retained delta after it.
        first: usize,
    },
    /// Deltas between it and the first retained one are missing.
    TooOld {
        /// The snapshot's number.
        seq: u64,
        /// The number that the first delta after it builds on.
        prev: u64,
    },
    /// It is crossed.
    Crossed(Bbo),
    /// It contains a price twice on one side.
    Duplicate(DuplicateLevel),
    /// It exceeds the book's limit of levels.
    TooDeep,
}
