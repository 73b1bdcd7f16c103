use crate::publish::Zipf;

/// The topic of each message, and the topics of each client; the same for every server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    /// The topics of the messages, repeated from the first after the last.
    topics: Vec<u16>,
    /// How often each topic occurs.
    counts: Vec<u64>,
}

/// Length of a Zipf schedule before it repeats.
const ENTRIES: usize = 65_536;
/// Zipf exponent of rate and popularity.
const EXPONENT: f64 = 1.0;

impl Schedule {
    /// A single topic.
    pub(super) fn single() -> Self {
        Self {
            topics: vec![0],
            counts: vec![1],
        }
    }

    pub(super) fn zipf(topics: u16, seed: u64) -> Self {
        let zipf = Zipf::new(usize::from(topics), EXPONENT);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut counts = vec![0; usize::from(topics)];
        let topics = (0..ENTRIES)
            .map(|_| {
                let chosen = zipf.choose(&mut random);
                counts[chosen] += 1;
                u16::try_from(chosen).unwrap_or_default()
            })
            .collect();
        Self { topics, counts }
    }

    /// The schedule file of the servers: 16 bits per topic, little endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.topics
            .iter()
            .flat_map(|topic| topic.to_le_bytes())
            .collect()
    }

    pub(super) fn topics(&self) -> usize {
        self.counts.len()
    }

    /// The topics of each client: `each` different ones, popular ones more often.
    pub(super) fn wants(&self, clients: usize, each: usize, seed: u64) -> Vec<Vec<u16>> {
        let zipf = Zipf::new(self.topics(), EXPONENT);
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let each = each.min(self.topics());
        (0..clients)
            .map(|_| {
                let mut wanted = Vec::with_capacity(each);
                while wanted.len() < each {
                    let topic = u16::try_from(zipf.choose(&mut random)).unwrap_or_default();
                    if !wanted.contains(&topic) {
                        wanted.push(topic);
                    }
                }
                wanted
            })
            .collect()
    }

    /// Mean deliveries per message for these clients.
    pub(super) fn fanout(&self, wants: &[Vec<u16>]) -> f64 {
        let deliveries: u64 = wants
            .iter()
            .flatten()
            .map(|topic| self.counts[usize::from(*topic)])
            .sum();
        deliveries as f64 / self.topics.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_topic_is_delivered_to_everyone() {
        let schedule = Schedule::single();
        let wants = schedule.wants(200, 1, 1);
        assert_eq!(wants.len(), 200);
        assert!((schedule.fanout(&wants) - 200.0).abs() < 1e-9);
        assert_eq!(schedule.to_bytes(), [0, 0]);
    }

    #[test]
    fn clients_want_different_topics_and_popular_ones_more_often() {
        let schedule = Schedule::zipf(200, 1);
        let wants = schedule.wants(2_000, 10, 1);
        for wanted in &wants {
            let mut unique = wanted.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), 10);
        }
        let of = |topic| {
            wants
                .iter()
                .filter(|wanted| wanted.contains(&topic))
                .count()
        };
        assert!(of(0) > of(100));
        let even = 2_000.0 * 10.0 / 200.0;
        assert!(
            schedule.fanout(&wants) > even,
            "the busy topics are the popular ones"
        );
        assert_eq!(schedule, Schedule::zipf(200, 1));
    }
}
