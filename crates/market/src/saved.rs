use crate::{BookBuilder, Decimals, DuplicateLevel, Level, Link, Nanos, RecentDeltas, Seq, Side};

/// All that a [`BookBuilder`] knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SavedBook {
    /// Whether the book is right.
    pub live: bool,
    /// The venue's number that it stands at.
    pub venue_seq: Option<u64>,
    /// The most levels of a side that the venue sends.
    pub window: Option<u64>,
    /// With how many decimals the venue was seen to write.
    pub decimals: Decimals,
    /// Highest first.
    pub bids: Vec<Level>,
    /// Lowest first.
    pub asks: Vec<Level>,
    /// What is kept for a whole book that comes late, oldest first.
    pub recent: Vec<SavedDelta>,
}

/// A delta that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedDelta {
    /// The record it came in.
    pub offset: Seq,
    /// Its place in the venue's sequence.
    pub link: Link,
    /// When the venue made it.
    pub time: Option<Nanos>,
    /// The record's timestamp.
    pub log_time: Nanos,
    /// In the order in which they are applied.
    pub bids: Vec<Level>,
    /// Likewise.
    pub asks: Vec<Level>,
}

impl BookBuilder {
    /// Copies what it knows.
    #[must_use]
    pub fn save(&self) -> SavedBook {
        let (recent, state) = self.kept();
        let mut saved = SavedBook {
            live: state.live,
            venue_seq: state.venue_seq,
            window: state.window.and_then(|levels| u64::try_from(levels).ok()),
            decimals: state.decimals,
            bids: self.book().side(Side::Bid).iter().collect(),
            asks: self.book().side(Side::Ask).iter().collect(),
            recent: Vec::with_capacity(recent.len()),
        };
        recent.for_each(|delta, bids, asks| {
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

    /// Becomes what was saved.
    pub fn restore(&mut self, saved: &SavedBook) -> Result<(), DuplicateLevel> {
        let mut recent = RecentDeltas::default();
        for delta in &saved.recent {
            let times = (delta.time, delta.log_time);
            recent.push(delta.offset, delta.link, times, &delta.bids, &delta.asks);
        }
        let state = BuilderState {
            live: saved.live,
            venue_seq: saved.venue_seq,
            window: saved.window.and_then(|levels| usize::try_from(levels).ok()),
            decimals: saved.decimals,
        };
        self.become_saved(&saved.bids, &saved.asks, recent, state)
    }
}

/// What a builder knows beside its levels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BuilderState {
    pub(crate) live: bool,
    pub(crate) venue_seq: Option<u64>,
    pub(crate) window: Option<usize>,
    pub(crate) decimals: Decimals,
}
