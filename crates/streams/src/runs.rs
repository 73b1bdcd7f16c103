use std::ops::Range;

use market::{Epoch, Monotonic, Seq};

use crate::{FrameMark, Frames, StreamId};

/// The frames of one batch: one run for each stream that published something, shared by all shards.
///
/// All runs are in the same memory, so that one more stream costs no allocation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Runs {
    bytes: Vec<u8>,
    marks: Vec<FrameMark>,
    runs: Vec<Part>,
    created: Monotonic,
}

/// The location of one run; its marks are relative to its own first byte.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    stream: StreamId,
    epoch: Epoch,
    bytes: Range<usize>,
    marks: Range<usize>,
}

/// One stream's run of a batch.
#[derive(Debug, Clone, Copy)]
pub struct StreamRun<'a> {
    /// The stream.
    pub stream: StreamId,
    /// The epoch that a receiver of the whole run is in.
    pub epoch: Epoch,
    /// The frames of the run.
    pub frames: Frames<'a>,
}

impl Runs {
    /// The number of runs.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.runs.len()
    }

    /// Returns whether there are no runs.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The run at an index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<StreamRun<'_>> {
        let part = self.runs.get(index)?;
        let bytes = self.bytes.get(part.bytes.clone())?;
        let marks = self.marks.get(part.marks.clone())?;
        Some(StreamRun {
            stream: part.stream,
            epoch: part.epoch,
            frames: Frames::of_run(bytes, marks, self.created),
        })
    }

    /// Iterates over the runs, in the order in which their streams first published.
    pub fn iter(&self) -> impl Iterator<Item = StreamRun<'_>> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Clears everything and makes room for as many bytes, frames and runs.
    pub(crate) fn begin(&mut self, created: Monotonic, bytes: usize, frames: usize, runs: usize) {
        self.bytes.clear();
        self.bytes.reserve(bytes);
        self.marks.clear();
        self.marks.reserve(frames);
        self.runs.clear();
        self.runs.reserve(runs);
        self.created = created;
    }

    /// Appends a stream's run: the bytes of each frame with the sequence number that its receiver
    /// has afterwards.
    pub(crate) fn push<'a>(
        &mut self,
        stream: StreamId,
        epoch: Epoch,
        frames: impl Iterator<Item = (&'a [u8], Seq)>,
    ) {
        let (bytes, marks) = (self.bytes.len(), self.marks.len());
        for (frame, seq) in frames {
            self.bytes.extend_from_slice(frame);
            // The limit of a batch is far below 4 GiB: see `BatchLimits` of ingest.
            let end = u32::try_from(self.bytes.len() - bytes).unwrap_or(u32::MAX);
            self.marks.push(FrameMark { end, seq });
        }
        self.runs.push(Part {
            stream,
            epoch,
            bytes: bytes..self.bytes.len(),
            marks: marks..self.marks.len(),
        });
    }

    /// The allocated memory, in bytes.
    pub(crate) const fn memory(&self) -> usize {
        self.bytes.capacity()
            + self.marks.capacity() * size_of::<FrameMark>()
            + self.runs.capacity() * size_of::<Part>()
    }
}
