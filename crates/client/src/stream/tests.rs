mod lag;

use market::{Channel, Exponents, InstrumentId, Position, Reason, State};
use wire::control::{Policy, StartKind, StartReason, StreamKey, Subscribed};
use wire::{LagKind, View};

use super::*;
use crate::event::{GapCause, ResyncReason};
use crate::testing::{NAME, Origin, each};

/// A tracker, and the stream that it tracks.
struct Pair {
    origin: Origin,
    tracker: Tracker,
}

fn told(origin: &Origin, start: StartKind, reason: Option<StartReason>) -> Subscribed {
    let name = market::InstrumentName::parse(NAME).unwrap();
    Subscribed {
        stream: StreamKey::new(origin.channel, name),
        policy: Policy::Conflate,
        instrument: InstrumentId::of(NAME),
        view: View::FULL_RAW,
        epoch: origin.epoch,
        exponents: origin.exponents,
        start,
        reason,
    }
}

impl Pair {
    /// Subscribed; nothing has arrived.
    fn open(channel: Channel) -> Self {
        let mut pair = Self {
            origin: Origin::new(channel),
            tracker: Tracker::new(channel),
        };
        assert_eq!(pair.start(StartKind::Snapshot, None, None), None);
        pair
    }

    /// Subscribed, and begun.
    fn begun(channel: Channel) -> Self {
        let mut pair = Self::open(channel);
        let first = match channel {
            Channel::Book => pair.origin.snapshot(1000).concat(),
            Channel::Bbo => pair.origin.last_bbo(),
            Channel::Trades => pair.origin.heartbeat(),
            _ => pair.origin.status(State::Live, Reason::None),
        };
        pair.take(&first);
        assert_eq!(pair.tracker.position(), Some(pair.origin.position()));
        pair
    }

    fn start(
        &mut self,
        start: StartKind,
        reason: Option<StartReason>,
        asked: Option<Position>,
    ) -> Option<Missing> {
        self.tracker.open(&told(&self.origin, start, reason), asked)
    }

    /// The effect of the last of these messages.
    fn take(&mut self, encoded: &[u8]) -> Effect {
        let mut last = None;
        each(encoded, |message, _| {
            last = Some(self.tracker.apply(message));
        });
        last.unwrap()
    }

    fn trust(&self) -> Trust {
        self.tracker.book().unwrap().trust()
    }

    #[track_caller]
    fn check_right(&self) {
        let kept = self.tracker.book().unwrap();
        assert_eq!(kept.trust(), Trust::Live);
        assert_eq!(kept.book(), &self.origin.book);
        assert_eq!(kept.position(), Some(self.origin.position()));
    }
}

#[test]
fn a_delta_that_follows_on_is_applied_and_one_that_was_had_is_not() {
    let mut pair = Pair::begun(Channel::Book);
    let delta = pair.origin.set(&[(100, 9)], &[]);
    assert_eq!(pair.take(&delta), Effect::Applied(None));
    pair.check_right();
    assert_eq!(pair.take(&delta), Effect::Duplicate);
    pair.check_right();
    let first = pair.origin.log[0].1.clone();
    assert_eq!(pair.take(&first), Effect::Duplicate);
    let next = pair.origin.set(&[(100, 3)], &[]);
    assert_eq!(pair.take(&next), Effect::Applied(None));
    pair.check_right();
}

#[test]
fn an_empty_delta_moves_the_stream_on() {
    let mut pair = Pair::begun(Channel::Book);
    let delta = pair.origin.set(&[], &[]);
    assert_eq!(pair.take(&delta), Effect::Applied(None));
    pair.check_right();
}

#[test]
fn a_gap_is_never_silent() {
    for channel in [Channel::Book, Channel::Bbo, Channel::Trades] {
        let mut pair = Pair::begun(channel);
        let from = pair.tracker.position();
        let publish = |origin: &mut Origin| match channel {
            Channel::Book => origin.set(&[(98, 1)], &[]),
            Channel::Bbo => origin.bbo(),
            _ => origin.trade(1),
        };
        publish(&mut pair.origin);
        let to = Some(pair.origin.seq);
        let behind = publish(&mut pair.origin);
        assert_eq!(
            pair.take(&behind),
            Effect::Gap(Missing { from, to }),
            "{channel:?}"
        );
        // Resumed, the stream continues with exactly what was missed, and reports that the gap is over.
        assert_eq!(pair.tracker.resume_position(), from);
        pair.start(StartKind::Resumed, None, from);
        let missed = pair.origin.log[pair.origin.log.len() - 2].1.clone();
        let fault = Fault {
            from,
            reason: ResyncReason::Gap,
        };
        assert_eq!(
            pair.take(&missed),
            Effect::Applied(Some(fault)),
            "{channel:?}"
        );
        assert_eq!(pair.take(&behind), Effect::Applied(None), "{channel:?}");
    }
}

#[test]
fn a_heartbeat_reveals_a_gap_and_moves_nothing() {
    let mut pair = Pair::begun(Channel::Book);
    let beat = pair.origin.heartbeat();
    assert_eq!(pair.take(&beat), Effect::Noted);
    let from = pair.tracker.position();
    pair.origin.set(&[(98, 1)], &[]);
    let beat = pair.origin.heartbeat();
    let to = Some(pair.origin.seq);
    assert_eq!(pair.take(&beat), Effect::Gap(Missing { from, to }));
    assert_eq!(pair.trust(), Trust::Behind);
}

#[test]
fn a_book_behind_a_gap_is_not_called_right_until_it_is() {
    let mut pair = Pair::begun(Channel::Book);
    pair.origin.set(&[(98, 1)], &[]);
    let behind = pair.origin.set(&[(97, 1)], &[]);
    pair.take(&behind);
    assert_eq!(pair.trust(), Trust::Behind);
    // Not resumed: the old book stays visible, and is behind until the snapshot is complete.
    let asked = pair.tracker.resume_position();
    pair.start(StartKind::Snapshot, Some(StartReason::LogExceeded), asked);
    let [first, second] = pair.origin.snapshot(2).try_into().unwrap();
    assert_eq!(pair.take(&first), Effect::Incomplete);
    assert_eq!(pair.trust(), Trust::Behind);
    let fault = Fault {
        from: asked,
        reason: ResyncReason::NotResumed(Some(StartReason::LogExceeded)),
    };
    assert_eq!(pair.take(&second), Effect::Applied(Some(fault)));
    pair.check_right();
}

#[test]
fn a_partial_snapshot_is_void_as_soon_as_anything_else_comes() {
    for between in ["heartbeat", "first chunk of another", "delta"] {
        let mut pair = Pair::open(Channel::Book);
        let [first, second] = pair.origin.snapshot(1).try_into().unwrap();
        assert_eq!(pair.take(&first), Effect::Incomplete);
        match between {
            "heartbeat" => {
                let beat = pair.origin.heartbeat();
                assert!(matches!(pair.take(&beat), Effect::Gap(_)));
            }
            "delta" => {
                let delta = pair.origin.set(&[(98, 1)], &[]);
                assert!(matches!(pair.take(&delta), Effect::Gap(_)));
            }
            _ => {
                pair.origin.set(&[(98, 1)], &[]);
                let other = pair.origin.snapshot(1)[0].clone();
                assert_eq!(pair.take(&other), Effect::Incomplete);
            }
        }
        assert!(matches!(pair.take(&second), Effect::Gap(_)), "{between}");
        assert_eq!(pair.trust(), Trust::Empty);
    }
}

#[test]
fn a_partial_snapshot_leaves_the_position_to_resume_from() {
    let mut pair = Pair::begun(Channel::Book);
    let stood = pair.tracker.resume_position();
    pair.tracker.stop();
    pair.origin.set(&[(98, 1)], &[]);
    pair.start(StartKind::Snapshot, Some(StartReason::LogExceeded), stood);
    let first = pair.origin.snapshot(1)[0].clone();
    assert_eq!(pair.take(&first), Effect::Incomplete);
    pair.tracker.stop();
    // The book is still the old one, and complete: a node with a longer log can resume it.
    assert_eq!(pair.tracker.resume_position(), stood);
    pair.start(StartKind::Resumed, None, stood);
    let missed = pair.origin.log.last().unwrap().1.clone();
    assert!(matches!(pair.take(&missed), Effect::Applied(Some(_))));
    pair.check_right();
}

#[test]
fn a_wrong_checksum_marks_the_book_and_forgets_the_position() {
    let mut pair = Pair::begun(Channel::Book);
    let from = pair.tracker.position();
    let mut delta = pair.origin.set(&[(100, 9)], &[]);
    let level = delta.len() - 4 - 16; // before the empty asks' head
    delta[level + 8] ^= 1;
    assert!(
        matches!(pair.take(&delta), Effect::Mismatch(wrong) if wrong.received != wrong.computed)
    );
    assert_eq!(pair.trust(), Trust::Wrong);
    assert_eq!(pair.tracker.resume_position(), None);
    pair.start(StartKind::Snapshot, None, None);
    let whole = pair.origin.snapshot(1000).concat();
    let fault = Fault {
        from,
        reason: ResyncReason::Checksum,
    };
    assert_eq!(pair.take(&whole), Effect::Applied(Some(fault)));
    pair.check_right();
}

#[test]
fn a_snapshot_that_is_not_what_it_says_is_refused() {
    let mut pair = Pair::open(Channel::Book);
    let mut whole = pair.origin.snapshot(1000).concat();
    let last = whole.len() - 1;
    whole[last - 7] ^= 1;
    assert!(matches!(pair.take(&whole), Effect::Mismatch(_)));
    assert_eq!(pair.trust(), Trust::Wrong);
}

#[test]
fn a_size_below_zero_is_no_level_whatever_the_checksum_says() {
    let mut pair = Pair::begun(Channel::Book);
    let delta = pair.origin.set(&[(100, -9)], &[]);
    assert!(matches!(pair.take(&delta), Effect::Mismatch(_)));
}

#[test]
fn a_broken_status_takes_a_seq_and_the_next_delta_ends_it() {
    let mut pair = Pair::begun(Channel::Book);
    let from = pair.tracker.position();
    let status = pair.origin.break_off(Reason::Gap);
    assert_eq!(pair.take(&status), Effect::Noted);
    assert_eq!(pair.trust(), Trust::Broken);
    assert_eq!(pair.tracker.resume_position(), Some(pair.origin.position()));
    let delta = pair.origin.set(&[(98, 1)], &[]);
    let fault = Fault {
        from,
        reason: ResyncReason::Upstream(Reason::Gap),
    };
    assert_eq!(pair.take(&delta), Effect::Applied(Some(fault)));
    pair.check_right();
}

#[test]
fn a_restated_status_is_believed_and_moves_nothing() {
    let mut pair = Pair::begun(Channel::Book);
    let stood = pair.tracker.position();
    let status = pair.origin.status(State::Resyncing, Reason::Starting);
    assert_eq!(pair.take(&status), Effect::Noted);
    assert_eq!(
        (pair.trust(), pair.tracker.position()),
        (Trust::Broken, stood)
    );
    // Halted and stale books are right.
    let mut pair = Pair::begun(Channel::Book);
    let status = pair.origin.status(State::Halted, Reason::Venue);
    assert_eq!(pair.take(&status), Effect::Noted);
    pair.check_right();
}

#[test]
fn a_broken_book_stays_broken_over_a_reconnect() {
    let mut pair = Pair::begun(Channel::Book);
    let status = pair.origin.break_off(Reason::Crossed);
    pair.take(&status);
    pair.tracker.stop();
    let asked = pair.tracker.resume_position();
    pair.start(StartKind::Resumed, None, asked);
    assert_eq!(pair.trust(), Trust::Broken);
    let delta = pair.origin.set(&[(98, 1)], &[]);
    assert!(matches!(pair.take(&delta), Effect::Applied(Some(_))));
    pair.check_right();
}

#[test]
fn a_broken_status_of_trades_is_a_gap_of_its_own() {
    let mut pair = Pair::begun(Channel::Trades);
    let from = pair.tracker.position();
    let status = pair.origin.break_off(Reason::Gap);
    let missing = Missing {
        from,
        to: Some(pair.origin.seq),
    };
    let cause = GapCause::Upstream(Reason::Gap);
    assert_eq!(pair.take(&status), Effect::Lost(missing, cause));
    let trade = pair.origin.trade(1);
    assert!(matches!(pair.take(&trade), Effect::Applied(Some(_))));
}

#[test]
fn trades_that_cannot_be_resumed_are_a_gap_and_a_book_is_not() {
    for (channel, loses) in [
        (Channel::Trades, true),
        (Channel::Bbo, false),
        (Channel::Book, false),
    ] {
        let mut pair = Pair::begun(channel);
        let from = pair.tracker.resume_position();
        pair.tracker.stop();
        let missing = pair.start(StartKind::Snapshot, Some(StartReason::BeforeStart), from);
        assert_eq!(
            missing,
            loses.then_some(Missing { from, to: None }),
            "{channel:?}"
        );
    }
    // Even if nothing had arrived yet: trades between the two connections are unknown.
    let mut pair = Pair::open(Channel::Trades);
    pair.tracker.stop();
    let missing = pair.start(StartKind::Snapshot, None, None);
    assert_eq!(
        missing,
        Some(Missing {
            from: None,
            to: None
        })
    );
}

#[test]
fn only_a_snapshot_begins_a_book() {
    let mut pair = Pair::open(Channel::Book);
    let delta = pair.origin.set(&[(98, 1)], &[]);
    assert!(matches!(pair.take(&delta), Effect::Gap(_)));
    assert_eq!(pair.trust(), Trust::Empty);
}

#[test]
fn a_new_epoch_begins_with_its_snapshot_and_is_told() {
    let mut pair = Pair::begun(Channel::Book);
    let from = pair.tracker.position();
    pair.origin.new_epoch();
    pair.origin.exponents = Exponents {
        price: -4,
        size: -4,
    };
    pair.tracker
        .announce(pair.origin.epoch, pair.origin.exponents);
    assert_eq!(
        pair.tracker.exponents(),
        Exponents {
            price: -2,
            size: -3
        }
    );
    let whole = pair.origin.snapshot(1000).concat();
    let fault = Fault {
        from,
        reason: ResyncReason::EpochChanged,
    };
    assert_eq!(pair.take(&whole), Effect::Applied(Some(fault)));
    pair.check_right();
    assert_eq!(pair.tracker.exponents(), pair.origin.exponents);
}

#[test]
fn a_delta_of_another_epoch_is_a_gap() {
    let mut pair = Pair::begun(Channel::Book);
    pair.origin.new_epoch();
    let delta = pair.origin.set(&[(98, 1)], &[]);
    assert!(matches!(pair.take(&delta), Effect::Gap(_)));
}

#[test]
fn any_message_begins_a_new_epoch_of_another_channel() {
    for channel in [Channel::Bbo, Channel::Trades] {
        let mut pair = Pair::begun(channel);
        let from = pair.tracker.position();
        pair.origin.new_epoch();
        let beat = pair.origin.heartbeat();
        assert_eq!(pair.take(&beat), Effect::Noted);
        let next = match channel {
            Channel::Bbo => pair.origin.bbo(),
            _ => pair.origin.trade(1),
        };
        let fault = Fault {
            from,
            reason: ResyncReason::EpochChanged,
        };
        assert_eq!(pair.take(&next), Effect::Applied(Some(fault)));
    }
}

#[test]
fn a_status_stream_replaces_its_state_also_at_the_same_seq() {
    let mut pair = Pair::begun(Channel::Status);
    let stale = pair.origin.status(State::Stale, Reason::Quiet);
    assert_eq!(pair.take(&stale), Effect::Applied(None));
    let next = pair.origin.break_off(Reason::Gap);
    assert_eq!(pair.take(&next), Effect::Applied(None));
    pair.origin.break_off(Reason::Gap);
    let behind = pair.origin.break_off(Reason::Gap);
    assert!(matches!(pair.take(&behind), Effect::Gap(_)));
}

#[test]
fn a_duplicate_after_a_resume_is_passed_over() {
    let mut pair = Pair::begun(Channel::Book);
    let delta = pair.origin.set(&[(98, 1)], &[]);
    pair.take(&delta);
    pair.tracker.stop();
    assert_eq!(pair.trust(), Trust::Behind);
    let asked = pair.tracker.resume_position();
    pair.start(StartKind::Resumed, None, asked);
    pair.check_right();
    assert_eq!(pair.take(&delta), Effect::Duplicate);
    assert_eq!(pair.tracker.position(), Some(pair.origin.position()));
    let next = pair.origin.set(&[(97, 1)], &[]);
    assert_eq!(pair.take(&next), Effect::Applied(None));
    pair.check_right();
}
