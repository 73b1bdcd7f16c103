use market::{Monotonic, Seq};

use crate::Cursor;
use crate::frame::{Opcode, append_frame};
use crate::frames::{FrameMark, Frames};

/// Several frames of one stream, contiguous in memory, for one subscription or for several that
/// start at the same position.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    bytes: Box<[u8]>,
    marks: Box<[FrameMark]>,
    created: Monotonic,
}

impl Run {
    /// Copies frames.
    #[must_use]
    pub fn of(frames: &Frames<'_>) -> Self {
        Self {
            bytes: frames.bytes().into(),
            marks: frames.marks().collect(),
            created: frames.created(),
        }
    }

    /// The bytes of all frames.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The end of each frame.
    #[must_use]
    pub fn marks(&self) -> &[FrameMark] {
        &self.marks
    }

    /// The size in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether there are no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Iterates over the messages, each with the sequence number that its receiver has afterwards.
    pub fn messages(&self) -> impl Iterator<Item = (&[u8], Seq)> {
        self.frames().messages()
    }

    /// All frames of the run.
    #[must_use]
    pub const fn frames(&self) -> Frames<'_> {
        Frames::of_run(&self.bytes, &self.marks, self.created)
    }

    /// The frames from the cursor on, which counts this run's frames from 0: as many as fit
    /// `max_bytes`, but at least one. `None` after the last one.
    #[must_use]
    pub fn frames_from(&self, cursor: Cursor, max_bytes: usize) -> Option<Frames<'_>> {
        let index = usize::try_from(cursor.frame).ok()?;
        Frames::cut(&self.bytes, &self.marks, index, max_bytes, self.created)
    }
}

/// Collects the frames of a [`Run`].
#[derive(Debug, Default)]
pub struct RunBuilder {
    bytes: Vec<u8>,
    marks: Vec<FrameMark>,
}

impl RunBuilder {
    /// Appends a frame, after which its receiver has `seq`.
    pub fn push(&mut self, opcode: Opcode, payload: &[u8], seq: Seq) {
        append_frame(&mut self.bytes, opcode, payload);
        // The limit of a batch is far below 4 GiB: see `BatchLimits` of ingest.
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.marks.push(FrameMark { end, seq });
    }

    /// Returns whether there are no frames.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The size of the frames, in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Finishes the run.
    #[must_use]
    pub fn finish(self, created: Monotonic) -> Run {
        Run {
            bytes: self.bytes.into_boxed_slice(),
            marks: self.marks.into_boxed_slice(),
            created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::payload;

    #[test]
    fn a_frame_has_the_shortest_head_that_tells_its_length() {
        for (len, head) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 0xff, 0xff]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let mut out = Vec::new();
            append_frame(&mut out, Opcode::Binary, &vec![7; len]);
            assert_eq!(out[..head.len()], head);
            assert_eq!(out.len(), head.len() + len);
            assert_eq!(payload(&out), vec![7; len]);
        }
    }

    #[test]
    fn a_run_is_sent_frame_by_frame() {
        let mut builder = RunBuilder::default();
        builder.push(Opcode::Binary, b"abc", Seq(5));
        builder.push(Opcode::Binary, b"defg", Seq(6));
        let run = builder.finish(Monotonic(1));
        let mut cursor = Cursor {
            frame: 0,
            seq: Seq(4),
        };
        let frames = run.frames_from(cursor, 0).unwrap();
        assert_eq!((frames.len(), frames.bytes().len()), (1, 5));
        // Three of the first frame's five bytes go: the other two are the receiver's own.
        assert_eq!(frames.pass(&mut cursor, 3).rest, b"bc");
        assert_eq!((cursor.frame, cursor.seq), (1, Seq(5)));
        let frames = run.frames_from(cursor, usize::MAX).unwrap();
        assert_eq!(frames.pass(&mut cursor, 6).frames, 1);
        assert!(run.frames_from(cursor, usize::MAX).is_none());
    }
}
