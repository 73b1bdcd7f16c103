//! Whether all clients are sent the same bytes.

use std::hash::{DefaultHasher, Hasher as _};

use wire::sbe::PUBLISH_TIME_OFFSET;

/// Template ids of the messages that every client of a stream is sent: BookDelta, Trades.
const SHARED: [u8; 2] = [3, 5];
/// Offsets of the template id and of `seq` in every SBE message.
const TEMPLATE: usize = 2;
const SEQ: usize = 24;

/// What the first client to receive each message received; the others are compared with it.
#[derive(Debug)]
pub(super) struct Payloads {
    /// By stream, in the order of `seq`: each message's `seq` and a hash of its bytes.
    streams: Vec<Vec<(i64, u64)>>,
}

/// A shared message that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) seq: i64,
    /// Whether it is what others were sent, or the first with this `seq`.
    pub(super) is_same: bool,
}

impl Payloads {
    pub(super) fn new(streams: usize) -> Self {
        Self {
            streams: vec![Vec::new(); streams],
        }
    }

    /// Records a message that some client received. Returns `None` if it is not a shared one.
    pub(super) fn record(&mut self, stream: usize, message: &[u8]) -> Option<Recorded> {
        let (seq, hash) = digest(message)?;
        let known = self.streams.get_mut(stream)?;
        let place = known.partition_point(|(known, _)| *known < seq);
        let is_same = match known.get(place) {
            Some((same, other)) if *same == seq => *other == hash,
            _ => {
                known.insert(place, (seq, hash));
                true
            }
        };
        Some(Recorded { seq, is_same })
    }

    /// Every `seq` that clients received on a stream.
    pub(super) fn seqs(&self, stream: usize) -> impl Iterator<Item = i64> {
        self.streams[stream].iter().map(|(seq, _)| *seq)
    }
}

/// The `seq` of a shared message, and a hash of its bytes except for `publishTime`.
fn digest(message: &[u8]) -> Option<(i64, u64)> {
    if !SHARED.contains(message.get(TEMPLATE)?) {
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
        bytes[TEMPLATE] = SHARED[0];
        bytes[SEQ..SEQ + 8].copy_from_slice(&seq.to_le_bytes());
        bytes[PUBLISH_TIME_OFFSET] = published;
        bytes[70] = size;
        bytes
    }

    #[test]
    fn two_nodes_may_differ_in_publish_time_only() {
        let mut payloads = Payloads::new(1);
        let mut is_same = |message: Vec<u8>| payloads.record(0, &message).unwrap().is_same;
        assert!(is_same(message(7, 1, 1)));
        assert!(is_same(message(7, 2, 1)));
        assert!(!is_same(message(7, 1, 2)));
        assert!(is_same(message(5, 1, 2)));
        assert_eq!(payloads.seqs(0).collect::<Vec<_>>(), [5, 7]);
    }
}
