//! The position of a message in its stream, and what a receiver does with the message.

/// A sequence number: the Kafka offset of the record that caused a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Seq(pub i64);

impl Seq {
    /// Precedes every message; Kafka's offsets start at 0.
    pub const NONE: Self = Self(-1);
}

/// Identifies one numbering of a stream; sequence numbers of different epochs cannot be compared.
///
/// Opaque: a hash of the topic's identity, the partition and the exponents, so that every node
/// gives the same log the same epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch of a stream of which no partition has been read yet.
    pub const NONE: Self = Self(0);
}

/// What a receiver does with a message of its own epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Skip it: the receiver has it already.
    Stale,
    /// Apply it. Sizes are absolute, so an overlap is harmless.
    Apply,
    /// Recover: messages before it are missing.
    Gap,
}

/// A receiver's position in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The epoch that `seq` belongs to.
    pub epoch: Epoch,
    /// The last sequence number that was applied.
    pub seq: Seq,
}

impl Position {
    /// Applies the one rule of every stream to a message of this position's epoch.
    #[must_use]
    pub fn judge(self, prev_seq: Seq, seq: Seq) -> Step {
        if prev_seq > self.seq {
            Step::Gap
        } else if seq <= self.seq {
            Step::Stale
        } else {
            Step::Apply
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_rule_knows_stale_apply_and_gap() {
        let mine = Position {
            epoch: Epoch(1),
            seq: Seq(10),
        };
        assert_eq!(mine.judge(Seq(8), Seq(10)), Step::Stale);
        assert_eq!(mine.judge(Seq(8), Seq(11)), Step::Apply);
        assert_eq!(mine.judge(Seq(10), Seq(15)), Step::Apply);
        assert_eq!(mine.judge(Seq(11), Seq(15)), Step::Gap);
    }

    #[test]
    fn a_heartbeat_reveals_a_gap_and_moves_nothing() {
        let mine = Position {
            epoch: Epoch(1),
            seq: Seq(10),
        };
        assert_eq!(mine.judge(Seq(10), Seq(10)), Step::Stale);
        assert_eq!(mine.judge(Seq(9), Seq(9)), Step::Stale);
        assert_eq!(mine.judge(Seq(12), Seq(12)), Step::Gap);
    }
}
