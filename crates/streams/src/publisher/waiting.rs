use market::Seq;

use crate::{Opcode, append_frame};

/// The frames of all streams that wait to be handed over, in the order in which they were made.
///
/// Those of one stream are chained, so that a stream has no memory of its own for them.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    /// The byte after it; it begins where the one before ends.
    end: usize,
    /// The sequence number that its receiver then has.
    seq: Seq,
    /// The next one of its stream; none where that is no later one.
    next: u32,
}

/// Which of the frames are one stream's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chain {
    first: u32,
    last: u32,
    bytes: usize,
}

impl Chain {
    /// Bytes that its frames have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Waiting {
    /// Adds a frame behind those of the same stream; returns how many bytes it has.
    pub(super) fn push(
        &mut self,
        chain: &mut Option<Chain>,
        opcode: Opcode,
        payload: &[u8],
        seq: Seq,
    ) -> usize {
        let before = self.bytes.len();
        append_frame(&mut self.bytes, opcode, payload);
        let bytes = self.bytes.len() - before;
        // Four milliards of frames would be far more bytes than a machine has.
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
                *chain = Some(Chain {
                    first: number,
                    last: number,
                    bytes,
                });
            }
        }
        bytes
    }

    /// The frames of one stream, each with the sequence number that its receiver then has.
    pub(super) fn frames(&self, chain: Chain) -> impl Iterator<Item = (&[u8], Seq)> {
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

    /// How many frames there are.
    pub(super) const fn len(&self) -> usize {
        self.frames.len()
    }

    /// Bytes that they have.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All have been handed over, or nobody wants them.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }

    /// Bytes of memory that it has.
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
            let mut waiting = Waiting::default();
            let mut chains = [None; 4];
            let mut expected = vec![Vec::new(); 4];
            for (number, (stream, len)) in frames.into_iter().enumerate() {
                let payload = vec![u8::try_from(number).unwrap(); len];
                let seq = Seq(i64::try_from(number).unwrap());
                let bytes = waiting.push(&mut chains[stream], Opcode::Binary, &payload, seq);
                let mut frame = Vec::new();
                append_frame(&mut frame, Opcode::Binary, &payload);
                prop_assert_eq!(bytes, frame.len());
                expected[stream].push((frame, seq));
            }
            for (chain, expected) in chains.into_iter().zip(&expected) {
                let frames = chain.map_or_else(Vec::new, |chain| waiting.frames(chain).collect());
                let bytes: usize = frames.iter().map(|(frame, _)| frame.len()).sum();
                prop_assert_eq!(chain.map_or(0, |chain| chain.bytes()), bytes);
                let expected = expected.iter().map(|(frame, seq)| (frame.as_slice(), *seq));
                prop_assert_eq!(frames, expected.collect::<Vec<_>>());
            }
        }
    }
}
