use market::{Monotonic, Seq};

use crate::{Cursor, Frames};

/// The opcode of a WebSocket frame (RFC 6455, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A text message: JSON.
    Text = 0x1,
    /// A binary message: SBE or the packed encoding.
    Binary = 0x2,
    /// Closes the connection; its last frame.
    Close = 0x8,
    /// Requests a pong.
    Ping = 0x9,
    /// Answers a ping.
    Pong = 0xA,
}

/// Appends one unfragmented, unmasked server frame (RFC 6455, section 5.2).
pub fn append_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    /// The frame contains the whole message.
    const FIN: u8 = 0x80;
    out.push(FIN | opcode as u8);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len @ ..126), _) => out.push(len),
        (_, Ok(len)) => {
            out.push(126);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

/// The payload of a frame made by [`append_frame`]; unspecified for other bytes.
#[must_use]
pub fn payload(frame: &[u8]) -> &[u8] {
    let head = match frame.get(1) {
        Some(126) => 4,
        Some(127) => 10,
        _ => 2,
    };
    frame.get(head..).unwrap_or_default()
}

/// The end of a frame in its run, and the position of its receiver afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameMark {
    /// The offset after the frame's last byte.
    pub end: u32,
    /// The sequence number that a receiver of all frames up to here has. A chunk of a snapshot does
    /// not advance it unless it is the last one.
    pub seq: Seq,
}

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
