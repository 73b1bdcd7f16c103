//! Deadlines of many instruments or streams, rounded so that they coincide.

use std::time::Duration;

use market::Monotonic;

/// The number of parts of an interval; rounding makes a deadline at most one part late.
const PARTS: u32 = 64;

/// The deadline `after` from now, rounded up to a part of `interval`. Always later than `now`.
pub(crate) fn round_up(now: Monotonic, after: Duration, interval: Duration) -> Monotonic {
    let part = u64::try_from((interval / PARTS).as_nanos()).unwrap_or(u64::MAX);
    let due = now + after.max(Duration::from_nanos(1));
    let rounded = due.0.checked_next_multiple_of(part.max(1));
    Monotonic(rounded.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_deadline_is_later_than_now_and_at_most_a_part_late(
            now in any::<u32>(),
            interval in 0_u64..1_000_000,
            share in 0_u32..5,
        ) {
            let (now, interval) = (Monotonic(now.into()), Duration::from_nanos(interval));
            let after = interval * share / 4;
            let due = round_up(now, after, interval);
            prop_assert!(due > now && due >= now + after);
            prop_assert!(due <= now + after + interval / PARTS + Duration::from_nanos(1));
        }
    }

    #[test]
    fn deadlines_at_the_end_of_the_clock_stay_there() {
        let end = Monotonic(u64::MAX);
        assert_eq!(round_up(end, Duration::MAX, Duration::MAX), end);
    }
}
