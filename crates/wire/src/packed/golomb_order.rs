use super::codes::bit_length;

/// Finds the order of the Exp-Golomb code that makes the numbers of a message shortest.
///
/// A reader accepts any order; this one merely saves bytes. It is a pure function of the numbers, so
/// every node writes the same.
pub(super) struct GolombOrder {
    /// The count of numbers by their significant bits.
    lengths: [u32; 65 + 4],
    count: u32,
}

/// The largest order that can be written, in 6 bits.
const MAX_ORDER: usize = 63;

impl GolombOrder {
    pub(super) const fn new() -> Self {
        Self {
            lengths: [0; 65 + 4],
            count: 0,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, value: u64) {
        self.lengths[bit_length(value) as usize] += 1;
        self.count += 1;
    }

    /// Goes up from 0 as long as the next order saves bits. It costs every number a bit,
    /// and shortens the prefix of those that are longer than the order: on average, in half bits, by
    /// 4, 2, 3 if they are 1, 2, 3 bits longer, and by 4 if they are longer still.
    pub(super) fn best(&self) -> u32 {
        let mut longer = self.count;
        for length in &self.lengths[..4] {
            longer -= length;
        }
        let mut order = 0;
        for k in 0..MAX_ORDER {
            let at = |more: usize| i64::from(self.lengths[k + more]);
            let saved = 4 * at(1) + 2 * at(2) + 3 * at(3) + 4 * i64::from(longer);
            if saved <= 2 * i64::from(self.count) {
                break;
            }
            order += 1;
            longer -= self.lengths[k + 4];
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_follows_the_numbers() {
        let best = |values: &[u64]| {
            let mut order = GolombOrder::new();
            values.iter().for_each(|value| order.add(*value));
            order.best()
        };
        assert_eq!(best(&[]), 0);
        assert_eq!(best(&[0, 0, 1, 0]), 0);
        assert!((6..=8).contains(&best(&[200, 150, 90, 255])));
        assert!(best(&[u64::MAX >> 1; 3]) >= 60);
    }
}
