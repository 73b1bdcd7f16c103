use super::VenueBook;
use crate::recent::RecentDeltas;
use crate::{Decimals, DuplicateLevel, Level, Nanos, Seq, SeqLink, Side};

/// The complete state of a [`VenueBook`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SavedBook {
    /// Whether the book is valid.
    pub live: bool,
    /// The venue's sequence number of the book.
    pub venue_seq: Option<u64>,
    /// The maximum number of levels per side that the venue sends.
    pub window: Option<u64>,
    /// How many decimals the venue has been seen to write.
    pub decimals: Decimals,
    /// The bids, highest first.
    pub bids: Vec<Level>,
    /// The asks, lowest first.
    pub asks: Vec<Level>,
    /// The deltas retained for a snapshot that arrives late, oldest first.
    pub recent: Vec<SavedDelta>,
}

/// A retained delta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedDelta {
    /// The offset of its record.
    pub offset: Seq,
    /// Its link in the venue's sequence.
    pub link: SeqLink,
    /// The venue's timestamp.
    pub time: Option<Nanos>,
    /// The record's timestamp.
    pub log_time: Nanos,
    /// The updated bids, in the order in which they are applied.
    pub bids: Vec<Level>,
    /// The updated asks, in the order in which they are applied.
    pub asks: Vec<Level>,
}

impl VenueBook {
    /// Copies the complete state.
    #[must_use]
    pub fn save(&self) -> SavedBook {
        let mut saved = SavedBook {
            live: self.live,
            venue_seq: self.venue_seq,
            window: self.window.and_then(|levels| u64::try_from(levels).ok()),
            decimals: self.decimals,
            bids: self.book.side(Side::Bid).iter().collect(),
            asks: self.book.side(Side::Ask).iter().collect(),
            recent: Vec::with_capacity(self.recent.len()),
        };
        self.recent.for_each(|delta, bids, asks| {
            saved.recent.push(SavedDelta {
                offset: delta.offset,
                link: delta.link,
                time: delta.time,
                log_time: delta.log_time,
                bids,
                asks,
            });
        });
        saved
    }

    /// Restores a saved state. An error leaves the book unusable.
    pub fn restore(&mut self, saved: &SavedBook) -> Result<(), DuplicateLevel> {
        self.book.fill(&saved.bids, &saved.asks)?;
        self.recent = RecentDeltas::default();
        for delta in &saved.recent {
            let times = (delta.time, delta.log_time);
            self.recent
                .push(delta.offset, delta.link, times, &delta.bids, &delta.asks);
        }
        self.live = saved.live;
        self.venue_seq = saved.venue_seq;
        self.window = saved.window.and_then(|levels| usize::try_from(levels).ok());
        self.decimals = saved.decimals;
        Ok(())
    }
}
