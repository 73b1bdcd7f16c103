use std::time::{Duration, Instant};

use ingest::Progress;

/// How long after it was heard again Kafka's ends are not believed: they are told each second, and
/// the first may be from before.
const SETTLES: Duration = Duration::from_secs(2);

/// Whether Kafka is heard, and what it told while it was not has been read.
///
/// A broker answers a fetch within milliseconds, also when there is nothing to be read. So silence
/// is a sign by itself, however quiet the market is.
#[derive(Debug)]
pub(super) struct Hearing {
    lost_after: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Heard,
    Lost,
    /// Heard again since then.
    Returning(Instant),
}

impl Hearing {
    pub(super) const fn new(lost_after: Duration) -> Self {
        Self {
            lost_after,
            state: State::Heard,
        }
    }

    /// Whether the publisher is cut off from Kafka, or has not caught up since.
    pub(super) fn is_cut_off(&mut self, progress: &Progress, now: Instant) -> bool {
        let is_silent = progress
            .last_response
            .is_some_and(|heard| now.saturating_duration_since(heard) > self.lost_after);
        // Who reads nothing has nothing to hear.
        if is_silent && progress.partitions.iter().any(|one| !one.gone) {
            self.state = State::Lost;
            return true;
        }
        if self.state == State::Lost {
            self.state = State::Returning(now);
        }
        if let State::Returning(since) = self.state
            && now.saturating_duration_since(since) >= SETTLES
            && progress
                .partitions
                .iter()
                .all(|one| one.gone || one.lag() == 0)
        {
            self.state = State::Heard;
        }
        self.state != State::Heard
    }
}

#[cfg(test)]
mod tests {
    use ingest::PartitionProgress;
    use market::Nanos;
    use metrics::label::DecodeOutcome;

    use super::*;

    const LOST: Duration = Duration::from_secs(5);

    fn progress(heard: Instant, behind: i64) -> Progress {
        Progress {
            partitions: vec![PartitionProgress {
                topic: "t".into(),
                partition: 0,
                position: 100,
                high_watermark: 100 + behind,
                bytes: 0,
                last_log_time: Nanos(0),
                outcomes: [0; DecodeOutcome::ALL.len()],
                caught_up: true,
                gone: false,
            }],
            last_response: Some(heard),
            ..Progress::default()
        }
    }

    #[test]
    fn a_quiet_market_is_no_silence_of_kafka() {
        let start = Instant::now();
        let mut hearing = Hearing::new(LOST);
        for seconds in 0..100 {
            let now = start + Duration::from_secs(seconds);
            assert!(!hearing.is_cut_off(&progress(now, 0), now));
        }
        assert!(!hearing.is_cut_off(&Progress::default(), start));
    }

    #[test]
    fn who_was_cut_off_is_ready_when_what_was_missed_has_been_read() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut hearing = Hearing::new(LOST);
        let heard = progress(start, 0);
        assert!(!hearing.is_cut_off(&heard, at(5)));
        assert!(hearing.is_cut_off(&heard, at(6)));
        assert!(
            hearing.is_cut_off(&progress(at(20), 0), at(20)),
            "heard, and no more"
        );
        assert!(
            hearing.is_cut_off(&progress(at(23), 7), at(23)),
            "there is more to be read"
        );
        assert!(!hearing.is_cut_off(&progress(at(24), 0), at(24)));
    }

    #[test]
    fn who_reads_nothing_has_nothing_to_hear() {
        let start = Instant::now();
        let mut nothing = progress(start, 0);
        nothing.partitions.clear();
        let mut hearing = Hearing::new(LOST);
        assert!(!hearing.is_cut_off(&nothing, start + LOST * 2));
    }
}
