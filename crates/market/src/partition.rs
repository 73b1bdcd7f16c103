use std::sync::Arc;

use crate::{Epoch, Exponents};

/// A partition's index in the thread that reads it: dense, in the order of opening, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct PartitionIndex(pub u32);

/// The identity of a topic's partition, the same on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionIdentity {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The topic's UUID; all zeros if the broker does not report one.
    pub topic_id: [u8; 16],
    /// The partition's number in its topic.
    pub partition: i32,
    /// How often this node has seen the offsets of this topic go back. Nodes that started later
    /// have a different count, so their epochs differ, and a client that moves between them gets a
    /// snapshot: correct, but more expensive.
    pub turns: u32,
}

impl PartitionIdentity {
    /// The epoch of streams that are read from this partition.
    ///
    /// FNV-1a (32 bits) over the topic's identity, the partition, the turns and the exponents:
    /// everything that makes two sequence numbers incomparable.
    #[must_use]
    pub fn epoch(&self, exponents: Exponents) -> Epoch {
        let mut hash = 0x811c_9dc5_u32;
        let mut eat = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
            }
        };
        eat(&self.topic_id);
        eat(self.topic.as_bytes());
        eat(&self.partition.to_le_bytes());
        eat(&self.turns.to_le_bytes());
        eat(&exponents.price.to_le_bytes());
        eat(&exponents.size.to_le_bytes());
        Epoch(hash)
    }

    /// Returns whether this partition precedes another in the order that all nodes agree on.
    #[must_use]
    pub fn comes_before(&self, other: &Self) -> bool {
        (&self.topic, self.partition) < (&other.topic, other.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_makes_offsets_incomparable_changes_the_epoch() {
        let identity = PartitionIdentity {
            topic: "books".into(),
            topic_id: [7; 16],
            partition: 0,
            turns: 0,
        };
        let exponents = Exponents::default();
        let epoch = identity.epoch(exponents);
        assert_eq!(epoch, identity.clone().epoch(exponents));
        let mut other = identity.clone();
        other.topic_id[15] = 8;
        assert_ne!(epoch, other.epoch(exponents));
        other = identity.clone();
        other.partition = 1;
        assert_ne!(epoch, other.epoch(exponents));
        other = identity.clone();
        other.turns = 1;
        assert_ne!(epoch, other.epoch(exponents));
        let finer = Exponents {
            price: -9,
            size: -8,
        };
        assert_ne!(epoch, identity.epoch(finer));
    }
}
