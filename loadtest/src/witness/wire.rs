use std::hash::{DefaultHasher, Hasher as _};

use wire::sbe::PUBLISH_TIME_OFFSET;

/// The template ids of what stands in a stream's sequence, message by message: BookDelta, Trades.
const ONE_BY_ONE: [u8; 2] = [3, 5];
/// Where the template and the number stand in every SBE message.
const TEMPLATE: usize = 2;
const SEQ: usize = 24;

/// What any client heard of each stream: the first one says, the others are compared.
#[derive(Debug)]
pub(super) struct Wire {
    /// By stream, in the order of their numbers: each message's number, and a hash of its bytes.
    streams: Vec<Vec<(i64, u64)>>,
}

/// A message of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) seq: i64,
    /// Whether it is what others were sent, or the first that was sent to anybody.
    pub(super) is_same: bool,
}

impl Wire {
    pub(super) fn new(streams: usize) -> Self {
        Self {
            streams: vec![Vec::new(); streams],
        }
    }

    /// A message came to some client; `None` where it does not stand in a sequence.
    pub(super) fn hear(&mut self, stream: usize, message: &[u8]) -> Option<Heard> {
        let (seq, hash) = told(message)?;
        let heard = self.streams.get_mut(stream)?;
        let place = heard.partition_point(|(heard, _)| *heard < seq);
        let is_same = match heard.get(place) {
            Some((same, other)) if *same == seq => *other == hash,
            _ => {
                heard.insert(place, (seq, hash));
                true
            }
        };
        Some(Heard { seq, is_same })
    }

    /// The numbers that a stream's messages had.
    pub(super) fn seqs(&self, stream: usize) -> impl Iterator<Item = i64> {
        self.streams[stream].iter().map(|(seq, _)| *seq)
    }
}

/// The number of a message that stands in a sequence, and a hash of all that is not the node's own.
fn told(message: &[u8]) -> Option<(i64, u64)> {
    if !ONE_BY_ONE.contains(message.get(TEMPLATE)?) {
        return None;
    }
    let seq = i64::from_le_bytes(*message.get(SEQ..)?.first_chunk()?);
    let (before, rest) = message.split_at_checked(PUBLISH_TIME_OFFSET)?;
    let mut hasher = DefaultHasher::new();
    hasher.write(before);
    hasher.write(rest.get(size_of::<u64>()..)?);
    Some((seq, hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: i64, published: u8, size: u8) -> Vec<u8> {
        let mut bytes = vec![0; 80];
        bytes[TEMPLATE] = ONE_BY_ONE[0];
        bytes[SEQ..SEQ + 8].copy_from_slice(&seq.to_le_bytes());
        bytes[PUBLISH_TIME_OFFSET] = published;
        bytes[70] = size;
        bytes
    }

    #[test]
    fn two_nodes_may_differ_in_when_they_published_and_in_nothing_else() {
        let mut wire = Wire::new(1);
        let mut is_same = |message: Vec<u8>| wire.hear(0, &message).unwrap().is_same;
        assert!(is_same(message(7, 1, 1)));
        assert!(is_same(message(7, 2, 1)));
        assert!(!is_same(message(7, 1, 2)));
        assert!(is_same(message(5, 1, 2)));
        assert_eq!(wire.seqs(0).collect::<Vec<_>>(), [5, 7]);
    }
}
