use std::str::FromStr;
use std::time::{Duration, Instant};

use market::Nanos;

/// Speed of publishing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Speed {
    /// A multiple of the recorded speed.
    Times(f64),
    /// As fast as Kafka accepts records.
    Max,
}

impl FromStr for Speed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let number = text.strip_suffix('x').unwrap_or(text);
        match number.parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err("a speed is a number above 0, such as 1, 0.5 or 10x, or the word max"),
        }
    }
}

/// Computes when a record is due: its time after the first record, divided by the speed.
///
/// If the recording clock went back, a record is due at once.
#[derive(Debug)]
pub(super) struct Schedule {
    speed: Speed,
    start: Option<(Nanos, Instant)>,
}

impl Schedule {
    pub(super) const fn new(speed: Speed) -> Self {
        Self { speed, start: None }
    }

    /// Restarts the schedule: the next record is due at once, and later ones relative to it.
    pub(super) fn restart(&mut self) {
        self.start = None;
    }

    /// Time left until a record of that time is due.
    pub(super) fn wait(&mut self, recorded: Nanos, now: Instant) -> Duration {
        let Speed::Times(times) = self.speed else {
            return Duration::ZERO;
        };
        let (first, started) = *self.start.get_or_insert((recorded, now));
        let distance = Duration::from_nanos(recorded.since(first)).as_secs_f64() / times;
        // Saturates: nobody waits longer than a duration can hold.
        let due = Duration::try_from_secs_f64(distance).unwrap_or(Duration::MAX);
        due.saturating_sub(now.saturating_duration_since(started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn speeds_are_numbers_above_zero_or_max() {
        assert_eq!("1".parse(), Ok(Speed::Times(1.0)));
        assert_eq!("10x".parse(), Ok(Speed::Times(10.0)));
        assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for wrong in ["", "0", "-1", "fast", "inf", "NaN", "x"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn records_are_due_at_their_distance_divided_by_the_speed() {
        let mut pace = Schedule::new(Speed::Times(10.0));
        let start = Instant::now();
        assert_eq!(pace.wait(Nanos(5 * SECOND), start), Duration::ZERO);
        assert_eq!(pace.wait(Nanos(15 * SECOND), start), Duration::from_secs(1));
        let later = start + Duration::from_millis(400);
        assert_eq!(
            pace.wait(Nanos(15 * SECOND), later),
            Duration::from_millis(600)
        );
        assert_eq!(
            pace.wait(Nanos(15 * SECOND), start + Duration::from_secs(9)),
            Duration::ZERO,
            "a record that is late is due at once"
        );
    }

    #[test]
    fn a_clock_that_went_back_delays_nothing() {
        let mut pace = Schedule::new(Speed::Times(1.0));
        let start = Instant::now();
        pace.wait(Nanos(5 * SECOND), start);
        assert_eq!(pace.wait(Nanos(SECOND), start), Duration::ZERO);
    }

    #[test]
    fn each_file_has_a_start_of_its_own() {
        let mut pace = Schedule::new(Speed::Times(1.0));
        let start = Instant::now();
        pace.wait(Nanos(SECOND), start);
        pace.restart();
        assert_eq!(pace.wait(Nanos(90 * SECOND), start), Duration::ZERO);
    }

    #[test]
    fn at_full_speed_nothing_waits() {
        let mut pace = Schedule::new(Speed::Max);
        let now = Instant::now();
        pace.wait(Nanos(0), now);
        assert_eq!(pace.wait(Nanos(u64::MAX), now), Duration::ZERO);
    }
}
