//! What lagging subscribers get instead of everything.

use market::{Channel, Exponents, Monotonic, Position, Seq};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use streams::{Settings, Start, StreamId};
use wire::{BarInterval, Depth, Encoding, LagKind, Speed, View, ViewParams};

use crate::client::{Checked, Client};
use crate::log::Entry;
use crate::node::{Node, bars, key, params, present, settings, view_key};
use crate::script::{A, at, definition, delta, snapshot, trade};
use crate::venue::{Scribe, act};

/// A client as it was after some entry of the log.
struct Past {
    watch: StreamId,
    client: Client,
}

fn kinds() -> Vec<(Channel, ViewParams)> {
    let raw = ViewParams::default();
    vec![
        (Channel::Book, raw),
        (Channel::Book, params(Depth::D5, Speed::Raw, 0)),
        (Channel::Book, params(Depth::Full, Speed::Raw, 3)),
        (Channel::Book, params(Depth::D10, Speed::Raw, 7)),
        (Channel::Book, params(Depth::Full, Speed::Ms100, 25)),
        (Channel::Book, params(Depth::Full, Speed::S1, 0)),
        (Channel::Book, params(Depth::D5, Speed::Ms10, 0)),
        (Channel::Book, params(Depth::D1, Speed::Ms250, 20)),
        (Channel::Bbo, raw),
        (Channel::Bbo, params(Depth::Full, Speed::Ms100, 0)),
        (Channel::Trades, raw),
        (Channel::Ticker, raw),
        (Channel::Ticker, params(Depth::Full, Speed::S1, 0)),
        (Channel::Bars, bars(BarInterval::S1, Speed::Raw)),
        (Channel::Bars, bars(BarInterval::S5, Speed::Ms100)),
        (Channel::Status, raw),
    ]
}

/// Lets clients lag at every position of a log; then each is caught up, and a copy of it
/// resumes. Both end with what clients have that followed all the way.
fn check(log: &[Entry], instrument: usize) -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    let mut watches = Vec::new();
    let mut pasts = Vec::new();
    let mut followers = Vec::new();
    for (channel, params) in kinds() {
        let key = view_key(instrument, channel, params);
        followers.push(node.subscribe_new(key, Encoding::Sbe)?);
        let watch = node
            .publisher
            .open_stream(key, Encoding::Sbe, present(node.now).monotonic)
            .unwrap();
        watches.push(watch);
    }
    for (index, entry) in log.iter().enumerate() {
        node.read(entry);
        if index % 3 == 0 {
            node.publish_throttled();
        }
        node.flush()?;
        for (watch, follower) in watches.iter().zip(&followers) {
            pasts.push(Past {
                watch: *watch,
                client: node.subscribers[*follower].client.clone(),
            });
        }
    }
    for (watch, follower) in watches.iter().zip(&followers) {
        if node.subscribers[*follower].ended {
            // Its step no longer fitted, so the watch has ended too.
            prop_assert!(node.publisher.position(*watch).is_none());
            continue;
        }
        let now = &node.subscribers[*follower].client;
        let has_ended = node.subscribers[*follower].ended;
        for past in pasts.iter().filter(|past| past.watch == *watch) {
            let Some(from) = past.client.mine else {
                continue;
            };
            if has_ended {
                // Its step no longer fits the scale, so nothing is left to catch up with.
                let caught = node.publisher.catch_up(*watch, from, present(node.now));
                prop_assert!(caught.is_none());
                continue;
            }
            let mut client = past.client.clone();
            let lags = client.lags.len();
            let mut at = from;
            let caught = loop {
                let now = present(node.now + 77);
                let caught = node.publisher.catch_up(*watch, at, now).unwrap();
                if let Some(run) = &caught.run {
                    client.take(run)?;
                }
                if !caught.more {
                    break caught;
                }
                prop_assert!(caught.position.seq > at.seq, "every page leads on");
                at = caught.position;
            };
            compare(&client, now, caught.position)?;
            // Nothing was published in this epoch, so there is no net change.
            let has_no_bar = client.key.channel == Channel::Bars && now.bar.is_none();
            let is_empty = caught.position.seq == Seq::NONE || has_no_bar;
            if Some(from) != now.mine && client.key.channel != Channel::Trades && !is_empty {
                prop_assert_eq!(client.lags.len(), lags + 1, "a lag notice");
                let lag = client.lags[lags];
                prop_assert_eq!(Some(lag.to_seq), now.mine.map(|mine| mine.seq));
            }
            let joined = node
                .publisher
                .join(*watch, Some(from), present(node.now))
                .unwrap();
            let mut client = past.client.clone();
            let resumed = joined.start == Start::Resumed;
            let missed = client.applied.len();
            if !resumed {
                client.forget();
            }
            client.learn(joined.position.epoch, joined.exponents);
            if let Some(run) = joined.run {
                client.take(&run)?;
            }
            compare(&client, now, joined.position)?;
            let is_raw = client.key.params.view() == View::FULL_RAW;
            let in_full = [Channel::Book, Channel::Bbo, Channel::Trades];
            if resumed && is_raw && in_full.contains(&client.key.channel) {
                prop_assert_eq!(&client.applied[missed..], &now.applied[missed..]);
            }
        }
    }
    Ok(())
}

/// `at` is the position of the stream.
fn compare(client: &Client, now: &Client, at: Position) -> Checked {
    let started = |mine: Option<Position>| mine.filter(|mine| mine.seq != Seq::NONE);
    // Where an epoch of trades or bars starts without a message, followers are still in the preceding one.
    let epoch = |client: &Client| client.mine.map(|mine| mine.epoch);
    let is_behind = epoch(client) != epoch(now) || epoch(now) != Some(at.epoch);
    let channels = [Channel::Trades, Channel::Bars];
    if !channels.contains(&client.key.channel) || !is_behind {
        prop_assert_eq!(started(client.mine), started(now.mine), "{:?}", client.key);
    }
    prop_assert_eq!(client.holds(), now.holds());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(2),
        ..ProptestConfig::default()
    })]

    #[test]
    fn lagging_and_resuming_clients_converge_with_all_others(
        acts in proptest::collection::vec(act(), 1..60),
        instrument in 0usize..4,
    ) {
        check(&Scribe::write_all(&acts, false), instrument)?;
    }
}

/// A node with a stalled client of a channel of instrument [`A`].
fn stalled(channel: Channel, encoding: Encoding) -> Result<(Node, usize), TestCaseError> {
    let mut node = Node::new(Settings {
        log_bytes: 1 << 16,
        ..settings()
    });
    node.subscribe_witnesses()?;
    node.read(&at(
        0,
        snapshot(Some(100), &[(1, 1), (2, 2)], &[(9, 1), (8, 2)]),
    ));
    node.read(&at(1, trade("first")));
    let subscriber = node.subscribe_new(key(A, channel, Depth::Full), encoding)?;
    node.subscribers[subscriber].stalled = true;
    Ok((node, subscriber))
}

fn wake(node: &mut Node, subscriber: usize) -> Checked {
    node.subscribers[subscriber].stalled = false;
    node.check()
}

#[test]
fn a_lag_notice_reports_the_range_and_size_of_the_lag() -> Checked {
    let (mut node, subscriber) = stalled(Channel::Book, Encoding::Sbe)?;
    for number in 100..160 {
        let size = i64::try_from(number).unwrap();
        let link = Some((number, number + 1));
        node.read(&at(size - 98, delta(link, &[(1, size)], &[])));
        node.flush()?;
    }
    wake(&mut node, subscriber)?;
    let lag = node.subscribers[subscriber].client.lags[0];
    assert_eq!(lag.kind, LagKind::Conflated);
    assert_eq!((lag.from_seq, lag.to_seq), (Seq(0), Seq(61)));
    assert_eq!((lag.messages, lag.bytes), (60, 60 * 16));
    assert_eq!(
        lag.age,
        59 * 15 + 10 + 1,
        "since the first of them was published, and a second for the check"
    );
    Ok(())
}

#[test]
fn skipped_trades_are_reported_and_the_latest_are_sent() -> Checked {
    let (mut node, subscriber) = stalled(Channel::Trades, Encoding::Sbe)?;
    let id = "x".repeat(200);
    for offset in 2..100 {
        node.read(&at(offset, trade(&id)));
        node.flush()?;
    }
    wake(&mut node, subscriber)?;
    let client = &node.subscribers[subscriber].client;
    let lag = client.lags[0];
    assert_eq!(lag.kind, LagKind::Skipped);
    assert_eq!(lag.from_seq, Seq(1));
    let given: Vec<i64> = client.trades().iter().map(|(seq, _)| seq.0).collect();
    assert_eq!(
        given.first(),
        Some(&(lag.to_seq.0 + 1)),
        "no trade is lost but those reported"
    );
    assert_eq!(given.last(), Some(&99));
    Ok(())
}

#[test]
fn a_client_lagging_in_trades_gets_all_of_them_page_by_page_as_far_as_the_log_reaches() -> Checked {
    let mut node = Node::new(Settings {
        log_bytes: 1 << 20,
        log_budget: 16 << 20,
        ..settings()
    });
    node.subscribe_witnesses()?;
    node.read(&at(0, trade("first")));
    let subscriber = node.subscribe_new(key(A, Channel::Trades, Depth::Full), Encoding::Sbe)?;
    node.subscribers[subscriber].stalled = true;
    let crate::log::Content::Trades(one) = trade(&"y".repeat(230)) else {
        unreachable!()
    };
    // Each message is larger than half a page, so that every page has but one.
    for offset in 1..5 {
        let many = vec![one[0].clone(); 200];
        node.read(&at(offset, crate::log::Content::Trades(many)));
        node.flush()?;
    }
    wake(&mut node, subscriber)?;
    let client = &node.subscribers[subscriber].client;
    let given: Vec<i64> = client.trades().iter().map(|(seq, _)| seq.0).collect();
    assert_eq!(given, [1, 2, 3, 4]);
    assert!(client.lags.is_empty(), "nothing was lost");
    Ok(())
}

#[test]
fn a_client_that_subscribed_before_the_first_trade_and_lagged_loses_none() -> Checked {
    let mut node = Node::new(Settings {
        log_bytes: 1 << 20,
        log_budget: 16 << 20,
        ..settings()
    });
    node.subscribe_witnesses()?;
    node.read(&at(0, snapshot(Some(100), &[(1, 1)], &[(9, 1)])));
    let subscriber = node.subscribe_new(key(A, Channel::Trades, Depth::Full), Encoding::Sbe)?;
    node.subscribers[subscriber].stalled = true;
    for offset in 5..50 {
        node.read(&at(offset, trade("late")));
        node.flush()?;
    }
    wake(&mut node, subscriber)?;
    let client = &node.subscribers[subscriber].client;
    assert!(client.lags.is_empty(), "{:?}", client.lags);
    assert_eq!(client.trades().len(), 45);
    Ok(())
}

#[test]
fn a_client_that_subscribed_before_the_first_trade_learns_of_an_epoch_it_missed() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    node.read(&at(0, snapshot(Some(100), &[(1, 1)], &[(9, 1)])));
    let subscriber = node.subscribe_new(key(A, Channel::Trades, Depth::Full), Encoding::Sbe)?;
    node.subscribers[subscriber].stalled = true;
    for offset in 1..50 {
        node.read(&at(offset, trade("lost")));
        node.flush()?;
    }
    node.read(&Entry::Reopen {
        partition: 0,
        turns: 1,
    });
    node.read(&at(0, trade("later")));
    node.flush()?;
    wake(&mut node, subscriber)?;
    let client = &node.subscribers[subscriber].client;
    assert_eq!(client.trades().len(), 1);
    assert_eq!(client.lags.len(), 1, "what it missed is not silent");
    assert_eq!(client.lags[0].kind, LagKind::Skipped);
    Ok(())
}

/// A client that enters an epoch, by reading or by being caught up, is in that epoch.
#[test]
fn a_client_that_lags_after_reading_the_start_of_an_epoch_gets_the_net_change() -> Checked {
    for misses_the_start in [false, true] {
        let (mut node, subscriber) = stalled(Channel::Book, Encoding::Sbe)?;
        let lag = |node: &mut Node, first: i64| -> Checked {
            node.subscribers[subscriber].stalled = true;
            for offset in first..first + 60 {
                node.read(&at(offset, delta(None, &[(1, offset)], &[])));
                node.flush()?;
            }
            wake(node, subscriber)
        };
        node.subscribers[subscriber].stalled = misses_the_start;
        node.read(&Entry::Reopen {
            partition: 0,
            turns: 1,
        });
        node.flush()?;
        node.read(&at(0, snapshot(None, &[(1, 1), (2, 2)], &[(9, 1), (8, 1)])));
        node.flush()?;
        lag(&mut node, 1)?;
        lag(&mut node, 61)?;
        let lags = &node.subscribers[subscriber].client.lags;
        let last = lags.last().unwrap();
        assert_eq!(lags.len(), 2);
        assert_eq!(last.kind, LagKind::Conflated);
        assert_eq!((last.from_seq, last.to_seq), (Seq(60), Seq(120)));
        let first = if misses_the_start {
            LagKind::Snapshot
        } else {
            LagKind::Conflated
        };
        assert_eq!(lags[0].kind, first);
    }
    Ok(())
}

/// The scale of prices changes and changes back, so that the same epoch returns. A client that was
/// sent no more than the definition in between is still where it was.
#[test]
fn a_client_that_read_part_of_the_start_of_an_epoch_is_not_taken_to_be_in_the_preceding_one()
-> Checked {
    let (mut node, subscriber) = stalled(Channel::Book, Encoding::Sbe)?;
    node.subscribers[subscriber].stalled = false;
    node.flush()?;
    (
        node.subscribers[subscriber].stalled,
        node.subscribers[subscriber].holds,
    ) = (true, 10);
    node.read(&at(10, definition(-3, 1)));
    node.read(&at(11, snapshot(None, &[(7, 7)], &[(9, 1)])));
    node.flush()?;
    node.read(&at(20, definition(-8, 1)));
    node.read(&at(21, snapshot(None, &[(7, 7)], &[(9, 1)])));
    for offset in 22..90 {
        node.read(&at(offset, delta(None, &[(7, offset)], &[])));
        node.flush()?;
    }
    wake(&mut node, subscriber)?;
    let client = &node.subscribers[subscriber].client;
    assert_eq!(client.lags.len(), 1);
    assert_eq!(client.lags[0].from_seq, Seq::NONE);
    Ok(())
}

#[test]
fn a_client_that_misses_a_change_of_scale_is_sent_the_new_one() -> Checked {
    for encoding in Encoding::ALL {
        for channel in [Channel::Book, Channel::Bbo, Channel::Trades] {
            let (mut node, subscriber) = stalled(channel, encoding)?;
            node.read(&at(5, definition(-3, 1)));
            node.read(&at(6, snapshot(Some(500), &[(7, 7)], &[(9, 1)])));
            for (number, offset) in (500..).zip(7..200) {
                let size = offset % 7 + 1;
                let link = Some((number, number + 1));
                node.read(&at(2 * offset, delta(link, &[(7, size)], &[(9, 8 - size)])));
                node.read(&at(2 * offset + 1, trade("later")));
                node.flush()?;
            }
            wake(&mut node, subscriber)?;
            let client = &node.subscribers[subscriber].client;
            assert!(!client.lags.is_empty());
            let scale = Exponents {
                price: -3,
                size: -8,
            };
            assert_eq!(client.about.as_ref().unwrap().exponents, scale);
        }
    }
    Ok(())
}

#[test]
fn a_client_that_is_ahead_is_sent_nothing() -> Checked {
    let (mut node, subscriber) = stalled(Channel::Book, Encoding::Sbe)?;
    node.flush()?;
    let mut from = node.subscribers[subscriber].client.mine.unwrap();
    from.seq.0 += 1_000;
    let watch = node
        .publisher
        .open_stream(
            key(A, Channel::Book, Depth::Full),
            Encoding::Sbe,
            Monotonic(0),
        )
        .unwrap();
    let caught = node.publisher.catch_up(watch, from, present(0)).unwrap();
    assert_eq!((caught.run, caught.position), (None, from));
    Ok(())
}
