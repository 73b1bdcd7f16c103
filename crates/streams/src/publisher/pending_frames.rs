use market::Seq;

use crate::{Opcode, append_frame};

/// The frames of all streams that wait to be handed over, in the order in which they were made.
///
/// Those of one stream are chained, so that streams need no memory of their own for them.
#[derive(Debug, Default)]
pub(super) struct PendingFrames {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    /// The offset after the last byte; the frame starts where the previous one ends.
    end: usize,
    /// The sequence number that the receiver has afterwards.
    seq: Seq,
    /// The number of the stream's next frame; 0 if this is the last one.
    next: u32,
}

/// The frames of one stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameChain {
    first: u32,
    last: u32,
    bytes: usize,
}

impl FrameChain {
    /// The size of the frames, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl PendingFrames {
    /// Appends a frame to the chain of its stream. Returns the frame's size in bytes.
    pub(super) fn push(
        &mut self,
        chain: &mut Option<FrameChain>,
        opcode: Opcode,
        payload: &[u8],
        seq: Seq,
    ) -> usize {
        let before = self.bytes.len();
        append_frame(&mut self.bytes, opcode, payload);
        let bytes = self.bytes.len() - before;
        // Four billion frames would take more memory than any machine has.
        let number = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        self.frames.push(Frame {
            end: self.bytes.len(),
            seq,
            next: 0,
        });
        match chain {
            Some(chain) => {
                self.frames[chain.last as usize].next = number;
                chain.last = number;
                chain.bytes += bytes;
            }
            None => {
                *chain = Some(FrameChain {
                    first: number,
                    last: number,
                    bytes,
                });
            }
        }
        bytes
    }

    /// Iterates over the frames of one stream, each with the sequence number that its receiver has
    /// afterwards.
    pub(super) fn frames(&self, chain: FrameChain) -> impl Iterator<Item = (&[u8], Seq)> {
        let mut next = Some(chain.first);
        std::iter::from_fn(move || {
            let number = next? as usize;
            let frame = self.frames.get(number)?;
            next = (frame.next > 0).then_some(frame.next);
            let begin = match number.checked_sub(1) {
                Some(before) => self.frames[before].end,
                None => 0,
            };
            Some((&self.bytes[begin..frame.end], frame.seq))
        })
    }

    /// The number of frames.
    pub(super) const fn len(&self) -> usize {
        self.frames.len()
    }

    /// The size of all frames, in bytes.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Removes all frames but keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// The allocated memory, in bytes.
    pub(super) const fn memory(&self) -> usize {
        self.bytes.capacity() + self.frames.capacity() * size_of::<Frame>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_stream_gets_its_own_frames_in_order(
            frames in prop::collection::vec((0_usize..4, 0_usize..200), 0..60),
        ) {
            let mut pending = PendingFrames::default();
            let mut chains = [None; 4];
            let mut expected = vec![Vec::new(); 4];
            for (number, (stream, len)) in frames.into_iter().enumerate() {
                let payload = vec![u8::try_from(number).unwrap(); len];
                let seq = Seq(i64::try_from(number).unwrap());
                let bytes = pending.push(&mut chains[stream], Opcode::Binary, &payload, seq);
                let mut frame = Vec::new();
                append_frame(&mut frame, Opcode::Binary, &payload);
                prop_assert_eq!(bytes, frame.len());
                expected[stream].push((frame, seq));
            }
            for (chain, expected) in chains.into_iter().zip(&expected) {
                let frames = chain.map_or_else(Vec::new, |chain| pending.frames(chain).collect());
                let bytes: usize = frames.iter().map(|(frame, _)| frame.len()).sum();
                prop_assert_eq!(chain.map_or(0, |chain| chain.bytes()), bytes);
                let expected = expected.iter().map(|(frame, seq)| (frame.as_slice(), *seq));
                prop_assert_eq!(frames, expected.collect::<Vec<_>>());
            }
        }
    }
}
