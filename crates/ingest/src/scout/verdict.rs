use market::Seq;

use crate::Reset;
use crate::topic_id::TopicId;

/// Whether a topic is another than it was. A broker that does not say is not contradicted.
pub(super) fn is_recreated(known: TopicId, told: TopicId) -> bool {
    let unknown = TopicId::default();
    known != unknown && told != unknown && known != told
}

/// What became of a partition that is to be read at `at` and whose log goes from `start` to `end`.
pub(super) fn of(at: Seq, start: Seq, end: Seq) -> Option<Reset> {
    if at > end {
        Some(Reset::OffsetsWentBack)
    } else if at < start {
        Some(Reset::Retention {
            lost_from: at,
            lost_to: start,
        })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_judged_by_the_ends_of_the_log() {
        assert_eq!(of(Seq(5), Seq(0), Seq(9)), None);
        assert_eq!(of(Seq(9), Seq(9), Seq(9)), None);
        assert_eq!(of(Seq(10), Seq(0), Seq(9)), Some(Reset::OffsetsWentBack));
        let lost = Reset::Retention {
            lost_from: Seq(5),
            lost_to: Seq(7),
        };
        assert_eq!(of(Seq(5), Seq(7), Seq(9)), Some(lost));
    }

    #[test]
    fn only_two_known_identities_can_differ() {
        let (none, a, b) = ([0; 16], [1; 16], [2; 16]);
        assert!(is_recreated(a, b));
        assert!(!is_recreated(a, a) && !is_recreated(none, b) && !is_recreated(a, none));
    }
}
