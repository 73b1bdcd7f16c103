use market::Seq;

use crate::Reset;
use crate::topic_id::TopicId;

/// Returns whether a topic was recreated. An unknown UUID never counts as different.
pub(super) fn is_recreated(known: TopicId, current: TopicId) -> bool {
    let unknown = TopicId::default();
    known != unknown && current != unknown && known != current
}

/// Checks the position of a partition whose log goes from `start` to `end`. Returns the reset that
/// it needs, if any.
pub(super) fn reset_of(at: Seq, start: Seq, end: Seq) -> Option<Reset> {
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
        assert_eq!(reset_of(Seq(5), Seq(0), Seq(9)), None);
        assert_eq!(reset_of(Seq(9), Seq(9), Seq(9)), None);
        assert_eq!(
            reset_of(Seq(10), Seq(0), Seq(9)),
            Some(Reset::OffsetsWentBack)
        );
        let lost = Reset::Retention {
            lost_from: Seq(5),
            lost_to: Seq(7),
        };
        assert_eq!(reset_of(Seq(5), Seq(7), Seq(9)), Some(lost));
    }

    #[test]
    fn only_two_known_identities_can_differ() {
        let (none, a, b) = ([0; 16], [1; 16], [2; 16]);
        assert!(is_recreated(a, b));
        assert!(!is_recreated(a, a) && !is_recreated(none, b) && !is_recreated(a, none));
    }
}
