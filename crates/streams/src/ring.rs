use std::collections::VecDeque;

use market::{Monotonic, Seq};

use crate::{Cursor, FrameMark, Frames};

/// The size of a chunk in bytes, which is the most that one system call is given. At most a quarter
/// of the ring's limit; a larger run gets a chunk of its own.
const CHUNK: usize = 256 * 1024;
/// The maximum memory that emptied chunks keep for reuse, so that streams that are sent without delay
/// cost no allocation.
const SPARE_BYTES: usize = 256 * 1024;

/// The latest frames of one stream, for subscriptions that have not been sent them yet.
///
/// Runs are copied together once per shard, so what a receiver lacks is contiguous and takes one
/// system call, however many runs it came in. The owner sets the limit in bytes: the oldest frames
/// go first, and subscriptions that still needed them lag and are caught up by the publisher.
#[derive(Debug, Default)]
pub struct Ring {
    chunks: VecDeque<Chunk>,
    /// The number of the oldest retained frame; frames are numbered from 0.
    first: u64,
    /// The number of the next frame.
    end: u64,
    bytes: usize,
    /// The number of a frame that must start a chunk.
    sealed: u64,
}

/// Contiguous frames.
#[derive(Debug, Default)]
struct Chunk {
    bytes: Vec<u8>,
    marks: Vec<FrameMark>,
    /// The number of the first frame.
    first: u64,
    /// The first frame of each run, and when it was published.
    runs: Vec<(u64, Monotonic)>,
}

/// Empty chunks for reuse, shared by all rings of an owner.
#[derive(Debug, Default)]
pub struct Chunks {
    free: Vec<Chunk>,
    bytes: usize,
}

impl Ring {
    /// Creates an empty ring.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            first: 0,
            end: 0,
            bytes: 0,
            sealed: 0,
        }
    }

    /// Appends a run, and drops the oldest chunks while there are more than `bound` bytes.
    pub fn push(&mut self, run: &Frames<'_>, bound: usize, spare: &mut Chunks) {
        let limit = CHUNK.min(bound / 4);
        let sealed = self.sealed == self.end;
        let fits = |chunk: &&mut Chunk| !sealed && chunk.bytes.len() + run.bytes().len() <= limit;
        if let Some(last) = self.chunks.back_mut().filter(fits) {
            last.append(run);
        } else {
            let mut chunk = spare.take(self.end);
            chunk.append(run);
            self.chunks.push_back(chunk);
        }
        self.end += run.len() as u64;
        self.bytes += run.bytes().len();
        while self.bytes > bound && self.chunks.len() > 1 {
            self.drop_oldest(spare);
        }
    }

    /// Creates a cursor at the end, for a receiver that has `seq`.
    #[must_use]
    pub const fn cursor_at_end(&self, seq: Seq) -> Cursor {
        Cursor {
            frame: self.end,
            seq,
        }
    }

    /// The contiguous frames from the cursor onward: as many as fit in `max_bytes`, but at least
    /// one. `None` if the cursor is at the end or its next frame has been dropped.
    #[must_use]
    pub fn frames_from(&self, cursor: Cursor, max_bytes: usize) -> Option<Frames<'_>> {
        if cursor.frame < self.first || cursor.frame >= self.end {
            return None;
        }
        let after = self
            .chunks
            .partition_point(|chunk| chunk.first <= cursor.frame);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        chunk.frames_from(cursor.frame, max_bytes)
    }

    /// Returns whether the next frame of the cursor has been dropped.
    #[must_use]
    pub const fn is_lagging(&self, cursor: Cursor) -> bool {
        cursor.frame < self.first
    }

    /// Returns whether the cursor is at the end.
    #[must_use]
    pub const fn is_at_end(&self, cursor: Cursor) -> bool {
        cursor.frame >= self.end
    }

    /// Returns the number of the next frame, which will start a chunk of its own, so that
    /// [`Ring::release`] can drop everything before it.
    pub const fn seal(&mut self) -> u64 {
        self.sealed = self.end;
        self.end
    }

    /// Drops the frames before one that [`Ring::seal`] returned.
    pub fn release(&mut self, before: u64, spare: &mut Chunks) {
        let is_before = |chunk: &Chunk| chunk.first + chunk.marks.len() as u64 <= before;
        while self.chunks.front().is_some_and(is_before) {
            self.drop_oldest(spare);
        }
        if self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
    }

    /// Drops all frames.
    pub fn clear(&mut self, spare: &mut Chunks) {
        self.first = self.end;
        self.bytes = 0;
        while let Some(chunk) = self.chunks.pop_front() {
            spare.put(chunk);
        }
        self.chunks = VecDeque::new();
    }

    /// The size of the retained frames, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_oldest(&mut self, spare: &mut Chunks) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.bytes.len();
            self.first = chunk.first + chunk.marks.len() as u64;
            spare.put(chunk);
        }
    }
}

impl Chunk {
    fn append(&mut self, run: &Frames<'_>) {
        // A chunk has at most `CHUNK` bytes, or a single run.
        let begin = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.runs
            .push((self.first + self.marks.len() as u64, run.created()));
        self.bytes.extend_from_slice(run.bytes());
        let moved = run.marks().map(|mark| FrameMark {
            end: begin + mark.end,
            seq: mark.seq,
        });
        self.marks.extend(moved);
    }

    fn frames_from(&self, frame: u64, max_bytes: usize) -> Option<Frames<'_>> {
        let index = usize::try_from(frame - self.first).ok()?;
        // Usually the receiver lacks only the last run.
        let run = match self.runs.last() {
            Some((first, created)) if *first <= frame => *created,
            _ => {
                let later = self.runs.partition_point(|(first, _)| *first <= frame);
                self.runs.get(later.checked_sub(1)?)?.1
            }
        };
        Frames::cut(&self.bytes, &self.marks, index, max_bytes, run)
    }
}

impl Chunks {
    fn take(&mut self, first: u64) -> Chunk {
        let mut chunk = self.free.pop().unwrap_or_default();
        self.bytes -= chunk.bytes.capacity();
        chunk.first = first;
        chunk
    }

    fn put(&mut self, mut chunk: Chunk) {
        if self.bytes + chunk.bytes.capacity() > SPARE_BYTES {
            return;
        }
        chunk.bytes.clear();
        chunk.marks.clear();
        chunk.runs.clear();
        self.bytes += chunk.bytes.capacity();
        self.free.push(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Opcode, Run, RunBuilder};
    use proptest::prelude::*;

    fn run(seqs: std::ops::Range<i64>, len: usize) -> Run {
        let mut builder = RunBuilder::default();
        for seq in seqs.clone() {
            builder.push(Opcode::Binary, &vec![0; len], Seq(seq));
        }
        builder.finish(Monotonic(u64::try_from(seqs.start).unwrap()))
    }

    #[test]
    fn a_cursor_whose_frames_were_dropped_has_fallen() {
        let (mut ring, mut spare) = (Ring::new(), Chunks::default());
        let mut cursor = ring.cursor_at_end(Seq(0));
        let bound = 4 * CHUNK;
        ring.push(&run(1..2, CHUNK).frames(), bound, &mut spare);
        ring.push(&run(2..3, CHUNK).frames(), bound, &mut spare);
        assert!(!ring.is_lagging(cursor));
        let first = ring.frames_from(cursor, usize::MAX).unwrap();
        first.pass(&mut cursor, first.bytes().len());
        assert_eq!(cursor.seq, Seq(1));
        for seq in 3..=6 {
            ring.push(&run(seq..seq + 1, CHUNK).frames(), bound, &mut spare);
        }
        assert!(ring.is_lagging(cursor));
        assert!(ring.frames_from(cursor, usize::MAX).is_none());
        assert!(ring.bytes() <= bound);
    }

    #[test]
    fn a_run_larger_than_the_bound_is_held_alone() {
        let (mut ring, mut spare) = (Ring::new(), Chunks::default());
        ring.push(&run(1..2, 5).frames(), 10, &mut spare);
        let cursor = ring.cursor_at_end(Seq(1));
        ring.push(&run(2..3, 2 * CHUNK).frames(), 10, &mut spare);
        assert!(ring.frames_from(cursor, usize::MAX).is_some());
        ring.clear(&mut spare);
        assert!(ring.is_lagging(cursor) && ring.bytes() == 0);
    }

    #[test]
    fn runs_that_came_apart_are_contiguous() {
        let (mut ring, mut spare) = (Ring::new(), Chunks::default());
        let mut cursor = ring.cursor_at_end(Seq(0));
        ring.push(&run(1..3, 10).frames(), 4 * CHUNK, &mut spare);
        ring.push(&run(3..6, 10).frames(), 4 * CHUNK, &mut spare);
        let frames = ring.frames_from(cursor, usize::MAX).unwrap();
        assert_eq!((frames.len(), frames.bytes().len()), (5, 5 * 12));
        assert_eq!(frames.created(), Monotonic(1));
        let cut = ring.frames_from(cursor, 40).unwrap();
        assert_eq!(cut.len(), 3);
        cut.pass(&mut cursor, cut.bytes().len());
        let rest = ring.frames_from(cursor, usize::MAX).unwrap();
        assert_eq!((rest.len(), rest.created()), (2, Monotonic(3)));
    }

    #[test]
    fn a_ring_that_is_emptied_leaves_those_in_step_in_step() {
        let (mut ring, mut spare) = (Ring::new(), Chunks::default());
        ring.push(&run(1..3, 10).frames(), 4 * CHUNK, &mut spare);
        let in_step = ring.cursor_at_end(Seq(2));
        ring.clear(&mut spare);
        assert!(ring.is_at_end(in_step) && !ring.is_lagging(in_step));
        ring.push(&run(3..4, 10).frames(), CHUNK, &mut spare);
        assert_eq!(ring.frames_from(in_step, usize::MAX).unwrap().len(), 1);
    }

    #[test]
    fn what_was_sealed_off_goes_without_what_came_later() {
        let (mut ring, mut spare) = (Ring::new(), Chunks::default());
        let mut slow = ring.cursor_at_end(Seq(0));
        ring.push(&run(1..3, 10).frames(), 4 * CHUNK, &mut spare);
        let sealed = ring.seal();
        let in_step = ring.cursor_at_end(Seq(2));
        ring.push(&run(3..4, 10).frames(), 4 * CHUNK, &mut spare);
        let frames = ring.frames_from(slow, usize::MAX).unwrap();
        assert_eq!(frames.len(), 2, "the third is in another chunk");
        frames.pass(&mut slow, frames.bytes().len());
        assert_eq!(slow, in_step);
        ring.release(sealed, &mut spare);
        assert_eq!(ring.bytes(), 12);
        assert_eq!(ring.frames_from(in_step, usize::MAX).unwrap().len(), 1);
    }

    proptest! {
        /// Whatever a socket takes at a time, its receiver gets every frame once, in order.
        #[test]
        fn any_way_of_cutting_sends_every_byte_once(
            lens in prop::collection::vec(0_usize..300, 1..40),
            takes in prop::collection::vec(1_usize..700, 1..200),
        ) {
            let (mut ring, mut spare) = (Ring::new(), Chunks::default());
            let mut cursor = ring.cursor_at_end(Seq(-1));
            let mut all = Vec::new();
            for (seq, len) in lens.iter().enumerate() {
                let mut builder = RunBuilder::default();
                let seq = i64::try_from(seq).unwrap();
                let fill = u8::try_from(seq % 251).unwrap();
                builder.push(Opcode::Binary, &vec![fill; *len], Seq(seq));
                let run = builder.finish(Monotonic(0));
                all.extend_from_slice(run.bytes());
                ring.push(&run.frames(), CHUNK, &mut spare);
            }
            let mut sent = Vec::new();
            let mut frames_passed = 0;
            for take in takes.iter().cycle() {
                let Some(frames) = ring.frames_from(cursor, 1000) else { break };
                let n = (*take).min(frames.bytes().len());
                sent.extend_from_slice(&frames.bytes()[..n]);
                let passed = frames.pass(&mut cursor, n);
                sent.extend_from_slice(passed.rest);
                frames_passed += passed.frames;
            }
            prop_assert_eq!(sent, all);
            prop_assert_eq!(frames_passed, lens.len());
            prop_assert_eq!(cursor.seq, Seq(i64::try_from(lens.len()).unwrap() - 1));
        }
    }
}
