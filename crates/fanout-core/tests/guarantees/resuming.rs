//! Resuming after a position, at the same node or another.

use market::{Channel, Epoch, Position, Seq, State};
use streams::{ResumeFailure, Start};
use wire::{BarInterval, Depth, Encoding, Speed, ViewParams};

use crate::client::{Checked, Client};
use crate::node::{Node, bars, key, params, present, settings, view_key};
use crate::script::{A, at, delta, snapshot, trade};

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
    let subscriber = node.add_subscriber(client);
    let from = node.subscribers[subscriber].client.mine;
    let start = node.subscribe(subscriber, from)?;
    Ok((start, node.subscribers[subscriber].client.clone()))
}

#[test]
fn the_offset_where_a_node_starts_to_read_is_no_position_of_a_book() -> Checked {
    let mut early = Node::new(settings());
    early.subscribe_witnesses()?;
    early.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    early.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
    // The second node starts after offset 0, and has seen no snapshot.
    let mut late = Node::starting_at(settings(), &[(0, 1), (0, 0), (0, 0), (0, 0)]);
    late.subscribe_witnesses()?;
    late.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
    early.flush()?;
    late.flush()?;
    for channel in [Channel::Book, Channel::Bbo] {
        let arriving = late.witness(A, channel).clone();
        assert!(arriving.broken.is_some());
        let subscriber = early.add_subscriber(arriving);
        let from = early.subscribers[subscriber].client.mine;
        let start = early.subscribe(subscriber, from)?;
        assert_eq!(start, Start::Snapshot(Some(ResumeFailure::LogExceeded)));
    }
    early.check()
}

#[test]
fn a_node_without_a_snapshot_resumes_no_client() -> Checked {
    let mut early = Node::new(settings());
    let mut late = Node::starting_at(settings(), &[(0, 2), (0, 0), (0, 0), (0, 0)]);
    for node in [&mut early, &mut late] {
        node.subscribe_witnesses()?;
    }
    early.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    early.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
    for node in [&mut early, &mut late] {
        node.read(&at(2, delta(Some((2, 3)), &[(3, 3)], &[])));
        node.flush()?;
    }
    for channel in [Channel::Book, Channel::Bbo] {
        let subscriber = late.add_subscriber(early.witness(A, channel).clone());
        let from = late.subscribers[subscriber].client.mine;
        let start = late.subscribe(subscriber, from)?;
        assert_eq!(start, Start::Snapshot(Some(ResumeFailure::NoState)));
    }
    late.check()?;
    late.read(&at(3, snapshot(Some(4), &[(4, 4)], &[(9, 1)])));
    late.check()
}

#[test]
fn a_position_between_two_messages_of_a_book_cannot_be_resumed() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
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

/// A view of [`A`] that publishes once a second, on two nodes that have read the same. Both have published
/// offset 1; the first has published offset 2 too, and the second still holds it back.
fn paced() -> Result<(Node, Node, usize), proptest::test_runner::TestCaseError> {
    let key = view_key(A, Channel::Book, params(Depth::D1, Speed::S1, 0));
    let (mut first, mut second) = (Node::new(settings()), Node::new(settings()));
    for node in [&mut first, &mut second] {
        node.subscribe_witnesses()?;
        node.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
        node.subscribe_new(key, Encoding::Sbe)?;
        node.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
        node.flush()?;
        node.read(&at(2, delta(Some((2, 3)), &[(3, 3)], &[])));
        node.flush()?;
    }
    first.publish_throttled();
    first.flush()?;
    let subscriber = first.subscribers.len() - 1;
    assert_eq!(
        first.subscribers[subscriber].client.mine.unwrap().seq,
        Seq(2)
    );
    let held = second.subscribers.last().unwrap();
    assert_eq!(held.client.mine.unwrap().seq, Seq(1), "it is throttled");
    Ok((first, second, subscriber))
}

#[test]
fn a_client_ahead_of_a_throttled_view_makes_it_publish() -> Checked {
    let (first, mut second, subscriber) = paced()?;
    let arriving = second.add_subscriber(first.subscribers[subscriber].client.clone());
    let from = second.subscribers[arriving].client.mine;
    assert_eq!(second.subscribe(arriving, from)?, Start::Resumed);
    let held = &second.subscribers[arriving - 1];
    assert_eq!(
        held.client.mine.unwrap().seq,
        Seq(2),
        "every subscriber gets it"
    );
    // The level that both had is removed: a client that had not received it would keep it.
    second.read(&at(3, delta(Some((3, 4)), &[(3, 0), (2, 0)], &[])));
    second.check()
}

#[test]
fn a_client_ahead_of_everything_read_restarts_a_throttled_view() -> Checked {
    let (mut first, mut second, subscriber) = paced()?;
    first.read(&at(3, delta(Some((3, 4)), &[(4, 4)], &[])));
    first.publish_throttled();
    first.flush()?;
    let arriving = second.add_subscriber(first.subscribers[subscriber].client.clone());
    let from = second.subscribers[arriving].client.mine;
    let start = second.subscribe(arriving, from)?;
    assert_eq!(start, Start::Snapshot(Some(ResumeFailure::AheadOfLog)));
    second.read(&at(3, delta(Some((3, 4)), &[(4, 4)], &[])));
    second.read(&at(4, delta(Some((4, 5)), &[(4, 0)], &[])));
    second.check()
}

#[test]
fn trades_can_be_resumed_from_any_position() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
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
fn a_status_subscriber_learns_at_once_that_kafka_is_silent_and_that_it_is_back() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&at(3, snapshot(None, &[(1, 1)], &[(9, 1)])));
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
fn a_resumed_status_is_the_current_one() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&at(3, snapshot(None, &[(1, 1)], &[(9, 1)])));
    node.flush()?;
    node.tick(100_000);
    let (start, client) = resume(&mut node, Channel::Status, 3)?;
    assert_eq!(start, Start::Resumed);
    assert_eq!(client.state.unwrap().0, State::Stale);
    // A client that is ahead would ignore what it is sent, so it restarts.
    let (start, client) = resume(&mut node, Channel::Status, 4)?;
    assert_eq!(start, Start::Snapshot(Some(ResumeFailure::LogExceeded)));
    assert_eq!(client.state.unwrap().0, State::Stale);
    Ok(())
}

#[test]
fn a_client_that_subscribed_before_the_first_record_can_resume_before_it() -> Checked {
    let mut node = Node::new(settings());
    for channel in Channel::ALL {
        let params = match channel {
            Channel::Bars => bars(BarInterval::S1, Speed::Raw),
            _ => ViewParams::default(),
        };
        let subscriber = node.subscribe_new(view_key(A, channel, params), Encoding::Sbe)?;
        let from = node.subscribers[subscriber].client.mine;
        node.unsubscribe(subscriber)?;
        node.subscribe(subscriber, from)?;
    }
    node.subscribe_witnesses()?;
    node.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    node.read(&at(1, trade("1")));
    node.check()
}
