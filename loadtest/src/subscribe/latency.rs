use anyhow::Context as _;
use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wire::sbe::PUBLISH_TIME_OFFSET;

/// Offsets of the other times in every SBE message, and the value for no time.
pub(crate) const EVENT_TIME_OFFSET: usize = 32;
const LOG_TIME_OFFSET: usize = 40;
const NO_TIME: u64 = u64::MAX;
/// Range of the histograms in ns: from a microsecond to an hour.
const LEAST: u64 = 1_000;
const MOST: u64 = 3_600_000_000_000;
/// Of this many messages of one read, the times of the first stand for all. It is the oldest, so
/// that an error makes latencies worse. Reading the times of ten million messages per second would
/// cost half a core.
const SAMPLE: u64 = 16;

/// A histogram of durations in ns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Durations(Histogram<u64>);

/// Latencies of market data, by stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Stages {
    /// From the event to the log: the producer's share.
    pub(super) event_to_log: Durations,
    /// From the log to publishing: Kafka's and the node's share.
    pub(super) log_to_publish: Durations,
    /// From publishing to the read: the share of the fan-out, the network and the client.
    pub(super) publish_to_read: Durations,
    /// In total.
    pub(super) event_to_read: Durations,
    /// The sampled message, and how many it stands for so far.
    #[serde(skip)]
    sample: Option<Times>,
    #[serde(skip)]
    weight: u64,
}

/// The times of one message, in ns since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    /// `None` if the venue does not send it.
    event: Option<u64>,
    log: u64,
    publish: u64,
    read: u64,
}

/// In µs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: u64,
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Durations {
    pub(super) fn new() -> anyhow::Result<Self> {
        let histogram = Histogram::new_with_bounds(LEAST, MOST, 3);
        Ok(Self(histogram.context("cannot create a histogram")?))
    }

    pub(super) fn record(&mut self, duration: std::time::Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanos);
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Adds those of another histogram.
    pub(super) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        let added = self.0.add(&other.0);
        added.context("histograms of different shapes")
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let micros = |nanos: u64| nanos as f64 / 1e3;
        let at = |quantile| micros(self.0.value_at_quantile(quantile));
        Percentiles {
            count: self.0.len(),
            mean: self.0.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(self.0.max()),
        }
    }
}

/// Serialized as pairs of value and count, since most buckets are empty.
impl Serialize for Durations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recorded = self.0.iter_recorded();
        serializer.collect_seq(recorded.map(|at| (at.value_iterated_to(), at.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Durations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut durations = Self::new().map_err(D::Error::custom)?;
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            durations.0.saturating_record_n(value, count);
        }
        Ok(durations)
    }
}

impl Stages {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            event_to_log: Durations::new()?,
            log_to_publish: Durations::new()?,
            publish_to_read: Durations::new()?,
            event_to_read: Durations::new()?,
            sample: None,
            weight: 0,
        })
    }

    /// Counts a message of the market, read at `now`.
    #[inline]
    pub(super) fn message(&mut self, payload: &[u8], now: u64) {
        if self.weight == SAMPLE || self.sample.is_none() {
            self.settle();
            self.sample = Times::of(payload, now);
        }
        self.weight += 1;
    }

    /// Ends a read.
    pub(super) fn settle(&mut self) {
        if let Some(times) = self.sample.take() {
            self.record(times, self.weight);
        }
        self.weight = 0;
    }

    fn record(&mut self, times: Times, weight: u64) {
        let took = |stage: &mut Durations, from: u64, to: u64| {
            stage.0.saturating_record_n(to.saturating_sub(from), weight);
        };
        took(&mut self.log_to_publish, times.log, times.publish);
        took(&mut self.publish_to_read, times.publish, times.read);
        if let Some(event) = times.event {
            took(&mut self.event_to_log, event, times.log);
            took(&mut self.event_to_read, event, times.read);
        }
    }

    /// Records the times of a message that the client library read.
    pub(super) fn took(&mut self, event: Option<u64>, log: u64, publish: u64, read: u64) {
        let times = Times {
            event,
            log,
            publish,
            read,
        };
        self.record(times, 1);
    }

    pub(super) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.event_to_log.add(&other.event_to_log)?;
        self.log_to_publish.add(&other.log_to_publish)?;
        self.publish_to_read.add(&other.publish_to_read)?;
        self.event_to_read.add(&other.event_to_read)
    }
}

impl Times {
    fn of(payload: &[u8], read: u64) -> Option<Self> {
        let at = |offset: usize| {
            let bytes = payload.get(offset..)?.first_chunk()?;
            Some(u64::from_le_bytes(*bytes))
        };
        Some(Self {
            event: at(EVENT_TIME_OFFSET).filter(|time| *time != NO_TIME),
            log: at(LOG_TIME_OFFSET)?,
            publish: at(PUBLISH_TIME_OFFSET)?,
            read,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: u64, log: u64, publish: u64) -> Vec<u8> {
        let mut bytes = vec![0; 104];
        for (offset, time) in [
            (EVENT_TIME_OFFSET, event),
            (LOG_TIME_OFFSET, log),
            (PUBLISH_TIME_OFFSET, publish),
        ] {
            bytes[offset..offset + 8].copy_from_slice(&time.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn every_message_counts_however_few_are_looked_at() {
        let mut stages = Stages::new().unwrap();
        for read in [1, 15, 16, 17, 100] {
            for _ in 0..read {
                stages.message(&message(1_000_000, 3_000_000, 6_000_000), 10_000_000);
            }
            stages.settle();
        }
        for (stage, micros) in [
            (&stages.event_to_log, 2_000.0),
            (&stages.log_to_publish, 3_000.0),
            (&stages.publish_to_read, 4_000.0),
            (&stages.event_to_read, 9_000.0),
        ] {
            let percentiles = stage.percentiles();
            assert_eq!(percentiles.count, 1 + 15 + 16 + 17 + 100);
            assert!((percentiles.p50 - micros).abs() < micros / 500.0);
        }
    }

    #[test]
    fn one_late_message_of_a_read_is_seen_when_it_is_the_oldest() {
        let mut stages = Stages::new().unwrap();
        stages.message(&message(0, 0, 0), 1_000_000_000);
        for _ in 0..SAMPLE {
            stages.message(&message(NO_TIME, 0, 999_000_000), 1_000_000_000);
        }
        stages.settle();
        assert!(stages.publish_to_read.percentiles().max >= 999_000.0);
        assert_eq!(stages.event_to_log.len(), SAMPLE, "one has no event time");
    }

    #[test]
    fn durations_are_the_same_behind_a_pipe() {
        let mut stages = Stages::new().unwrap();
        for late in 0..1_000 {
            stages.took(Some(0), late * 7_919, late * 1_000_003, 10_000_000_000);
        }
        let text = serde_json::to_string(&stages).unwrap();
        let read: Stages = serde_json::from_str(&text).unwrap();
        let mut both = Stages::new().unwrap();
        both.add(&read).unwrap();
        both.add(&stages).unwrap();
        for (one, two) in [
            (&stages.log_to_publish, &both.log_to_publish),
            (&stages.event_to_read, &both.event_to_read),
        ] {
            assert_eq!(two.len(), 2 * one.len());
            assert!(
                (one.percentiles().p99 - two.percentiles().p99).abs()
                    < 0.01 * one.percentiles().p99 + 1e-9
            );
        }
    }
}
