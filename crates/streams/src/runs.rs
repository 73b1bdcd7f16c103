use std::ops::Range;

use market::{Epoch, Monotonic, Seq};

use crate::{FrameMark, Frames, WatchId};

/// What all streams that had something to say said since the last time, as one run each; shared by
/// all who take it.
///
/// All runs lie in the same memory, so that one more stream that speaks costs no allocation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Runs {
    bytes: Vec<u8>,
    marks: Vec<FrameMark>,
    runs: Vec<Part>,
    created: Monotonic,
}

/// Where one run lies; its marks count from its own first byte.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    watch: WatchId,
    epoch: Epoch,
    bytes: Range<usize>,
    marks: Range<usize>,
}

/// The frames of one stream, contiguous in memory.
#[derive(Debug, Clone, Copy)]
pub struct StreamRun<'a> {
    /// The stream, in the encoding that it is watched in.
    pub watch: WatchId,
    /// The epoch that the receiver of the whole run is in.
    pub epoch: Epoch,
    /// All frames of the run.
    pub frames: Frames<'a>,
}

impl Runs {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// One of them, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<StreamRun<'_>> {
        let part = self.runs.get(index)?;
        let bytes = self.bytes.get(part.bytes.clone())?;
        let marks = self.marks.get(part.marks.clone())?;
        Some(StreamRun {
            watch: part.watch,
            epoch: part.epoch,
            frames: Frames::of_run(bytes, marks, self.created),
        })
    }

    /// All of them, in the order in which their streams began to speak.
    pub fn iter(&self) -> impl Iterator<Item = StreamRun<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Begins anew in the same memory, where there is room for so many bytes, frames and runs.
    pub(crate) fn begin(&mut self, created: Monotonic, bytes: usize, frames: usize, runs: usize) {
        self.bytes.clear();
        self.bytes.reserve(bytes);
        self.marks.clear();
        self.marks.reserve(frames);
        self.runs.clear();
        self.runs.reserve(runs);
        self.created = created;
    }

    /// Adds a stream's run: its frames' bytes, each with the sequence number that its receiver
    /// then has.
    pub(crate) fn push<'a>(
        &mut self,
        watch: WatchId,
        epoch: Epoch,
        frames: impl Iterator<Item = (&'a [u8], Seq)>,
    ) {
        let (bytes, marks) = (self.bytes.len(), self.marks.len());
        for (frame, seq) in frames {
            self.bytes.extend_from_slice(frame);
            // A batch is cut long before: see `BATCH_BYTES` of the ingest thread.
            let end = u32::try_from(self.bytes.len() - bytes).unwrap_or(u32::MAX);
            self.marks.push(FrameMark { end, seq });
        }
        self.runs.push(Part {
            watch,
            epoch,
            bytes: bytes..self.bytes.len(),
            marks: marks..self.marks.len(),
        });
    }

    /// Bytes of memory that it has.
    pub(crate) const fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.marks.capacity() * size_of::<FrameMark>()
            + self.runs.capacity() * size_of::<Part>()
    }
}
