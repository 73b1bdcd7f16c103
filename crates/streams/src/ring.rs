use std::collections::VecDeque;
use std::sync::Arc;

use market::Seq;

use crate::Run;

/// The latest runs of one stream, for those who have not been sent them yet.
///
/// Bounded by bytes, which its owner sets at every push: the oldest runs go first, and whoever still needed them has fallen off and
/// is caught up by the publisher. One run may be larger than the bound; then it is held alone.
#[derive(Debug, Default)]
pub struct Ring {
    runs: VecDeque<Arc<Run>>,
    /// The number of the oldest run held; runs are numbered from 0 as they come.
    first: u64,
    bytes: usize,
}

/// How far one subscriber has been sent a stream: always between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the run that it is sent next.
    pub run: u64,
    /// The byte of that run that it is sent next.
    pub at: u32,
    /// The sequence number that it has.
    pub seq: Seq,
}

impl Ring {
    /// An empty ring.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            runs: VecDeque::new(),
            first: 0,
            bytes: 0,
        }
    }

    /// Takes the next run; drops the oldest ones while there are more bytes than `bound`.
    pub fn push(&mut self, run: Arc<Run>, bound: usize) {
        self.bytes += run.len();
        self.runs.push_back(run);
        while self.bytes > bound && self.runs.len() > 1 {
            self.drop_oldest();
        }
    }

    /// The number that the next run will have.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.first + self.runs.len() as u64
    }

    /// A cursor behind everything so far, for a receiver that has `seq`.
    #[must_use]
    pub fn cursor_at_end(&self, seq: Seq) -> Cursor {
        Cursor {
            run: self.end(),
            at: 0,
            seq,
        }
    }

    /// The run of that number, while it is held.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&Arc<Run>> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.runs.get(index)
    }

    /// Whether what the cursor needs next has been dropped.
    #[must_use]
    pub const fn has_fallen(&self, cursor: Cursor) -> bool {
        cursor.run < self.first
    }

    /// Whether there is nothing to send to the cursor's receiver.
    #[must_use]
    pub fn is_at_end(&self, cursor: Cursor) -> bool {
        cursor.run >= self.end()
    }

    /// Drops all runs; nobody needs them any more.
    pub fn clear(&mut self) {
        self.first = self.end();
        self.runs.clear();
        self.bytes = 0;
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    fn drop_oldest(&mut self) {
        if let Some(run) = self.runs.pop_front() {
            self.bytes -= run.len();
            self.first += 1;
        }
    }
}

impl Cursor {
    /// Moves to the frame that ends at `end` in `run`, whose receiver then has `seq`.
    pub fn pass(&mut self, run: &Run, frame: usize) {
        if let Some(mark) = run.marks().get(frame) {
            self.at = mark.end;
            self.seq = mark.seq;
        }
        if self.at as usize >= run.len() {
            self.run += 1;
            self.at = 0;
        }
    }

    /// Moves behind the whole run.
    pub fn pass_all(&mut self, run: &Run) {
        self.run += 1;
        self.at = 0;
        self.seq = run.last_seq().unwrap_or(self.seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Opcode, RunBuilder};
    use market::Nanos;

    fn run(seq: i64, len: usize) -> Arc<Run> {
        let mut builder = RunBuilder::default();
        builder.push(Opcode::Binary, &vec![0; len], Seq(seq));
        Arc::new(builder.finish(Nanos(0)))
    }

    #[test]
    fn a_cursor_whose_run_was_dropped_has_fallen() {
        let mut ring = Ring::new();
        let mut cursor = ring.cursor_at_end(Seq(0));
        for seq in 1..=2 {
            ring.push(run(seq, 98), 250);
        }
        assert!(!ring.has_fallen(cursor));
        let first = ring.get(cursor.run).unwrap().clone();
        cursor.pass_all(&first);
        assert_eq!(cursor.seq, Seq(1));
        for seq in 3..=5 {
            ring.push(run(seq, 98), 250);
        }
        assert!(ring.has_fallen(cursor));
        assert!(ring.bytes() <= 250);
    }

    #[test]
    fn a_run_larger_than_the_bound_is_held_alone() {
        let mut ring = Ring::new();
        ring.push(run(1, 5), 10);
        let cursor = ring.cursor_at_end(Seq(1));
        ring.push(run(2, 1000), 10);
        assert!(ring.get(cursor.run).is_some());
        ring.clear();
        assert!(ring.has_fallen(cursor) && ring.bytes() == 0);
    }

    #[test]
    fn a_cursor_stops_between_frames_only() {
        let mut builder = RunBuilder::default();
        builder.push(Opcode::Binary, b"abc", Seq(5));
        builder.push(Opcode::Binary, b"defg", Seq(6));
        let run = builder.finish(Nanos(1));
        let mut cursor = Cursor {
            run: 0,
            at: 0,
            seq: Seq(4),
        };
        cursor.pass(&run, 0);
        assert_eq!((cursor.run, cursor.at, cursor.seq), (0, 5, Seq(5)));
        cursor.pass(&run, 1);
        assert_eq!((cursor.run, cursor.at, cursor.seq), (1, 0, Seq(6)));
    }
}
