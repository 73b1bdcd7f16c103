//! The encoding of books and their changes.

use market::{Changes, Level, Seq};
use wire::Head;
use wire::sbe::{self, MAX_CHUNK_LEVELS};

/// The maximum number of changes in one delta; more are sent as a snapshot in chunks. So no frame exceeds 64
/// KiB, which is what a lagging client may cost: 76 bytes and 16 per change.
pub(super) const MAX_DELTA_CHANGES: usize = 4_000;

/// Appends a delta of at most [`MAX_DELTA_CHANGES`] changes.
pub(super) fn write_delta(out: &mut Vec<u8>, head: &Head, checksum: u32, changes: &Changes) {
    let bids = changes.bids.iter().map(|change| change.level());
    let asks = changes.asks.iter().map(|change| change.level());
    let encoded = sbe::book_delta(out, head, checksum, bids, asks);
    debug_assert!(
        encoded.is_ok(),
        "the limit of a delta is far below the encoder's"
    );
}

/// Splits a book into chunks. Calls `give` for each with the sequence number that its receiver has
/// afterwards, which advances only with the last chunk, and with a function that appends the chunk.
pub(super) fn write_snapshot(
    head: &Head,
    checksum: u32,
    bids: impl ExactSizeIterator<Item = Level> + Clone,
    asks: impl ExactSizeIterator<Item = Level> + Clone,
    mut give: impl FnMut(Seq, &dyn Fn(&mut Vec<u8>)),
) {
    let chunks = bids.len().max(asks.len()).div_ceil(MAX_CHUNK_LEVELS).max(1);
    // 65,535 chunks are 65 million levels, far beyond the limit of a book.
    let count = u16::try_from(chunks).unwrap_or(u16::MAX);
    for chunk in 0..count {
        let begin = usize::from(chunk) * MAX_CHUNK_LEVELS;
        let has = if chunk + 1 == count {
            head.seq
        } else {
            head.prev_seq
        };
        give(has, &|out| {
            let bids = bids.clone().skip(begin).take(MAX_CHUNK_LEVELS);
            let asks = asks.clone().skip(begin).take(MAX_CHUNK_LEVELS);
            let encoded = sbe::book_snapshot(out, head, checksum, chunk, count, bids, asks);
            debug_assert!(encoded.is_ok(), "a chunk is within the encoder's limit");
        });
    }
}
