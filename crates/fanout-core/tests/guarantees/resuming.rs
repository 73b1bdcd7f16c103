//! Going on where one stood, here or elsewhere.

use market::{Channel, Epoch, Position, Seq, State};
use streams::{ResumeFailure, Start};
use wire::{BarInterval, Depth, Encoding, Speed, ViewParams};

use crate::client::{Checked, Client};
use crate::node::{Node, bars, key, params, present, settings, view_key};
use crate::script::{A, at, delta, trade, whole};

/// Resumes at a position without any state.
#[track_caller]
fn resume(
    node: &mut Node,
    channel: Channel,
    seq: i64,
) -> Result<(Start, Client), proptest::test_runner::TestCaseError> {
    let key = key(A, channel, Depth::Full);
    let epoch = node
        .witness(A, channel)
        .mine
        .map_or(Epoch(0), |mine| mine.epoch);
    let mut client = Client::new(key, Encoding::Sbe);
    client.mine = Some(Position {
        epoch,
        seq: Seq(seq),
    });
    let seat = node.seat(client);
    let from = node.seats[seat].client.mine;
    let start = node.enter(seat, from)?;
    Ok((start, node.seats[seat].client.clone()))
}

#[test]
fn where_a_node_begins_to_read_is_no_place_of_a_book() -> Checked {
    let mut early = Node::new(settings());
    early.watch_all()?;
    early.read(&at(0, whole(Some(1), &[(1, 1)], &[(9, 1)])));
    early.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
    // The second node begins behind offset 0, and has seen no whole book.
    let mut late = Node::starting_at(settings(), &[(0, 1), (0, 0), (0, 0), (0, 0)]);
    late.watch_all()?;
    late.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
    early.flush()?;
    late.flush()?;
    for channel in [Channel::Book, Channel::Bbo] {
        let come = late.witness(A, channel).clone();
        assert!(come.broken.is_some());
        let seat = early.seat(come);
        let from = early.seats[seat].client.mine;
        let start = early.enter(seat, from)?;
        assert_eq!(start, Start::Snapshot(Some(ResumeFailure::LogExceeded)));
    }
    early.check()
}

#[test]
fn a_node_without_a_book_resumes_nobody() -> Checked {
    let mut early = Node::new(settings());
    let mut late = Node::starting_at(settings(), &[(0, 2), (0, 0), (0, 0), (0, 0)]);
    for node in [&mut early, &mut late] {
        node.watch_all()?;
    }
    early.read(&at(0, whole(Some(1), &[(1, 1)], &[(9, 1)])));
    early.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
    for node in [&mut early, &mut late] {
        node.read(&at(2, delta(Some((2, 3)), &[(3, 3)], &[])));
        node.flush()?;
    }
    for channel in [Channel::Book, Channel::Bbo] {
        let seat = late.seat(early.witness(A, channel).clone());
        let from = late.seats[seat].client.mine;
        let start = late.enter(seat, from)?;
        assert_eq!(start, Start::Snapshot(Some(ResumeFailure::NoState)));
    }
    late.check()?;
    late.read(&at(3, whole(Some(4), &[(4, 4)], &[(9, 1)])));
    late.check()
}

#[test]
fn who_stands_between_two_messages_of_a_book_is_not_resumed() -> Checked {
    let mut node = Node::new(settings());
    node.watch_all()?;
    node.read(&at(0, whole(Some(1), &[(1, 1)], &[(9, 1)])));
    node.read(&at(5, delta(Some((1, 2)), &[(2, 2)], &[])));
    node.read(&at(9, delta(Some((2, 3)), &[(3, 3)], &[])));
    node.flush()?;
    for (seq, start) in [
        (0, Start::Resumed),
        (3, Start::Snapshot(Some(ResumeFailure::LogExceeded))),
        (5, Start::Resumed),
        (7, Start::Snapshot(Some(ResumeFailure::LogExceeded))),
        (9, Start::Resumed),
    ] {
        let epoch = node.witness(A, Channel::Book).mine.unwrap().epoch;
        let from = Position {
            epoch,
            seq: Seq(seq),
        };
        let watch = node
            .publisher
            .open_stream(
                key(A, Channel::Book, Depth::Full),
                Encoding::Sbe,
                market::Monotonic(0),
            )
            .unwrap();
        let joined = node.publisher.join(watch, Some(from), present(0));
        assert_eq!(joined.unwrap().start, start, "{seq}");
        node.publisher.close_stream(watch);
    }
    Ok(())
}

/// A view of [`A`] that tells once a second, on two nodes that have read the same; both have told
/// `told`, the first has told `more` too, and the second holds it back.
fn paced() -> Result<(Node, Node, usize), proptest::test_runner::TestCaseError> {
    let key = view_key(A, Channel::Book, params(Depth::D1, Speed::S1, 0));
    let (mut first, mut second) = (Node::new(settings()), Node::new(settings()));
    for node in [&mut first, &mut second] {
        node.watch_all()?;
        node.read(&at(0, whole(Some(1), &[(1, 1)], &[(9, 1)])));
        node.join(key, Encoding::Sbe)?;
        node.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
        node.flush()?;
        node.read(&at(2, delta(Some((2, 3)), &[(3, 3)], &[])));
        node.flush()?;
    }
    first.speak();
    first.flush()?;
    let seat = first.seats.len() - 1;
    assert_eq!(first.seats[seat].client.mine.unwrap().seq, Seq(2));
    let held = second.seats.last().unwrap();
    assert_eq!(held.client.mine.unwrap().seq, Seq(1), "it rests");
    Ok((first, second, seat))
}

#[test]
fn who_is_ahead_of_what_a_resting_view_told_makes_it_speak() -> Checked {
    let (first, mut second, seat) = paced()?;
    let come = second.seat(first.seats[seat].client.clone());
    let from = second.seats[come].client.mine;
    assert_eq!(second.enter(come, from)?, Start::Resumed);
    let held = &second.seats[come - 1];
    assert_eq!(held.client.mine.unwrap().seq, Seq(2), "all are told");
    // The level that both had is gone again: who was not led there would keep it.
    second.read(&at(3, delta(Some((3, 4)), &[(3, 0), (2, 0)], &[])));
    second.check()
}

#[test]
fn who_is_ahead_of_all_that_was_read_begins_a_view_with_a_speed_anew() -> Checked {
    let (mut first, mut second, seat) = paced()?;
    first.read(&at(3, delta(Some((3, 4)), &[(4, 4)], &[])));
    first.speak();
    first.flush()?;
    let come = second.seat(first.seats[seat].client.clone());
    let from = second.seats[come].client.mine;
    let start = second.enter(come, from)?;
    assert_eq!(start, Start::Snapshot(Some(ResumeFailure::AheadOfLog)));
    second.read(&at(3, delta(Some((3, 4)), &[(4, 4)], &[])));
    second.read(&at(4, delta(Some((4, 5)), &[(4, 0)], &[])));
    second.check()
}

#[test]
fn trades_are_resumed_from_any_place() -> Checked {
    let mut node = Node::new(settings());
    node.watch_all()?;
    for offset in [2, 4, 8] {
        node.read(&at(offset, trade("x")));
    }
    node.flush()?;
    for (seq, given) in [
        (-1, 3),
        (0, 3),
        (2, 2),
        (3, 2),
        (4, 1),
        (7, 1),
        (8, 0),
        (20, 0),
    ] {
        let (start, client) = resume(&mut node, Channel::Trades, seq)?;
        assert_eq!(
            (start, client.trades().len()),
            (Start::Resumed, given),
            "{seq}"
        );
    }
    Ok(())
}

#[test]
fn who_watches_a_state_is_told_at_once_when_the_log_is_not_heard_and_when_it_is_again() -> Checked {
    let mut node = Node::new(settings());
    node.watch_all()?;
    node.read(&at(3, whole(None, &[(1, 1)], &[(9, 1)])));
    node.flush()?;
    let (_, client) = resume(&mut node, Channel::Status, 3)?;
    assert_eq!(client.state.unwrap().0, State::Live);
    node.publisher.connection_lost(present(node.now));
    node.flush()?;
    let (_, client) = resume(&mut node, Channel::Status, 3)?;
    assert_eq!(client.state.unwrap().0, State::Stale);
    node.publisher.connection_restored(present(node.now));
    node.flush()?;
    let (_, client) = resume(&mut node, Channel::Status, 3)?;
    assert_eq!(client.state.unwrap().0, State::Live);
    // What was quiet for too long by itself stays stale.
    node.tick(100_000);
    node.publisher.connection_lost(present(node.now));
    node.publisher.connection_restored(present(node.now));
    node.flush()?;
    let (_, client) = resume(&mut node, Channel::Status, 3)?;
    assert_eq!(client.state.unwrap().0, State::Stale);
    Ok(())
}

#[test]
fn a_resumed_state_is_that_of_now() -> Checked {
    let mut node = Node::new(settings());
    node.watch_all()?;
    node.read(&at(3, whole(None, &[(1, 1)], &[(9, 1)])));
    node.flush()?;
    node.tick(100_000);
    let (start, client) = resume(&mut node, Channel::Status, 3)?;
    assert_eq!(start, Start::Resumed);
    assert_eq!(client.state.unwrap().0, State::Stale);
    // Who is ahead would pass over what it is told, and begins anew.
    let (start, client) = resume(&mut node, Channel::Status, 4)?;
    assert_eq!(start, Start::Snapshot(Some(ResumeFailure::LogExceeded)));
    assert_eq!(client.state.unwrap().0, State::Stale);
    Ok(())
}

#[test]
fn who_subscribed_before_the_first_record_resumes_before_it_as_well() -> Checked {
    let mut node = Node::new(settings());
    for channel in Channel::ALL {
        let params = match channel {
            Channel::Bars => bars(BarInterval::S1, Speed::Raw),
            _ => ViewParams::default(),
        };
        let seat = node.join(view_key(A, channel, params), Encoding::Sbe)?;
        let from = node.seats[seat].client.mine;
        node.leave(seat)?;
        node.enter(seat, from)?;
    }
    node.watch_all()?;
    node.read(&at(0, whole(Some(1), &[(1, 1)], &[(9, 1)])));
    node.read(&at(1, trade("1")));
    node.check()
}
