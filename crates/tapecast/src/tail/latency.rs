use std::time::Duration;

use hdrhistogram::Histogram;
use market::Nanos;

/// Time from a node's publishing to the arrival here, in microseconds. Only as accurate as the clocks are in sync.
#[derive(Debug)]
pub(super) struct Latency(Histogram<u64>);

/// One minute in microseconds; longer times count as this.
const LONGEST: u64 = 60_000_000;

impl Latency {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST, 2)?))
    }

    pub(super) fn add(&mut self, published: Nanos, now: Nanos) {
        let micros = now.since(published) / 1000;
        self.0.saturating_record(micros.clamp(1, LONGEST));
    }

    /// A quantile of the latency; `None` without messages.
    pub(super) fn quantile(&self, part: f64) -> Option<Duration> {
        (!self.0.is_empty()).then(|| Duration::from_micros(self.0.value_at_quantile(part)))
    }
}

/// Formats `0.21ms`, or `-` if unknown.
pub(super) fn millis(latency: Option<Duration>) -> String {
    match latency {
        Some(latency) => format!("{:.2}ms", latency.as_secs_f64() * 1000.0),
        None => "-".to_owned(),
    }
}

/// Formats a time as `hh:mm:ss` in UTC.
pub(super) fn time_of_day(at: Nanos) -> String {
    let seconds = at.0 / 1_000_000_000 % 86_400;
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_added() {
        let mut latency = Latency::new().unwrap();
        assert_eq!(millis(latency.quantile(0.5)), "-");
        for micros in 1..=1000 {
            latency.add(Nanos(5_000), Nanos(5_000 + micros * 1000));
        }
        assert_eq!(millis(latency.quantile(0.5)), "0.50ms");
        // A clock that is behind the node's is no negative time, and a long one is bounded.
        latency.add(Nanos(10_000), Nanos(0));
        latency.add(Nanos(0), Nanos(u64::MAX));
        assert!(latency.quantile(1.0).unwrap() <= Duration::from_secs(61));
    }

    #[test]
    fn the_time_of_day_is_utc() {
        assert_eq!(time_of_day(Nanos(1_723_161_255_208_000_000)), "23:54:15");
    }
}
