use std::collections::HashMap;
use std::sync::Arc;

use market::{Epoch, Seq};
use slab::Slab;
use streams::{Chunks, Cursor, Frames, Ring, StreamKey, StreamRun};
use wire::Encoding;

use crate::Listing;
use crate::growth::push_closely;

/// Bytes that a stream's ring keeps while the shard's rings together are over their budget.
const SCARCE_RUN_BYTES: usize = 64 * 1024;

/// A stream that a shard has subscriptions of, in one encoding.
///
/// Invariants:
/// - `behind` of the `holders` have not been sent all of the ring; when none is left, it is emptied.
/// - `subscriptions` has each subscription once, at the place that its [`Subscription`](crate::session::Sub) knows.
pub(crate) struct SubscribedStream {
    pub(crate) key: StreamKey,
    pub(crate) encoding: Encoding,
    pub(crate) publisher: usize,
    pub(crate) generation: u64,
    pub(crate) listing: Arc<Listing>,
    ring: Ring,
    /// The epoch of the last run, and the numbers of the first frame of the run that began it and of
    /// the frame after that run: a subscription that has come there is in the epoch, and one that has
    /// been sent a part of the run may be in either.
    epoch: Epoch,
    epoch_begins: u64,
    epoch_from: u64,
    /// What sessions with room have been sent once all have been visited.
    mark: u64,
    /// Sessions and their subscriptions.
    subscriptions: Vec<(u32, u16)>,
    /// Subscriptions that the ring is of use to.
    holders: usize,
    behind: usize,
}

/// All streams that a shard has subscriptions of, with their rings.
///
/// Invariant: `ring_bytes` is the sum of what all rings hold.
#[derive(Default)]
pub(crate) struct SubscribedStreams {
    slab: Slab<SubscribedStream>,
    by_key: HashMap<(StreamKey, Encoding), usize>,
    /// Streams that were given a run, or whose last holder that was behind caught up, since their
    /// rings were last looked at.
    touched: Vec<usize>,
    ring_bytes: usize,
    spare: Chunks,
    generations: u64,
}

impl SubscribedStreams {
    pub(crate) fn get(&self, slot: usize) -> Option<&SubscribedStream> {
        self.slab.get(slot)
    }

    /// The stream in a slot, if it is the one of that generation.
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

    /// Bytes that all rings hold.
    pub(crate) const fn ring_bytes(&self) -> usize {
        self.ring_bytes
    }

    /// The slot of a stream, if there is one.
    pub(crate) fn slot_of(&self, key: StreamKey, encoding: Encoding) -> Option<usize> {
        self.by_key.get(&(key, encoding)).copied()
    }

    /// The slot of a stream, which is made if there is none.
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

    /// Adds a subscription to a stream; returns its place there.
    pub(crate) fn add_subscription(&mut self, slot: usize, subscription: (u32, u16)) {
        if let Some(stream) = self.slab.get_mut(slot) {
            push_closely(&mut stream.subscriptions, subscription);
        }
    }

    /// Takes a subscription out of its place; returns the one that has the place now.
    pub(crate) fn remove_subscription(&mut self, slot: usize, place: usize) -> Option<(u32, u16)> {
        let stream = self.slab.get_mut(slot)?;
        if place < stream.subscriptions.len() {
            stream.subscriptions.swap_remove(place);
        }
        stream.subscriptions.get(place).copied()
    }

    /// Removes a stream that has no subscription.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<SubscribedStream> {
        let stream = self.slab.try_remove(slot)?;
        self.ring_bytes -= stream.ring.bytes();
        self.by_key.remove(&(stream.key, stream.encoding));
        Some(stream)
    }

    /// Takes a stream's next run into its ring, of which all holders now lack at least this run.
    /// Returns the stream, unless nobody holds its ring.
    pub(crate) fn push(
        &mut self,
        (slot, generation): (usize, u64),
        run: &StreamRun<'_>,
        (run_bytes, ring_budget): (usize, usize),
    ) -> Option<&SubscribedStream> {
        let stream = self.slab.get_mut(slot);
        let stream = stream.filter(|it| it.generation == generation && it.holders > 0)?;
        let before = stream.ring.bytes();
        // While all rings together are large, each keeps only what a client in step needs.
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

    /// A subscription holds the ring from now on. Returns its cursor, after everything so far, where
    /// its receiver has `seq`.
    pub(crate) fn hold(&mut self, slot: usize, seq: Seq) -> Option<Cursor> {
        let stream = self.slab.get_mut(slot)?;
        stream.holders += 1;
        Some(stream.ring.cursor_at_end(seq))
    }

    /// A subscription that held the ring at `cursor` no longer does.
    pub(crate) fn release(&mut self, slot: usize, cursor: Cursor) {
        if let Some(stream) = self.slab.get_mut(slot) {
            stream.holders -= 1;
            stream.behind -= usize::from(!stream.ring.is_at_end(cursor));
            self.touched.push(slot);
        }
    }

    /// A subscription that lacked some of the ring has been sent all of it.
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

    /// Marks where all rings end now.
    pub(crate) fn mark_ends(&mut self) {
        for (_, stream) in &mut self.slab {
            stream.mark = stream.ring.seal();
        }
    }

    /// Forgets what a stream's ring has before a frame.
    pub(crate) fn evict_before(&mut self, slot: usize, before: u64) {
        if let Some(stream) = self.slab.get_mut(slot) {
            let held = stream.ring.bytes();
            stream.ring.release(before, &mut self.spare);
            self.ring_bytes -= held - stream.ring.bytes();
        }
    }
}

impl SubscribedStream {
    /// All of its subscriptions, as sessions and their subscriptions.
    pub(crate) fn subscriptions(&self) -> &[(u32, u16)] {
        &self.subscriptions
    }

    /// The epoch of its last run.
    pub(crate) const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Where its ring was marked last.
    pub(crate) const fn mark(&self) -> u64 {
        self.mark
    }

    /// Returns whether its ring holds anything.
    pub(crate) const fn holds_any(&self) -> bool {
        self.ring.bytes() > 0
    }

    /// The frames from a cursor on, at most so many bytes but at least one frame.
    pub(crate) fn frames_from(&self, cursor: Cursor, most: usize) -> Option<Frames<'_>> {
        self.ring.frames_from(cursor, most)
    }

    /// Returns whether what a cursor needs next is no longer held.
    pub(crate) const fn has_evicted(&self, cursor: Cursor) -> bool {
        self.ring.has_fallen(cursor)
    }

    /// Returns whether there is nothing to send at a cursor.
    pub(crate) const fn is_at_end(&self, cursor: Cursor) -> bool {
        self.ring.is_at_end(cursor)
    }

    /// A cursor after everything so far, for a receiver that has `seq`.
    pub(crate) const fn cursor_at_end(&self, seq: Seq) -> Cursor {
        self.ring.cursor_at_end(seq)
    }

    /// The epoch that a cursor enters by moving from one frame to another, if it is a new one;
    /// [`Epoch::NONE`] while that is unknown, so that nothing relies on the receiver's position.
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
