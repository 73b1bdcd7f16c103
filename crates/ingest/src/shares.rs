use market::InstrumentId;

/// Assigns a partition to one of `threads` consumers. A pure function, so a partition keeps its
/// consumer when others are added, and the partitions of a topic are spread evenly.
pub(crate) fn share_of(topic: &str, partition: i32, threads: usize) -> usize {
    // The hash of instrument IDs mixes short strings well; any hash that does would serve.
    let hash = InstrumentId::of(topic).0;
    let spread = hash.wrapping_add(u64::from(partition.unsigned_abs()));
    let threads = u64::try_from(threads).unwrap_or(1).max(1);
    usize::try_from(spread % threads).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partitions_of_a_topic_are_spread_evenly() {
        for threads in 1..5 {
            let mut shares = vec![0; threads];
            for partition in 0..60 {
                shares[share_of("books", partition, threads)] += 1;
            }
            assert!(
                shares.iter().all(|share| *share == 60 / threads),
                "{shares:?}"
            );
        }
    }

    #[test]
    fn topics_of_one_partition_are_spread_too() {
        let of = |n: usize| share_of(&format!("book-KRAKEN-{n}"), 0, 4);
        let mut shares = [0; 4];
        (0..1000).for_each(|n| shares[of(n)] += 1);
        assert!(shares.iter().all(|share| *share > 150), "{shares:?}");
    }
}
