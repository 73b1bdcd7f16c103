//! The items that one client received on one stream.

use market::Seq;
use wire::Head;

/// What one client received on one stream, judged by the items alone and not by the client's state.
#[derive(Debug, Default)]
pub(super) struct History {
    epoch: u32,
    /// In order; the last one is still growing.
    spans: Vec<Span>,
    /// The next item starts the stream again.
    restarts: bool,
    /// The next item is the net change over several, as the node reported.
    is_conflated: bool,
}

/// Items without a gap: those after `from`, up to and including `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) items: u64,
    /// Why there is a gap before it.
    pub(super) gap: Gap,
}

/// Why a span does not continue the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The node could not resume the stream, and reported a new start.
    Restart,
    /// The client lagged, and was sent the net change.
    Conflated,
    /// Nobody reported anything.
    Silent,
}

/// How an item relates to what the client received before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Continuity {
    /// The first item of the stream, or of a reported new start.
    Start,
    /// Continues the item before it.
    Next,
    /// The reported net change over several items.
    Conflated,
    /// Received before, or older than the last item.
    Repeated,
    /// Something before it is missing.
    Missing,
    /// From another epoch.
    OtherEpoch,
}

impl History {
    /// The node reported that the stream starts with a snapshot.
    pub(super) fn restart(&mut self) {
        self.restarts = true;
    }

    /// The node reported that the client lags, so that the next item is a net change.
    pub(super) fn conflate(&mut self) {
        self.is_conflated = true;
    }

    /// Returns whether the next item is one that only this client is sent.
    pub(super) const fn is_conflated(&self) -> bool {
        self.is_conflated
    }

    /// Returns whether the client has already received that message.
    pub(super) fn includes(&self, seq: i64) -> bool {
        !self.restarts && self.last().is_some_and(|last| seq <= last)
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.spans.last().map(|span| span.to)
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Adds a book snapshot.
    pub(super) fn snapshot(&mut self, head: &Head) -> Continuity {
        if self.restarts || self.spans.is_empty() {
            return self.start(head, head.seq);
        }
        self.item(head)
    }

    /// Adds a delta or trades.
    pub(super) fn item(&mut self, head: &Head) -> Continuity {
        if self.restarts || self.spans.is_empty() {
            // Trades have no snapshot: they start after the item that the first one follows.
            let start = self.start(head, head.prev_seq);
            self.reach(head.seq);
            return start;
        }
        let Some(last) = self.last() else {
            return Continuity::Start;
        };
        if self.epoch != head.epoch.0 {
            // A stream without items has no epoch; its first item sets it.
            let is_first = last == Seq::NONE.0;
            self.start(head, head.prev_seq);
            self.reach(head.seq);
            return if is_first {
                Continuity::Start
            } else {
                Continuity::OtherEpoch
            };
        }
        let conflated = std::mem::take(&mut self.is_conflated);
        if head.seq.0 <= last {
            Continuity::Repeated
        } else if head.prev_seq.0 > last {
            self.open(head.prev_seq, Gap::Silent);
            self.reach(head.seq);
            Continuity::Missing
        } else if conflated || head.prev_seq.0 < last {
            self.open(head.seq, Gap::Conflated);
            Continuity::Conflated
        } else {
            self.reach(head.seq);
            Continuity::Next
        }
    }

    /// Adds a heartbeat, which has the stream's last sequence.
    pub(super) fn heartbeat(&mut self, head: &Head) -> Continuity {
        match self.last() {
            _ if self.restarts => self.start(head, head.seq),
            None => self.start(head, head.seq),
            Some(last) if head.epoch.0 == self.epoch && head.seq.0 > last => Continuity::Missing,
            Some(_) => Continuity::Next,
        }
    }

    fn start(&mut self, head: &Head, from: Seq) -> Continuity {
        (self.restarts, self.is_conflated) = (false, false);
        self.epoch = head.epoch.0;
        self.open(from, Gap::Restart);
        Continuity::Start
    }

    fn open(&mut self, from: Seq, gap: Gap) {
        self.spans.push(Span {
            from: from.0,
            to: from.0,
            items: 0,
            gap,
        });
    }

    fn reach(&mut self, seq: Seq) {
        if let Some(span) = self.spans.last_mut() {
            span.to = seq.0;
            span.items += 1;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use market::{Epoch, InstrumentId, Nanos};
    use wire::View;

    use super::*;

    pub(crate) fn head(prev_seq: i64, seq: i64) -> Head {
        Head {
            instrument: InstrumentId(1),
            epoch: Epoch(5),
            view: View(0),
            prev_seq: Seq(prev_seq),
            seq: Seq(seq),
            event_time: None,
            log_time: Nanos(0),
            publish_time: Nanos(0),
        }
    }

    #[test]
    fn an_item_that_is_missing_or_comes_twice_is_seen() {
        let mut history = History::default();
        assert_eq!(history.snapshot(&head(-1, 10)), Continuity::Start);
        assert_eq!(history.item(&head(10, 12)), Continuity::Next);
        assert_eq!(history.item(&head(10, 12)), Continuity::Repeated);
        assert_eq!(history.heartbeat(&head(12, 12)), Continuity::Next);
        assert_eq!(history.heartbeat(&head(13, 13)), Continuity::Missing);
        assert_eq!(history.item(&head(13, 14)), Continuity::Missing);
        let spans: Vec<_> = history
            .spans()
            .iter()
            .map(|span| (span.from, span.to, span.items))
            .collect();
        assert_eq!(spans, [(10, 12, 1), (13, 14, 1)]);
    }

    #[test]
    fn another_numbering_is_seen_unless_there_was_none_before() {
        let of = |epoch: u32, mut head: Head| {
            head.epoch = Epoch(epoch);
            head
        };
        let mut history = History::default();
        assert_eq!(history.heartbeat(&of(1, head(-1, -1))), Continuity::Start);
        assert_eq!(history.item(&of(5, head(-1, 4))), Continuity::Start);
        assert_eq!(history.item(&of(5, head(4, 7))), Continuity::Next);
        assert_eq!(history.item(&of(6, head(7, 9))), Continuity::OtherEpoch);
    }

    #[test]
    fn what_was_said_not_to_come_is_a_hole_of_its_own_kind() {
        let mut history = History::default();
        assert_eq!(history.item(&head(3, 7)), Continuity::Start);
        history.conflate();
        assert_eq!(history.item(&head(7, 20)), Continuity::Conflated);
        assert_eq!(history.item(&head(20, 21)), Continuity::Next);
        history.restart();
        assert_eq!(history.snapshot(&head(-1, 30)), Continuity::Start);
        let gaps: Vec<_> = history
            .spans()
            .iter()
            .map(|span| (span.from, span.gap))
            .collect();
        assert_eq!(
            gaps,
            [(3, Gap::Restart), (20, Gap::Conflated), (30, Gap::Restart)]
        );
    }
}
