use market::{Level, Position};
use wire::sbe::BookSnapshot;

/// The maximum number of levels per side of a snapshot under assembly: 2 × 1 M × 16 B = 32 MB. The deepest book seen,
/// Coinbase's BTC-USD, has some 60,000.
const MAX_LEVELS: usize = 1_000_000;

/// A snapshot that is incomplete.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    current: Option<Snapshot>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Snapshot {
    position: Position,
    checksum: u32,
    next: u16,
    chunks: u16,
}

/// What a chunk did to the snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Assembled {
    /// More chunks are to come.
    Incomplete,
    /// It was the last one: [`Assembly::levels`] returns all levels.
    Complete,
    /// It does not continue the chunks before it.
    Broken,
}

impl Assembly {
    pub(crate) fn add(&mut self, position: Position, chunk: &BookSnapshot<'_>) -> Assembled {
        if chunk.chunk == 0 {
            self.bids.clear();
            self.asks.clear();
            self.current = Some(Snapshot {
                position,
                checksum: chunk.checksum,
                next: 0,
                chunks: chunk.chunks,
            });
        }
        let expected = self.current.take();
        let Some(mut snapshot) = expected else {
            return Assembled::Broken;
        };
        let received = Snapshot {
            position,
            checksum: chunk.checksum,
            next: chunk.chunk,
            chunks: chunk.chunks,
        };
        let fits = self.bids.len() + chunk.bids.len() <= MAX_LEVELS
            && self.asks.len() + chunk.asks.len() <= MAX_LEVELS;
        if snapshot != received || snapshot.next >= snapshot.chunks || !fits {
            return Assembled::Broken;
        }
        self.bids.extend(chunk.bids);
        self.asks.extend(chunk.asks);
        snapshot.next += 1;
        if snapshot.next == snapshot.chunks {
            return Assembled::Complete;
        }
        self.current = Some(snapshot);
        Assembled::Incomplete
    }

    /// The bids and asks of the last complete snapshot.
    pub(crate) fn levels(&self) -> (&[Level], &[Level]) {
        (&self.bids, &self.asks)
    }

    /// Discards an incomplete snapshot.
    #[inline]
    pub(crate) fn discard(&mut self) {
        self.current = None;
    }

    /// Frees the memory: snapshots are rare, and the book holds the same levels.
    pub(crate) fn release(&mut self) {
        self.bids = Vec::new();
        self.asks = Vec::new();
    }
}
