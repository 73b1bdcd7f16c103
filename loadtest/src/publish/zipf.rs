/// Draws numbers from 0 on, with Zipf-distributed frequencies.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// Cumulative shares; the last is 1.
    sums: Vec<f64>,
}

impl Zipf {
    /// Numbers below `count`, of which number k has a share of `1 / (k + 1)^exponent`.
    pub(crate) fn new(count: usize, exponent: f64) -> Self {
        let mut sums: Vec<f64> = (1..=count)
            .scan(0.0, |sum, rank| {
                *sum += (rank as f64).powf(-exponent);
                Some(*sum)
            })
            .collect();
        let all = sums.last().copied().unwrap_or(1.0);
        sums.iter_mut().for_each(|sum| *sum /= all);
        Self { sums }
    }

    pub(crate) fn choose(&self, random: &mut fastrand::Rng) -> usize {
        let dice = random.f64();
        let chosen = self.sums.partition_point(|sum| *sum <= dice);
        chosen.min(self.sums.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_chosen_twice_as_often_as_the_second() {
        let zipf = Zipf::new(100, 1.0);
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0_u32; 100];
        for _ in 0..100_000 {
            counts[zipf.choose(&mut random)] += 1;
        }
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(counts.iter().all(|count| *count > 0));
    }

    #[test]
    fn exponent_zero_is_even() {
        let zipf = Zipf::new(4, 0.0);
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0_u32; 4];
        for _ in 0..40_000 {
            counts[zipf.choose(&mut random)] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_000..11_000).contains(count)),
            "{counts:?}"
        );
    }
}
