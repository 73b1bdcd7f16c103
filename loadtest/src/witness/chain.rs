use market::Seq;
use wire::Head;

/// Where a stream of one client stands, judged by the items that the client was given, and by
/// nothing that the client itself keeps.
#[derive(Debug, Default)]
pub(super) struct Chain {
    epoch: u32,
    /// What was had one by one, in order; the last one goes on.
    spans: Vec<Span>,
    /// The next item begins the stream anew.
    anew: bool,
    /// The next item stands for several, and the client was told so.
    conflated: bool,
}

/// A stretch of a stream: everything behind `from` up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    /// How many items it had.
    pub(super) items: u64,
    /// Why there is a hole before it.
    pub(super) hole: Hole,
}

/// Why a stretch does not follow on the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hole {
    /// The node could not resume, and said so.
    Anew,
    /// The client was too slow, and was told the net change.
    Conflated,
    /// Nobody said anything.
    Silent,
}

/// What an item was to its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The first one.
    Begins,
    /// It follows on the one before.
    Follows,
    /// It leads over what was said not to come one by one.
    Leads,
    /// The client was given it, or one behind it, before.
    Repeats,
    /// Something before it is missing.
    Misses,
    /// Its numbers are others.
    OtherEpoch,
}

impl Chain {
    /// The node said that the stream begins with its state.
    pub(super) fn begin_anew(&mut self) {
        self.anew = true;
    }

    /// The node said that the client is too slow for one by one.
    pub(super) fn conflate(&mut self) {
        self.conflated = true;
    }

    /// Whether the next item is one that only this client gets.
    pub(super) const fn is_conflated(&self) -> bool {
        self.conflated
    }

    /// Whether a message with that number is one that the client has.
    pub(super) fn has(&self, seq: i64) -> bool {
        !self.anew && self.last().is_some_and(|last| seq <= last)
    }

    pub(super) fn last(&self) -> Option<i64> {
        self.spans.last().map(|span| span.to)
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// A whole book came.
    pub(super) fn whole(&mut self, head: &Head) -> Link {
        if self.anew || self.spans.is_empty() {
            return self.start(head, head.seq);
        }
        self.step(head)
    }

    /// A change or a trade came.
    pub(super) fn step(&mut self, head: &Head) -> Link {
        if self.anew || self.spans.is_empty() {
            // Of trades there is no state: what they follow on is where they begin.
            let begins = self.start(head, head.prev_seq);
            self.reach(head.seq);
            return begins;
        }
        let Some(last) = self.last() else {
            return Link::Begins;
        };
        if self.epoch != head.epoch.0 {
            // Where nothing was said yet there is no numbering either: the first item begins it.
            let is_first = last == Seq::NONE.0;
            self.start(head, head.prev_seq);
            self.reach(head.seq);
            return if is_first {
                Link::Begins
            } else {
                Link::OtherEpoch
            };
        }
        let conflated = std::mem::take(&mut self.conflated);
        if head.seq.0 <= last {
            Link::Repeats
        } else if head.prev_seq.0 > last {
            self.open(head.prev_seq, Hole::Silent);
            self.reach(head.seq);
            Link::Misses
        } else if conflated || head.prev_seq.0 < last {
            self.open(head.seq, Hole::Conflated);
            Link::Leads
        } else {
            self.reach(head.seq);
            Link::Follows
        }
    }

    /// A sign of life came, which says where the stream stands.
    pub(super) fn stands(&mut self, head: &Head) -> Link {
        match self.last() {
            _ if self.anew => self.start(head, head.seq),
            None => self.start(head, head.seq),
            Some(last) if head.epoch.0 == self.epoch && head.seq.0 > last => Link::Misses,
            Some(_) => Link::Follows,
        }
    }

    fn start(&mut self, head: &Head, from: Seq) -> Link {
        (self.anew, self.conflated) = (false, false);
        self.epoch = head.epoch.0;
        self.open(from, Hole::Anew);
        Link::Begins
    }

    fn open(&mut self, from: Seq, hole: Hole) {
        self.spans.push(Span {
            from: from.0,
            to: from.0,
            items: 0,
            hole,
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
        let mut chain = Chain::default();
        assert_eq!(chain.whole(&head(-1, 10)), Link::Begins);
        assert_eq!(chain.step(&head(10, 12)), Link::Follows);
        assert_eq!(chain.step(&head(10, 12)), Link::Repeats);
        assert_eq!(chain.stands(&head(12, 12)), Link::Follows);
        assert_eq!(chain.stands(&head(13, 13)), Link::Misses);
        assert_eq!(chain.step(&head(13, 14)), Link::Misses);
        let spans: Vec<_> = chain
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
        let mut chain = Chain::default();
        assert_eq!(chain.stands(&of(1, head(-1, -1))), Link::Begins);
        assert_eq!(chain.step(&of(5, head(-1, 4))), Link::Begins);
        assert_eq!(chain.step(&of(5, head(4, 7))), Link::Follows);
        assert_eq!(chain.step(&of(6, head(7, 9))), Link::OtherEpoch);
    }

    #[test]
    fn what_was_said_not_to_come_is_a_hole_of_its_own_kind() {
        let mut chain = Chain::default();
        assert_eq!(chain.step(&head(3, 7)), Link::Begins);
        chain.conflate();
        assert_eq!(chain.step(&head(7, 20)), Link::Leads);
        assert_eq!(chain.step(&head(20, 21)), Link::Follows);
        chain.begin_anew();
        assert_eq!(chain.whole(&head(-1, 30)), Link::Begins);
        let holes: Vec<_> = chain
            .spans()
            .iter()
            .map(|span| (span.from, span.hole))
            .collect();
        assert_eq!(
            holes,
            [(3, Hole::Anew), (20, Hole::Conflated), (30, Hole::Anew)]
        );
    }
}
