use std::time::{Duration, Instant};

use ingest::Progress;

/// Time after contact is restored during which partition ends are not trusted: they are updated every second,
/// and the first may be outdated.
const SETTLES: Duration = Duration::from_secs(2);

/// Whether brokers respond, and whether what was missed without contact has been read.
///
/// A broker responds to a fetch within milliseconds even if there is nothing to read. So silence means lost
/// contact, however quiet the market is.
#[derive(Debug)]
pub(super) struct KafkaContact {
    lost_after: Duration,
    contact: Contact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    Connected,
    Lost,
    /// Connected again since then.
    CatchingUp(Instant),
}

impl KafkaContact {
    pub(super) const fn new(lost_after: Duration) -> Self {
        Self {
            lost_after,
            contact: Contact::Connected,
        }
    }

    /// Returns whether contact is lost, or the publisher has not caught up since.
    pub(super) fn is_cut_off(&mut self, progress: &Progress, now: Instant) -> bool {
        let is_silent = progress
            .last_response
            .is_some_and(|heard| now.saturating_duration_since(heard) > self.lost_after);
        // Without partitions there is nothing to fetch.
        if is_silent && progress.partitions.iter().any(|one| !one.gone) {
            self.contact = Contact::Lost;
            return true;
        }
        if self.contact == Contact::Lost {
            self.contact = Contact::CatchingUp(now);
        }
        if let Contact::CatchingUp(since) = self.contact
            && now.saturating_duration_since(since) >= SETTLES
            && progress
                .partitions
                .iter()
                .all(|one| one.gone || one.lag() == 0)
        {
            self.contact = Contact::Connected;
        }
        self.contact != Contact::Connected
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
    fn a_quiet_market_is_not_lost_contact() {
        let start = Instant::now();
        let mut kafka_contact = KafkaContact::new(LOST);
        for seconds in 0..100 {
            let now = start + Duration::from_secs(seconds);
            assert!(!kafka_contact.is_cut_off(&progress(now, 0), now));
        }
        assert!(!kafka_contact.is_cut_off(&Progress::default(), start));
    }

    #[test]
    fn contact_is_restored_once_missed_records_have_been_read() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut kafka_contact = KafkaContact::new(LOST);
        let heard = progress(start, 0);
        assert!(!kafka_contact.is_cut_off(&heard, at(5)));
        assert!(kafka_contact.is_cut_off(&heard, at(6)));
        assert!(
            kafka_contact.is_cut_off(&progress(at(20), 0), at(20)),
            "heard, and no more"
        );
        assert!(
            kafka_contact.is_cut_off(&progress(at(23), 7), at(23)),
            "there is more to be read"
        );
        assert!(!kafka_contact.is_cut_off(&progress(at(24), 0), at(24)));
    }

    #[test]
    fn without_partitions_contact_is_not_lost() {
        let start = Instant::now();
        let mut nothing = progress(start, 0);
        nothing.partitions.clear();
        let mut kafka_contact = KafkaContact::new(LOST);
        assert!(!kafka_contact.is_cut_off(&nothing, start + LOST * 2));
    }
}
