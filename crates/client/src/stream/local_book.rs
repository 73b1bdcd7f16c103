use market::{Book, Exponents, Level, Position, Side};
use wire::sbe::{BookDelta, Levels};

use super::Checksums;

/// The client's copy of a book, and how far it can be trusted.
#[derive(Debug)]
pub struct LocalBook {
    book: Book,
    exponents: Exponents,
    position: Option<Position>,
    trust: Trust,
}

/// How far a local book can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// No snapshot has arrived yet.
    Empty,
    /// Verified to be what the node published as of its position, and kept up to date.
    Live,
    /// Verified as of its position, but not being updated: newer messages are on their way, or the node has not
    /// read as far as this client.
    Behind,
    /// The node has said that its own book cannot be trusted after this position.
    Broken,
    /// Its checksum is not the one that the node published.
    Wrong,
}

impl Trust {
    /// The name, for display and for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Live => "LIVE",
            Self::Behind => "BEHIND",
            Self::Broken => "BROKEN",
            Self::Wrong => "WRONG",
        }
    }
}

impl LocalBook {
    pub(super) const fn new() -> Self {
        Self {
            book: Book::new(),
            exponents: Exponents { price: 0, size: 0 },
            position: None,
            trust: Trust::Empty,
        }
    }

    /// The levels. Only those of a [`Trust::Live`] book are current.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The exponents of the levels.
    #[must_use]
    pub const fn exponents(&self) -> Exponents {
        self.exponents
    }

    /// Epoch and `seq` of the last message that the levels include; `None` before the first snapshot.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// How far the book can be trusted.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Returns whether the book is verified and up to date.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.trust == Trust::Live
    }

    /// The position to resume from: the levels were right there, whatever was published since.
    pub(super) fn resume_position(&self) -> Option<Position> {
        match self.trust {
            Trust::Live | Trust::Behind | Trust::Broken => self.position,
            Trust::Empty | Trust::Wrong => None,
        }
    }

    /// Applies a delta and verifies the book against its checksum.
    #[inline]
    pub(super) fn apply(&mut self, to: Position, delta: &BookDelta<'_>) -> Result<(), Checksums> {
        let valid = self.set_all(Side::Bid, delta.bids) & self.set_all(Side::Ask, delta.asks);
        let computed = self.book.checksum();
        if !valid || computed != delta.checksum {
            self.trust = Trust::Wrong;
            return Err(Checksums {
                received: delta.checksum,
                computed,
            });
        }
        self.position = Some(to);
        self.trust = Trust::Live;
        Ok(())
    }

    /// Verifies the book against the checksum of the message that it stands at.
    pub(super) fn confirm(&mut self, received: u32) -> Result<(), Checksums> {
        let computed = self.book.checksum();
        if computed == received || !matches!(self.trust, Trust::Live | Trust::Behind) {
            return Ok(());
        }
        self.trust = Trust::Wrong;
        Err(Checksums { received, computed })
    }

    /// Sets the levels. Returns whether all of them are valid.
    #[inline]
    fn set_all(&mut self, side: Side, levels: Levels<'_>) -> bool {
        let mut valid = true;
        for level in levels {
            valid &= level.size.0 >= 0;
            self.book.set(side, level);
        }
        valid
    }

    /// Replaces the book, unless the levels do not have that checksum.
    pub(super) fn replace(
        &mut self,
        to: Position,
        exponents: Exponents,
        (bids, asks): (&[Level], &[Level]),
        checksum: u32,
    ) -> Result<(), Checksums> {
        let mut book = Book::new();
        let filled = book.fill(bids, asks).is_ok();
        let valid = bids.iter().chain(asks).all(|level| level.size.0 > 0);
        let computed = book.checksum();
        if !filled || !valid || computed != checksum {
            self.trust = Trust::Wrong;
            return Err(Checksums {
                received: checksum,
                computed,
            });
        }
        *self = Self {
            book,
            exponents,
            position: Some(to),
            trust: Trust::Live,
        };
        Ok(())
    }

    /// Moves past a record that did not change the book; after it, the node may not trust its own book.
    pub(super) fn advance(&mut self, to: Option<Position>, breaks: bool) {
        if matches!(self.trust, Trust::Empty | Trust::Wrong) {
            return;
        }
        self.position = to.or(self.position);
        if breaks {
            self.trust = Trust::Broken;
        }
    }

    /// The stream is no longer followed.
    pub(super) fn mark_behind(&mut self) {
        if self.trust == Trust::Live {
            self.trust = Trust::Behind;
        }
    }

    /// The stream continues exactly where the book is.
    pub(super) fn mark_live(&mut self) {
        if self.trust == Trust::Behind {
            self.trust = Trust::Live;
        }
    }
}
