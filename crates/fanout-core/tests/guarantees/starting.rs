//! What a subscription starts with.

use market::{Channel, State};
use streams::Start;
use wire::{Depth, Encoding};

use crate::client::Checked;
use crate::node::{Node, key, settings};
use crate::script::{A, at, definition, snapshot, trade};

#[test]
fn a_subscription_starts_with_the_current_status() -> Checked {
    let mut node = Node::new(settings());
    let trades = key(A, Channel::Trades, Depth::Full);
    node.read(&at(0, trade("1")));
    let first = node.subscribe_new(trades, Encoding::Sbe)?;
    assert_eq!(
        node.subscribers[first].client.about.as_ref().unwrap().state,
        State::Live
    );
    // None of these publishes anything in the stream of trades.
    node.read(&at(1, snapshot(None, &[(1, 1)], &[(2, 1)])));
    node.tick(100_000);
    let second = node.subscribe_new(trades, Encoding::Sbe)?;
    assert_eq!(
        node.subscribers[second]
            .client
            .about
            .as_ref()
            .unwrap()
            .state,
        State::Stale
    );
    node.read(&at(2, definition(-8, 25)));
    let third = node.subscribe_new(trades, Encoding::Sbe)?;
    let about = node.subscribers[third].client.about.clone().unwrap();
    assert_eq!(about.tick_size, Some(market::Price(25)));
    Ok(())
}

#[test]
fn a_client_that_saw_no_trade_before_losing_its_node_misses_none_at_another() -> Checked {
    let (mut first, mut second) = (Node::new(settings()), Node::new(settings()));
    for node in [&mut first, &mut second] {
        node.subscribe_witnesses()?;
        node.read(&at(2, trade("before")));
    }
    let subscriber = first.subscribe_new(key(A, Channel::Trades, Depth::Full), Encoding::Sbe)?;
    // It receives nothing more here, and another node continues.
    second.read(&at(5, trade("between")));
    second.flush()?;
    let arriving = second.add_subscriber(first.subscribers[subscriber].client.clone());
    let from = second.subscribers[arriving].client.mine;
    assert_eq!(second.subscribe(arriving, from)?, Start::Resumed);
    let trades = second.subscribers[arriving].client.trades();
    assert_eq!(trades.len(), 1, "{trades:?}");
    second.check()
}
