use market::{PartitionIdentity, Seq};

/// Selects the records of a partition to trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler {
    seed: u64,
    most: u64,
}

impl Sampler {
    /// One record out of this many is traced.
    pub(super) fn new(partition: &PartitionIdentity, one_in: u64) -> Self {
        let parts = partition.topic_id.chunks(8).map(|part| {
            let mut bytes = [0; 8];
            bytes[..part.len()].copy_from_slice(part);
            u64::from_be_bytes(bytes)
        });
        let of_topic = parts.fold(0, |seed, part| mix(seed ^ part));
        let of_partition = u64::from(partition.partition.cast_unsigned());
        let of_turn = u64::from(partition.turns) << 32;
        Self {
            seed: mix(of_topic ^ of_partition ^ of_turn),
            most: u64::MAX / one_in.max(1),
        }
    }

    /// The trace id of a record, if it is sampled.
    pub(super) fn sample(&self, seq: Seq) -> Option<u128> {
        let first = mix(self.seed ^ seq.0.cast_unsigned());
        if first > self.most {
            return None;
        }
        let second = mix(first ^ self.seed.rotate_left(32));
        // A trace id of all zeros is invalid.
        Some((u128::from(first) << 64 | u128::from(second)).max(1))
    }
}

/// The finaliser of SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn partition(topic_id: u8, partition: i32) -> PartitionIdentity {
        PartitionIdentity {
            topic: "t".into(),
            topic_id: [topic_id; 16],
            partition,
            turns: 0,
        }
    }

    #[test]
    fn about_one_record_in_so_many_is_followed() {
        for one_in in [1, 10, 1_000] {
            let sampler = Sampler::new(&partition(1, 0), one_in);
            let followed = (0..200_000).filter(|seq| sampler.sample(Seq(*seq)).is_some());
            let followed = u64::try_from(followed.count()).unwrap();
            let expected = 200_000 / one_in;
            assert!(
                followed.abs_diff(expected) <= expected / 4,
                "{followed} of {expected}"
            );
        }
    }

    #[test]
    fn every_node_follows_the_same_records_by_the_same_names() {
        let names = |of: &PartitionIdentity| -> Vec<_> {
            let sampler = Sampler::new(of, 7);
            (0..100).map(|seq| sampler.sample(Seq(seq))).collect()
        };
        assert_eq!(names(&partition(1, 3)), names(&partition(1, 3)));
        let different = [partition(1, 3), partition(1, 4), partition(2, 3)];
        let all: HashSet<_> = different.iter().flat_map(names).flatten().collect();
        let each: usize = different
            .iter()
            .map(|of| names(of).iter().flatten().count())
            .sum();
        assert_eq!(all.len(), each, "no two records have one name");
    }
}
