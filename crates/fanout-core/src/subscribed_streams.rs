use std::collections::HashMap;
use std::sync::Arc;

use market::{Epoch, Seq};
use slab::Slab;
use streams::{Chunks, Cursor, Frames, Ring, StreamKey, StreamRun};
use wire::Encoding;

use crate::Listing;
use crate::growth::push_closely;

/// Bytes that a ring keeps while the shard's rings together exceed their budget.
const SCARCE_RUN_BYTES: usize = 64 * 1024;

/// A stream that the shard has subscriptions of, in one encoding.
///
/// Invariants:
/// - `behind` of the `holders` have not been sent the whole ring; when none is left, the ring is
///   emptied.
/// - `subscriptions` holds each subscription once, at the place its
///   [`Subscription`](crate::session::Subscription) records.
pub(crate) struct SubscribedStream {
    pub(crate) key: StreamKey,
    pub(crate) encoding: Encoding,
    pub(crate) publisher: usize,
    pub(crate) generation: u64,
    pub(crate) listing: Arc<Listing>,
    ring: Ring,
    /// Epoch of the last run, number of the first frame of the run that started it, and number of
    /// the frame after that run. A subscription past the latter is in the epoch; one in between may
    /// be in either.
    epoch: Epoch,
    epoch_begins: u64,
    epoch_from: u64,
    /// End of the ring when it was last marked; sessions with room have been sent everything before
    /// it after a full pass.
    mark: u64,
    /// Session index and subscription index.
    subscriptions: Vec<(u32, u16)>,
    /// Subscriptions that keep frames in the ring.
    holders: usize,
    behind: usize,
}

/// All streams that the shard has subscriptions of, with their rings.
///
/// Invariant: `ring_bytes` is the sum of the bytes in all rings.
#[derive(Default)]
pub(crate) struct SubscribedStreams {
    slab: Slab<SubscribedStream>,
    by_key: HashMap<(StreamKey, Encoding), usize>,
    /// Streams that received a run, or whose last lagging holder caught up, since
    /// [`empty_unneeded`](Self::empty_unneeded).
    touched: Vec<usize>,
    ring_bytes: usize,
    spare: Chunks,
    generations: u64,
}

impl SubscribedStreams {
    pub(crate) fn get(&self, slot: usize) -> Option<&SubscribedStream> {
        self.slab.get(slot)
    }

    /// Returns the stream in a slot if it has this generation.
    pub(crate) fn find(&self, slot: usize, generation: u64) -> Option<&SubscribedStream> {
        let stream = self.slab.get(slot);
        stream.filter(|stream| stream.generation == generation)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &SubscribedStream)> {
        self.slab.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Returns the bytes in all rings.
    pub(crate) const fn ring_bytes(&self) -> usize {
        self.ring_bytes
    }

    /// Returns the slot of a stream.
    pub(crate) fn slot_of(&self, key: StreamKey, encoding: Encoding) -> Option<usize> {
        self.by_key.get(&(key, encoding)).copied()
    }

    /// Returns the slot of a stream, adding the stream if necessary.
    pub(crate) fn slot_for(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        publisher: usize,
        listing: &Arc<Listing>,
    ) -> usize {
        if let Some(slot) = self.by_key.get(&(key, encoding)) {
            return *slot;
        }
        self.generations += 1;
        let slot = self.slab.insert(SubscribedStream {
            key,
            encoding,
            publisher,
            generation: self.generations,
            listing: Arc::clone(listing),
            ring: Ring::new(),
            epoch: Epoch::NONE,
            epoch_begins: 0,
            epoch_from: 0,
            mark: 0,
            subscriptions: Vec::new(),
            holders: 0,
            behind: 0,
        });
        self.by_key.insert((key, encoding), slot);
        slot
    }

    /// Adds a subscription to a stream.
    pub(crate) fn add_subscription(&mut self, slot: usize, subscription: (u32, u16)) {
        if let Some(stream) = self.slab.get_mut(slot) {
            push_closely(&mut stream.subscriptions, subscription);
        }
    }

    /// Removes the subscription at a place; returns the one that moved there.
    pub(crate) fn remove_subscription(&mut self, slot: usize, place: usize) -> Option<(u32, u16)> {
        let stream = self.slab.get_mut(slot)?;
        if place < stream.subscriptions.len() {
            stream.subscriptions.swap_remove(place);
        }
        stream.subscriptions.get(place).copied()
    }

    /// Removes a stream without subscriptions.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<SubscribedStream> {
        let stream = self.slab.try_remove(slot)?;
        self.ring_bytes -= stream.ring.bytes();
        self.by_key.remove(&(stream.key, stream.encoding));
        Some(stream)
    }

    /// Appends a run to a stream's ring, so that every holder lacks at least this run. Returns the
    /// stream, or `None` if nobody holds its ring.
    pub(crate) fn push(
        &mut self,
        (slot, generation): (usize, u64),
        run: &StreamRun<'_>,
        (run_bytes, ring_budget): (usize, usize),
    ) -> Option<&SubscribedStream> {
        let stream = self.slab.get_mut(slot);
        let stream = stream.filter(|it| it.generation == generation && it.holders > 0)?;
        let before = stream.ring.bytes();
        // While the rings together are over budget, each keeps only what a client without lag
        // needs.
        let bound = if self.ring_bytes < ring_budget {
            run_bytes
        } else {
            run_bytes.min(SCARCE_RUN_BYTES)
        };
        let begins = stream.ring.cursor_at_end(Seq::NONE).frame;
        stream.ring.push(&run.frames, bound, &mut self.spare);
        self.ring_bytes = self.ring_bytes + stream.ring.bytes() - before;
        if run.epoch != stream.epoch {
            stream.epoch = run.epoch;
            stream.epoch_begins = begins;
            stream.epoch_from = stream.ring.cursor_at_end(Seq::NONE).frame;
        }
        stream.behind = stream.holders;
        self.touched.push(slot);
        Some(stream)
    }

    /// Adds a holder of the ring. Returns its cursor at the end of the ring, for a client that has
    /// `seq`.
    pub(crate) fn hold(&mut self, slot: usize, seq: Seq) -> Option<Cursor> {
        let stream = self.slab.get_mut(slot)?;
        stream.holders += 1;
        Some(stream.ring.cursor_at_end(seq))
    }

    /// Removes a holder of the ring whose cursor was `cursor`.
    pub(crate) fn release(&mut self, slot: usize, cursor: Cursor) {
        if let Some(stream) = self.slab.get_mut(slot) {
            stream.holders -= 1;
            stream.behind -= usize::from(!stream.ring.is_at_end(cursor));
            self.touched.push(slot);
        }
    }

    /// Notes that a holder that lacked frames has been sent the whole ring.
    pub(crate) fn reached_end(&mut self, slot: usize) {
        if let Some(stream) = self.slab.get_mut(slot) {
            stream.behind -= 1;
            if stream.behind == 0 {
                self.touched.push(slot);
            }
        }
    }

    /// Empties the rings that nobody needs.
    pub(crate) fn empty_unneeded(&mut self) {
        while let Some(slot) = self.touched.pop() {
            if let Some(stream) = self.slab.get_mut(slot)
                && stream.behind == 0
            {
                self.ring_bytes -= stream.ring.bytes();
                stream.ring.clear(&mut self.spare);
            }
        }
    }

    /// Marks the current ends of all rings.
    pub(crate) fn mark_ends(&mut self) {
        for (_, stream) in &mut self.slab {
            stream.mark = stream.ring.seal();
        }
    }

    /// Evicts the frames of a ring before a frame number.
    pub(crate) fn evict_before(&mut self, slot: usize, before: u64) {
        if let Some(stream) = self.slab.get_mut(slot) {
            let held = stream.ring.bytes();
            stream.ring.release(before, &mut self.spare);
            self.ring_bytes -= held - stream.ring.bytes();
        }
    }
}

impl SubscribedStream {
    /// Returns its subscriptions as pairs of session index and subscription index.
    pub(crate) fn subscriptions(&self) -> &[(u32, u16)] {
        &self.subscriptions
    }

    /// Returns the epoch of the last run.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns the end of the ring when it was last marked.
    pub(crate) const fn mark(&self) -> u64 {
        self.mark
    }

    /// Returns whether the ring holds any frame.
    pub(crate) const fn holds_any(&self) -> bool {
        self.ring.bytes() > 0
    }

    /// Returns the frames from a cursor on: up to `most` bytes, but at least one frame.
    pub(crate) fn frames_from(&self, cursor: Cursor, most: usize) -> Option<Frames<'_>> {
        self.ring.frames_from(cursor, most)
    }

    /// Returns whether the next frame of a cursor has been evicted.
    pub(crate) const fn has_evicted(&self, cursor: Cursor) -> bool {
        self.ring.is_lagging(cursor)
    }

    /// Returns whether a cursor is at the end of the ring.
    pub(crate) const fn is_at_end(&self, cursor: Cursor) -> bool {
        self.ring.is_at_end(cursor)
    }

    /// Returns a cursor at the end of the ring, for a client that has `seq`.
    pub(crate) const fn cursor_at_end(&self, seq: Seq) -> Cursor {
        self.ring.cursor_at_end(seq)
    }

    /// Returns the epoch that a cursor enters by moving between two frames, if any. Returns
    /// [`Epoch::NONE`] while that is ambiguous, so that nothing relies on the client's position.
    pub(crate) fn epoch_entered(&self, from: u64, to: u64) -> Option<Epoch> {
        if from >= self.epoch_from || to <= self.epoch_begins {
            return None;
        }
        if to < self.epoch_from {
            return Some(Epoch::NONE);
        }
        Some(self.epoch)
    }
}
