use market::{Level, Position};
use wire::sbe::BookSnapshot;

/// The most levels of a side while a snapshot is assembled: 2 × 1 M × 16 B = 32 MB. The deepest book seen,
/// Coinbase's BTC-USD, has some 60,000.
const MAX_LEVELS: usize = 1_000_000;

/// A snapshot that is not whole yet.
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

/// What a chunk made of the snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Assembled {
    /// More chunks are to come.
    Partial,
    /// That was the last one: [`Assembly::levels`] has them all.
    Whole,
    /// It does not continue what is there.
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
        let told = Snapshot {
            position,
            checksum: chunk.checksum,
            next: chunk.chunk,
            chunks: chunk.chunks,
        };
        let fits = self.bids.len() + chunk.bids.len() <= MAX_LEVELS
            && self.asks.len() + chunk.asks.len() <= MAX_LEVELS;
        if snapshot != told || snapshot.next >= snapshot.chunks || !fits {
            return Assembled::Broken;
        }
        self.bids.extend(chunk.bids);
        self.asks.extend(chunk.asks);
        snapshot.next += 1;
        if snapshot.next == snapshot.chunks {
            return Assembled::Whole;
        }
        self.current = Some(snapshot);
        Assembled::Partial
    }

    /// The bids and the asks of the snapshot that became whole last.
    pub(crate) fn levels(&self) -> (&[Level], &[Level]) {
        (&self.bids, &self.asks)
    }

    /// Forgets a snapshot that is not whole.
    #[inline]
    pub(crate) fn drop_partial(&mut self) {
        self.current = None;
    }

    /// Gives the memory back: snapshots are rare, and a book's levels are held twice otherwise.
    pub(crate) fn release(&mut self) {
        self.bids = Vec::new();
        self.asks = Vec::new();
    }
}
