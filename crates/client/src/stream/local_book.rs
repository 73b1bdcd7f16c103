use market::{Book, Exponents, Level, Position, Side};
use wire::sbe::{BookDelta, Levels};

use super::Wrong;

/// A book that a client keeps, and how far it can be relied on.
#[derive(Debug)]
pub struct KeptBook {
    book: Book,
    exponents: Exponents,
    position: Option<Position>,
    trust: Trust,
}

/// How far a kept book can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Nothing has come yet.
    Empty,
    /// Proven to be what the node published as of its position, and followed.
    Live,
    /// Proven as of its position, and not followed at the moment: what came since is on its way, or the node
    /// has not come as far as this client.
    Behind,
    /// The node said that its own book is not to be trusted from its position on.
    Broken,
    /// It is not what the node says it is.
    Wrong,
}

impl Trust {
    /// A word for people and programs.
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

impl KeptBook {
    pub(super) const fn new() -> Self {
        Self {
            book: Book::new(),
            exponents: Exponents { price: 0, size: 0 },
            position: None,
            trust: Trust::Empty,
        }
    }

    /// The levels. Only a [`Trust::Live`] book is the market's.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// The scale of the levels held.
    #[must_use]
    pub const fn exponents(&self) -> Exponents {
        self.exponents
    }

    /// What the levels held include; `None` before the first snapshot.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// How far it can be relied on.
    #[must_use]
    pub const fn trust(&self) -> Trust {
        self.trust
    }

    /// Whether it is proven and followed.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.trust == Trust::Live
    }

    /// Where the levels held can be resumed from: they were right there, whatever came since.
    pub(super) fn resumable(&self) -> Option<Position> {
        match self.trust {
            Trust::Live | Trust::Behind | Trust::Broken => self.position,
            Trust::Empty | Trust::Wrong => None,
        }
    }

    /// Applies a delta and checks the book against what the delta says it is then.
    #[inline]
    pub(super) fn apply(&mut self, to: Position, delta: &BookDelta<'_>) -> Result<(), Wrong> {
        let sane = self.set_all(Side::Bid, delta.bids) & self.set_all(Side::Ask, delta.asks);
        let computed = self.book.checksum();
        if !sane || computed != delta.checksum {
            self.trust = Trust::Wrong;
            return Err(Wrong {
                told: delta.checksum,
                computed,
            });
        }
        self.position = Some(to);
        self.trust = Trust::Live;
        Ok(())
    }

    /// The node tells the checksum of this very book.
    pub(super) fn confirm(&mut self, told: u32) -> Result<(), Wrong> {
        let computed = self.book.checksum();
        if computed == told || !matches!(self.trust, Trust::Live | Trust::Behind) {
            return Ok(());
        }
        self.trust = Trust::Wrong;
        Err(Wrong { told, computed })
    }

    /// Sets the levels; whether all of them may be levels.
    #[inline]
    fn set_all(&mut self, side: Side, levels: Levels<'_>) -> bool {
        let mut sane = true;
        for level in levels {
            sane &= level.size.0 >= 0;
            self.book.set(side, level);
        }
        sane
    }

    /// Becomes that book, or stays as it is when the levels are not what the checksum says.
    pub(super) fn replace(
        &mut self,
        to: Position,
        exponents: Exponents,
        (bids, asks): (&[Level], &[Level]),
        checksum: u32,
    ) -> Result<(), Wrong> {
        let mut book = Book::new();
        let filled = book.fill(bids, asks).is_ok();
        let sane = bids.iter().chain(asks).all(|level| level.size.0 > 0);
        let computed = book.checksum();
        if !filled || !sane || computed != checksum {
            self.trust = Trust::Wrong;
            return Err(Wrong {
                told: checksum,
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

    /// A record changed nothing of the book; or the node's own book is not to be trusted from there on.
    pub(super) fn pass(&mut self, to: Option<Position>, breaks: bool) {
        if matches!(self.trust, Trust::Empty | Trust::Wrong) {
            return;
        }
        self.position = to.or(self.position);
        if breaks {
            self.trust = Trust::Broken;
        }
    }

    /// The stream is not followed any more.
    pub(super) fn fall_behind(&mut self) {
        if self.trust == Trust::Live {
            self.trust = Trust::Behind;
        }
    }

    /// The stream goes on exactly where the book stands.
    pub(super) fn catch_on(&mut self) {
        if self.trust == Trust::Behind {
            self.trust = Trust::Live;
        }
    }
}
