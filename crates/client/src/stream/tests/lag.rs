//! A client that is slower than its node, or ahead of it.

use super::*;

#[test]
fn a_conflated_catch_up_is_one_delta() {
    let mut pair = Pair::begun(Channel::Book);
    let from = pair.origin.seq;
    pair.origin.set(&[(100, 0), (98, 3)], &[(101, 8)]);
    pair.origin.set(&[(98, 0)], &[(103, 1)]);
    let lag = pair.origin.lag(LagKind::Conflated, from);
    assert_eq!(pair.take(&lag), Effect::Noted);
    let net = pair.origin.net_since(from);
    assert_eq!(pair.take(&net), Effect::Applied(None));
    pair.check_right();
}

#[test]
fn an_announced_snapshot_is_applied_whatever_it_follows_on_and_another_is_a_gap() {
    let mut pair = Pair::begun(Channel::Book);
    let from = pair.origin.seq;
    pair.origin.set(&[(100, 0)], &[]);
    let lag = pair.origin.lag(LagKind::Snapshot, from);
    assert_eq!(pair.take(&lag), Effect::Noted);
    let whole = pair.origin.snapshot(1).concat();
    assert_eq!(pair.take(&whole), Effect::Applied(None));
    pair.check_right();
    pair.origin.set(&[(99, 0)], &[]);
    let whole = pair.origin.snapshot(1000).concat();
    assert!(matches!(pair.take(&whole), Effect::Gap(_)));
}

#[test]
fn an_announced_bbo_is_applied_whatever_it_follows_on() {
    let mut pair = Pair::begun(Channel::Bbo);
    let from = pair.origin.seq;
    pair.origin.bbo();
    pair.origin.bbo();
    let lag = pair.origin.lag(LagKind::Conflated, from);
    assert_eq!(pair.take(&lag), Effect::Noted);
    let last = pair.origin.last_bbo();
    assert_eq!(pair.take(&last), Effect::Applied(None));
    assert_eq!(pair.tracker.position(), Some(pair.origin.position()));
}

#[test]
fn skipped_trades_are_a_gap_and_the_stream_goes_on_behind_it() {
    let mut pair = Pair::begun(Channel::Trades);
    let from = pair.origin.position();
    pair.origin.trade(1);
    let lag = pair.origin.lag(LagKind::Skipped, from.seq);
    let missing = Missing {
        from: Some(from),
        to: Some(pair.origin.seq),
    };
    assert_eq!(pair.take(&lag), Effect::Lost(missing, GapCause::Skipped));
    let trade = pair.origin.trade(2);
    assert_eq!(pair.take(&trade), Effect::Applied(None));
}

#[test]
fn a_book_cannot_go_on_behind_something_skipped() {
    let mut pair = Pair::begun(Channel::Book);
    let from = pair.origin.seq;
    pair.origin.set(&[(98, 1)], &[]);
    let lag = pair.origin.lag(LagKind::Skipped, from);
    assert!(matches!(pair.take(&lag), Effect::Gap(_)));
}

#[test]
fn a_book_that_is_ahead_of_its_node_is_not_called_live_until_the_node_is_there() {
    let mut pair = Pair::begun(Channel::Book);
    let first = pair.origin.set(&[(98, 1)], &[]);
    let second = pair.origin.set(&[(97, 1)], &[]);
    pair.take(&[first.clone(), second.clone()].concat());
    pair.tracker.stop();
    let asked = pair.tracker.resume_position();
    pair.start(StartKind::Resumed, None, asked);
    assert_eq!(pair.take(&first), Effect::Duplicate);
    assert!(pair.tracker.is_ahead_of_node());
    assert_eq!(pair.trust(), Trust::Behind);
    assert_eq!(pair.take(&second), Effect::Duplicate);
    assert!(!pair.tracker.is_ahead_of_node());
    pair.check_right();
}

#[test]
fn a_heartbeat_shows_how_far_a_node_is() {
    let mut pair = Pair::begun(Channel::Book);
    let early = pair.origin.heartbeat();
    let delta = pair.origin.set(&[(98, 1)], &[]);
    pair.take(&delta);
    assert_eq!(pair.take(&early), Effect::Noted);
    assert_eq!(pair.trust(), Trust::Behind);
    let now = pair.origin.heartbeat();
    assert_eq!(pair.take(&now), Effect::Noted);
    pair.check_right();
}

#[test]
fn a_message_that_is_told_again_has_to_say_the_same() {
    let mut pair = Pair::begun(Channel::Book);
    let mut delta = pair.origin.set(&[(98, 1)], &[]);
    pair.take(&delta);
    delta[64] ^= 1; // the checksum
    assert!(matches!(pair.take(&delta), Effect::Mismatch(_)));
    assert_eq!(pair.trust(), Trust::Wrong);
}
