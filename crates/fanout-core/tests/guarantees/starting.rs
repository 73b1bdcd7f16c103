//! What a subscription begins with.

use market::{Channel, State};
use streams::Start;
use wire::{Depth, Encoding};

use crate::client::Checked;
use crate::node::{Node, key, settings};
use crate::script::{A, at, definition, trade, whole};

#[test]
fn a_subscription_starts_with_the_current_status() -> Checked {
    let mut node = Node::new(settings());
    let trades = key(A, Channel::Trades, Depth::Full);
    node.read(&at(0, trade("1")));
    let first = node.join(trades, Encoding::Sbe)?;
    assert_eq!(
        node.seats[first].client.about.as_ref().unwrap().state,
        State::Live
    );
    // Nothing is told in the trades' stream of any of these.
    node.read(&at(1, whole(None, &[(1, 1)], &[(2, 1)])));
    node.tick(100_000);
    let second = node.join(trades, Encoding::Sbe)?;
    assert_eq!(
        node.seats[second].client.about.as_ref().unwrap().state,
        State::Stale
    );
    node.read(&at(2, definition(-8, 25)));
    let third = node.join(trades, Encoding::Sbe)?;
    let about = node.seats[third].client.about.clone().unwrap();
    assert_eq!(about.tick_size, Some(market::Price(25)));
    Ok(())
}

#[test]
fn a_client_that_saw_no_trade_before_losing_its_node_misses_none_at_another() -> Checked {
    let (mut first, mut second) = (Node::new(settings()), Node::new(settings()));
    for node in [&mut first, &mut second] {
        node.watch_all()?;
        node.read(&at(2, trade("before")));
    }
    let seat = first.join(key(A, Channel::Trades, Depth::Full), Encoding::Sbe)?;
    // It is told nothing more here, and another node goes on.
    second.read(&at(5, trade("between")));
    second.flush()?;
    let come = second.seat(first.seats[seat].client.clone());
    let from = second.seats[come].client.mine;
    assert_eq!(second.enter(come, from)?, Start::Resumed);
    let trades = second.seats[come].client.trades();
    assert_eq!(trades.len(), 1, "{trades:?}");
    second.check()
}
