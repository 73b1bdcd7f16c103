/// The powers of ten that 4 bits can express.
pub(super) const POWERS: [i64; 16] = {
    let mut powers = [1; 16];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// The power with that exponent, which is below 16.
pub(super) fn power_of_ten(exponent: u64) -> i64 {
    let exponent = usize::from(exponent.to_le_bytes()[0]);
    POWERS.get(exponent).copied().unwrap_or(1)
}

/// The exponent of the largest of these powers that divides all values; 0 if all are 0.
pub(super) fn shared_power(values: impl Iterator<Item = i64>) -> usize {
    let mut power = POWERS.len() - 1;
    let mut any = false;
    for value in values {
        if value == 0 {
            continue;
        }
        any = true;
        while power > 0 && value % POWERS[power] != 0 {
            power -= 1;
        }
        if power == 0 {
            return 0;
        }
    }
    if any { power } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_power_that_divides_all_is_found() {
        assert_eq!(shared_power([].into_iter()), 0);
        assert_eq!(shared_power([0, 0].into_iter()), 0);
        assert_eq!(
            shared_power([6_173_763_000_000, 0, -500_000].into_iter()),
            5
        );
        assert_eq!(shared_power([1].into_iter()), 0);
        assert_eq!(shared_power([i64::MIN, 0].into_iter()), 0);
        assert_eq!(shared_power([9_000_000_000_000_000_000].into_iter()), 15);
    }
}
