//! Kafka deleted records before this node had read them.

use market::{Channel, Reason, State};
use streams::{ResumeFailure, Start};
use wire::{Depth, Encoding};

use crate::client::Checked;
use crate::node::{Node, key, settings};
use crate::script::{A, at, delta, snapshot, trade};

const LOST: Option<(State, Reason)> = Some((State::Resyncing, Reason::Retention));

/// A node that read offsets 0 to 2 and lost those up to 10, and one that lost nothing.
fn nodes() -> Result<(Node, Node), proptest::test_runner::TestCaseError> {
    let mut nodes = (Node::new(settings()), Node::new(settings()));
    for node in [&mut nodes.0, &mut nodes.1] {
        node.subscribe_witnesses()?;
        node.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
        node.read(&at(1, delta(Some((1, 2)), &[(2, 2)], &[])));
        node.read(&at(2, trade("1")));
        node.flush()?;
    }
    nodes.0.lose(0, 10);
    nodes.0.flush()?;
    Ok(nodes)
}

#[test]
fn a_loss_is_reported_at_the_position_of_each_stream() -> Checked {
    let (node, _) = nodes()?;
    for channel in [Channel::Book, Channel::Bbo] {
        let client = node.witness(A, channel);
        assert_eq!(client.broken, LOST, "{channel:?}");
        assert_eq!(client.mine.unwrap().seq.0, 1, "no record moved it");
    }
    let trades = node.witness(A, Channel::Trades);
    assert_eq!(trades.broken, LOST);
    assert_eq!(
        trades.mine.unwrap().seq.0,
        9,
        "up to there, trades may be missing"
    );
    assert_eq!(node.witness(A, Channel::Status).state, LOST);
    Ok(())
}

#[test]
fn no_chain_of_messages_crosses_a_loss() -> Checked {
    let (mut lossy, mut other) = nodes()?;
    // Another node has read what this one lost.
    other.read(&at(5, delta(Some((2, 3)), &[(3, 3)], &[])));
    other.read(&at(6, delta(Some((3, 4)), &[(4, 4)], &[])));
    other.flush()?;
    for depth in [Depth::Full, Depth::D5] {
        let arriving = other.subscribe_new(key(A, Channel::Book, depth), Encoding::Sbe)?;
        let arriving = other.subscribers[arriving].client.clone();
        let subscriber = lossy.add_subscriber(arriving);
        let from = lossy.subscribers[subscriber].client.mine;
        let start = lossy.subscribe(subscriber, from)?;
        assert_eq!(start, Start::Snapshot(Some(ResumeFailure::NoState)));
        assert_eq!(lossy.subscribers[subscriber].client.broken, LOST);
    }
    lossy.check()?;
    lossy.read(&at(12, snapshot(Some(9), &[(5, 5)], &[(9, 1)])));
    lossy.check()?;
    lossy.read(&at(13, delta(Some((9, 10)), &[(6, 6)], &[])));
    lossy.check()
}

#[test]
fn a_client_that_was_away_during_a_loss_learns_of_it() -> Checked {
    let (mut lossy, mut other) = nodes()?;
    let arriving = other.subscribe_new(key(A, Channel::Book, Depth::Full), Encoding::Sbe)?;
    let arriving = other.subscribers[arriving].client.clone();
    let subscriber = lossy.add_subscriber(arriving);
    let from = lossy.subscribers[subscriber].client.mine;
    lossy.subscribe(subscriber, from)?;
    assert_eq!(lossy.subscribers[subscriber].client.broken, LOST);
    Ok(())
}

#[test]
fn a_client_that_lags_during_a_loss_learns_of_it() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    let subscribers = [Channel::Book, Channel::Bbo, Channel::Status].map(|channel| {
        let subscriber = node.subscribe_new(key(A, channel, Depth::Full), Encoding::Sbe);
        subscriber.unwrap()
    });
    node.read(&at(0, snapshot(Some(1), &[(1, 1)], &[(9, 1)])));
    node.flush()?;
    for subscriber in subscribers {
        node.subscribers[subscriber].stalled = true;
    }
    node.lose(0, 10);
    // Heartbeats fill the ring; none of them moves anything.
    for _ in 0..100 {
        node.tick(10_000);
        node.flush()?;
    }
    for subscriber in subscribers {
        node.subscribers[subscriber].stalled = false;
    }
    node.check()
}
