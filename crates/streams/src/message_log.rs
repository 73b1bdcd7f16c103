use std::collections::VecDeque;
use std::ops::ControlFlow;

use market::{Nanos, Seq};

use crate::growth::{give_back, make_room};

/// The latest SBE messages of one stream, as they were published. For channels whose messages do
/// not supersede each other, or are too small for anything cleverer.
#[derive(Debug)]
pub struct MessageLog {
    entries: VecDeque<Entry>,
    bytes: VecDeque<u8>,
    /// Whoever has this sequence number or a later one can be sent everything since.
    floor: Option<Seq>,
    bound: usize,
    /// Whether a message was added since the log was restarted.
    has_messages: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    seq: Seq,
    prev_seq: Seq,
    published: Nanos,
    len: u32,
}

impl MessageLog {
    /// Creates an empty log that may grow to about `bound` bytes.
    #[must_use]
    pub const fn new(bound: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: VecDeque::new(),
            floor: None,
            bound,
            has_messages: false,
        }
    }

    /// Appends a message.
    pub fn push(&mut self, prev_seq: Seq, seq: Seq, published: Nanos, message: &[u8]) {
        if self.floor.is_none() {
            // This publisher never had the messages before.
            self.floor = Some(seq);
        }
        self.has_messages = true;
        let Ok(len) = u32::try_from(message.len()) else {
            self.restart(seq);
            return;
        };
        make_room(&mut self.entries, 1);
        make_room(&mut self.bytes, message.len());
        self.entries.push_back(Entry {
            seq,
            prev_seq,
            published,
            len,
        });
        self.bytes.extend(message);
        self.trim();
    }

    /// Sets the limit in bytes, and applies it immediately.
    pub fn set_bound(&mut self, bound: usize) {
        self.bound = bound;
        self.trim();
        give_back(&mut self.entries);
        give_back(&mut self.bytes);
    }

    /// The allocated memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// Removes all messages; only clients that have `seq` or later can resume.
    pub fn restart(&mut self, seq: Seq) {
        self.entries.clear();
        self.bytes.clear();
        self.has_messages = false;
        self.floor = Some(seq);
    }

    /// Removes all messages; no client can resume until there are new ones.
    pub fn reset(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.has_messages = false;
        self.floor = None;
    }

    /// Returns whether a message was added since the log was restarted.
    pub(crate) const fn has_messages(&self) -> bool {
        self.has_messages
    }

    /// Returns whether everything after `seq` is retained.
    #[must_use]
    pub fn holds_since(&self, seq: Seq) -> bool {
        self.floor.is_some_and(|floor| seq >= floor)
    }

    /// Returns whether `seq` is the sequence number of a retained message or of the last one
    /// removed.
    #[must_use]
    pub fn has(&self, seq: Seq) -> bool {
        let entry = self.entries.binary_search_by_key(&seq, |entry| entry.seq);
        self.floor == Some(seq) || entry.is_ok()
    }

    /// The index of the first message after `seq`.
    #[must_use]
    pub fn index_after(&self, seq: Seq) -> usize {
        self.entries.partition_point(|entry| entry.seq <= seq)
    }

    /// The number of messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no messages.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The publish time of the message at an index.
    #[must_use]
    pub fn published(&self, index: usize) -> Option<Nanos> {
        self.entries.get(index).map(|entry| entry.published)
    }

    /// The sequence number that the message at an index follows on.
    #[must_use]
    pub fn prev_seq(&self, index: usize) -> Option<Seq> {
        self.entries.get(index).map(|entry| entry.prev_seq)
    }

    /// The size of the messages from an index on, in bytes.
    #[must_use]
    pub fn bytes_from(&self, index: usize) -> usize {
        let from = index.min(self.entries.len());
        self.entries
            .range(from..)
            .map(|entry| entry.len as usize)
            .sum()
    }

    /// The end index of as many messages from `index` on as fit `bytes`, but at least of one if
    /// there is one.
    #[must_use]
    pub fn end_within(&self, index: usize, bytes: usize) -> usize {
        let mut end = index.min(self.entries.len());
        let mut sum = 0;
        for entry in self.entries.range(end..) {
            sum += entry.len as usize;
            if sum > bytes && end > index {
                break;
            }
            end += 1;
        }
        end
    }

    /// The start index of the latest messages: at most `count`, and as many as fit `bytes`, but at
    /// least one if there is one.
    #[must_use]
    pub fn latest(&self, count: usize, bytes: usize) -> usize {
        let mut sum = 0;
        let fits = |entry: &&Entry| {
            let is_first = sum == 0;
            sum += entry.len as usize;
            is_first || sum <= bytes
        };
        let taken = self.entries.iter().rev().take(count).take_while(fits);
        self.entries.len() - taken.count()
    }

    /// The sequence number of the message at an index.
    #[must_use]
    pub fn seq(&self, index: usize) -> Option<Seq> {
        self.entries.get(index).map(|entry| entry.seq)
    }

    /// Calls `give` with each message in a range of indices and its sequence number.
    pub fn for_each(&self, range: std::ops::Range<usize>, mut give: impl FnMut(&[u8], Seq)) {
        self.while_each(range, |message, seq| {
            give(message, seq);
            ControlFlow::Continue(())
        });
    }

    /// Like [`MessageLog::for_each`], but stops when `give` breaks.
    pub(crate) fn while_each(
        &self,
        range: std::ops::Range<usize>,
        mut give: impl FnMut(&[u8], Seq) -> ControlFlow<()>,
    ) {
        let to = range.end.min(self.entries.len());
        let from = range.start.min(to);
        let mut begin = self.bytes.len() - self.bytes_from(from);
        let (front, back) = self.bytes.as_slices();
        let mut joined = Vec::new();
        for entry in self.entries.range(from..to) {
            let end = begin + entry.len as usize;
            let given = if end <= front.len() {
                give(&front[begin..end], entry.seq)
            } else if begin >= front.len() {
                give(&back[begin - front.len()..end - front.len()], entry.seq)
            } else {
                // The one message that wraps around the end of the ring buffer.
                joined.extend_from_slice(&front[begin..]);
                joined.extend_from_slice(&back[..end - front.len()]);
                give(&joined, entry.seq)
            };
            if given.is_break() {
                return;
            }
            begin = end;
        }
    }

    /// The size of the messages with their index, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len() + self.entries.len() * size_of::<Entry>()
    }

    fn trim(&mut self) {
        while self.size() > self.bound {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes.drain(..oldest.len as usize);
            self.floor = Some(oldest.seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(log: &MessageLog, seq: i64) -> Vec<i64> {
        let mut all = Vec::new();
        let index = log.index_after(Seq(seq));
        log.for_each(index..log.len(), |bytes, seq| {
            assert_eq!(bytes, seq.0.to_le_bytes());
            all.push(seq.0);
        });
        all
    }

    #[test]
    fn what_follows_a_number_is_given_whole_or_not_at_all() {
        let mut log = MessageLog::new(400);
        assert!(!log.holds_since(Seq(3)));
        log.restart(Seq(-1));
        for seq in 0..100 {
            log.push(
                Seq(seq * 2 - 2),
                Seq(seq * 2),
                Nanos(0),
                &(seq * 2).to_le_bytes(),
            );
            assert!(log.size() <= 400);
        }
        assert_eq!(since(&log, 195), [196, 198]);
        assert_eq!(since(&log, 198), [0i64; 0]);
        let floor = (0..200).find(|seq| log.holds_since(Seq(*seq))).unwrap();
        assert_eq!(since(&log, floor)[0], floor + 2);
        log.restart(Seq(300));
        assert!(log.holds_since(Seq(300)) && !log.holds_since(Seq(299)));
    }
}
