use market::{Monotonic, Seq};

use crate::frame::payload;

/// The end of a frame in its run, and the position of its receiver afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMark {
    /// The offset after the frame's last byte.
    pub end: u32,
    /// The sequence number that a receiver of all frames up to here has. A chunk of a snapshot does
    /// not advance it unless it is the last one.
    pub seq: Seq,
}

/// A subscription's position in a stream, always between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the next frame to send.
    pub frame: u64,
    /// The last sequence number that was sent.
    pub seq: Seq,
}

/// Contiguous frames of one stream.
#[derive(Debug, Clone, Copy)]
pub struct Frames<'a> {
    bytes: &'a [u8],
    marks: &'a [FrameMark],
    /// The offset of `bytes` in the chunk that the marks refer to.
    offset: u32,
    created: Monotonic,
}

impl<'a> Frames<'a> {
    /// All frames of a run.
    pub(crate) const fn of_run(
        bytes: &'a [u8],
        marks: &'a [FrameMark],
        created: Monotonic,
    ) -> Self {
        Self {
            bytes,
            marks,
            offset: 0,
            created,
        }
    }

    /// The frames from `index` on, as many as fit `max_bytes`, but at least one.
    pub(crate) fn cut(
        bytes: &'a [u8],
        marks: &'a [FrameMark],
        index: usize,
        max_bytes: usize,
        created: Monotonic,
    ) -> Option<Self> {
        let begin = match index.checked_sub(1) {
            Some(before) => marks.get(before)?.end,
            None => 0,
        };
        let mut stop = marks.len();
        if bytes.len() - begin as usize > max_bytes {
            let limit = begin as usize + max_bytes;
            let whole = marks.partition_point(|mark| mark.end as usize <= limit);
            stop = whole.max(index + 1);
        }
        let marks = marks.get(index..stop)?;
        let end = marks.last()?.end;
        Some(Frames {
            bytes: &bytes[begin as usize..end as usize],
            marks,
            offset: begin,
            created,
        })
    }

    /// The bytes of all frames.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of frames.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.marks.len()
    }

    /// Returns whether there are no frames.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// When the first frame was handed over, for measuring how long frames wait.
    #[must_use]
    pub const fn created(&self) -> Monotonic {
        self.created
    }

    /// Iterates over the messages, each with the sequence number that its receiver has afterwards.
    pub fn messages(&self) -> impl Iterator<Item = (&'a [u8], Seq)> + use<'a> {
        let bytes = self.bytes;
        let mut begin = 0;
        self.marks().map(move |mark| {
            let frame = &bytes[begin..mark.end as usize];
            begin = mark.end as usize;
            (payload(frame), mark.seq)
        })
    }

    /// The end of each frame, relative to the start of the first one.
    pub(crate) fn marks(&self) -> impl Iterator<Item = FrameMark> + use<'a> {
        let offset = self.offset;
        self.marks.iter().map(move |mark| FrameMark {
            end: mark.end - offset,
            seq: mark.seq,
        })
    }

    /// Advances the cursor past the first `sent` bytes. If they end within a frame, the cursor
    /// moves past that frame too, and the receiver must be sent the returned rest of it before
    /// anything else.
    pub fn pass(&self, cursor: &mut Cursor, sent: usize) -> Passed<'a> {
        if sent >= self.bytes.len() {
            return self.pass_frames(cursor, self.marks.len(), &[]);
        }
        let stop = self.offset as usize + sent;
        let whole = self.marks.partition_point(|mark| mark.end as usize <= stop);
        let begin = match whole.checked_sub(1) {
            Some(before) => self.marks[before].end as usize,
            None => self.offset as usize,
        };
        match self.marks.get(whole) {
            Some(mark) if stop > begin => {
                let end = mark.end as usize - self.offset as usize;
                self.pass_frames(cursor, whole + 1, &self.bytes[sent..end])
            }
            _ => self.pass_frames(cursor, whole, &[]),
        }
    }

    fn pass_frames(&self, cursor: &mut Cursor, frames: usize, rest: &'a [u8]) -> Passed<'a> {
        cursor.frame += frames as u64;
        if let Some(mark) = frames.checked_sub(1).and_then(|last| self.marks.get(last)) {
            cursor.seq = mark.seq;
        }
        Passed { frames, rest }
    }
}

/// What a cursor has moved past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed<'a> {
    /// The number of frames.
    pub frames: usize,
    /// The bytes of the last frame that were not sent.
    pub rest: &'a [u8],
}
