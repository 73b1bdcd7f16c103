use std::time::Duration;

use market::{Channel, Nanos};
use wire::control::Resume;
use wire::{GoAway, GoAwayReason, Head, sbe};

use super::rig::{Answers, Rig, config, names};
use crate::event::{Disconnect, Event};
use crate::{Backoff, Config};

fn waits(events: &[Event]) -> Vec<(u32, Duration)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Reconnecting { attempt, delay, .. } => Some((*attempt, *delay)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lost_connection_is_told_and_every_stream_resumed_on_another_node() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    let stood = rig.book().position().unwrap();
    rig.cut();
    rig.origin.set(&[(98, 1)], &[]);
    rig.advance(Duration::from_secs(1));
    assert_eq!(
        names(&rig.told()),
        ["reconnecting", "connected", "subscribed", "delta"]
    );
    assert_eq!(rig.connects, ["ws://a/ws", "ws://b/ws"]);
    let resume = Resume {
        epoch: stood.epoch,
        seq: stood.seq,
    };
    assert_eq!(rig.last_asked().resume, Some(resume));
    rig.check_right();
}

#[test]
fn waits_grow_within_their_bounds_and_nodes_are_tried_in_turn() {
    for seed in 0..20 {
        let mut rig = Rig::seeded(Channel::Book, config(), seed);
        rig.accepts = Some(false);
        rig.pump();
        rig.advance(Duration::from_secs(60));
        let waits = waits(&rig.told());
        assert!(waits.len() > 20);
        let backoff = config().backoff;
        for (index, (attempt, delay)) in waits.iter().enumerate() {
            assert_eq!(*attempt as usize, index + 1);
            assert!(
                *delay < backoff.ceiling(*attempt),
                "attempt {attempt}: {delay:?}"
            );
        }
        for (index, endpoint) in rig.connects.iter().enumerate() {
            assert_eq!(endpoint, ["ws://a/ws", "ws://b/ws"][index % 2]);
        }
        rig.accepts = Some(true);
        rig.advance(Duration::from_secs(2));
        rig.check_right();
    }
}

#[test]
fn jitter_spreads_clients() {
    let mut delays: Vec<Duration> = (0..200)
        .map(|seed| {
            let mut rig = Rig::seeded(Channel::Book, config(), seed);
            rig.accepts = Some(false);
            rig.pump();
            waits(&rig.told())[0].1
        })
        .collect();
    delays.sort();
    assert!(delays[20] < Duration::from_millis(20), "{:?}", delays[20]);
    assert!(delays[180] > Duration::from_millis(80), "{:?}", delays[180]);
}

#[test]
fn only_a_connection_that_stood_resets_the_waits() {
    let mut rig = Rig::begun(Channel::Book);
    for attempt in 1..4 {
        rig.told();
        rig.cut();
        assert_eq!(waits(&rig.told())[0].0, attempt);
        rig.live_on(Duration::from_secs(5));
    }
    rig.live_on(Duration::from_secs(10));
    rig.told();
    rig.cut();
    assert_eq!(waits(&rig.told())[0].0, 1);
}

#[test]
fn a_client_gives_up_when_it_is_told_to() {
    let config = Config {
        max_attempts: Some(3),
        ..config()
    };
    let mut rig = Rig::new(Channel::Book, config);
    rig.accepts = Some(false);
    rig.pump();
    rig.advance(Duration::from_secs(60));
    assert_eq!(
        names(&rig.told()),
        ["reconnecting", "reconnecting", "closed"]
    );
    assert_eq!(rig.connects.len(), 3);
    assert!(rig.session.is_closed() && rig.session.timeout().is_none());
}

#[test]
fn an_attempt_that_nobody_answers_is_given_up() {
    let mut rig = Rig::new(Channel::Book, config());
    rig.accepts = None;
    rig.pump();
    rig.advance(Duration::from_secs(11));
    let told = rig.told();
    assert!(matches!(
        &told[0],
        Event::Reconnecting {
            cause: Disconnect::ConnectTimeout(_),
            ..
        }
    ));
    assert_eq!(rig.disconnects, 1, "the attempt is to be dropped");
}

#[test]
fn a_connection_that_is_mute_is_pinged_and_then_left() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    rig.answers = Answers::NotAtAll;
    rig.accepts = None;
    rig.advance(Duration::from_secs(7));
    assert_ne!(rig.sent.last().unwrap().1.op(), "ping");
    rig.advance(Duration::from_secs(2));
    assert_eq!(rig.sent.last().unwrap().1.op(), "ping");
    rig.advance(Duration::from_secs(5));
    assert!(rig.told().is_empty());
    rig.advance(Duration::from_secs(2));
    let told = rig.told();
    assert!(matches!(
        &told[..],
        [Event::Reconnecting {
            cause: Disconnect::Silent(_),
            ..
        }]
    ));
    assert_eq!(rig.disconnects, 1);
}

#[test]
fn pings_of_the_node_keep_a_connection() {
    let mut rig = Rig::begun(Channel::Book);
    for _ in 0..100 {
        rig.live_on(Duration::from_secs(5));
    }
    assert_eq!(rig.disconnects, 0);
    assert_eq!(rig.session.stats().connections, 1);
}

#[test]
fn a_request_without_an_answer_ends_the_connection() {
    let mut rig = Rig::new(Channel::Book, config());
    rig.answers = Answers::NotAtAll;
    rig.pump();
    rig.told();
    rig.accepts = None;
    for _ in 0..12 {
        rig.advance(Duration::from_secs(1));
        rig.session.on_heard(rig.now);
    }
    let told = rig.told();
    assert!(matches!(
        &told[0],
        Event::Reconnecting {
            cause: Disconnect::Unanswered(_),
            ..
        }
    ));
}

#[test]
fn an_answer_that_cannot_be_read_ends_the_connection() {
    for text in [
        "",
        "{}",
        r#"{"op":"subscribed","id":1,"results":[]}"#,
        r#"{"op":"pong"}"#,
    ] {
        let mut rig = Rig::new(Channel::Book, config());
        rig.answers = Answers::NotAtAll;
        rig.pump();
        rig.told();
        rig.session.on_text(rig.now, text);
        rig.pump();
        let told = rig.told();
        assert!(
            matches!(
                &told[0],
                Event::Reconnecting {
                    cause: Disconnect::Answer(_),
                    ..
                }
            ),
            "{text}"
        );
    }
}

fn go_away(rig: &mut Rig, delay: u32, close_after: u32) {
    let told = GoAway {
        reason: GoAwayReason::Drain,
        delay,
        close_after,
    };
    let mut out = Vec::new();
    sbe::go_away(&mut out, &Head::of_connection(Nanos(1)), &told);
    rig.deliver(&out);
}

#[test]
fn a_node_that_goes_is_left_within_the_time_it_asks_for() {
    let mut leaves = Vec::new();
    for seed in 0..50 {
        let mut rig = Rig::seeded(Channel::Book, config(), seed);
        rig.pump();
        rig.told();
        go_away(&mut rig, 2000, 5000);
        go_away(&mut rig, 1, 1);
        let told = rig.told();
        let [Event::GoAway(leaving)] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(leaving.leave_in < Duration::from_secs(2));
        leaves.push(leaving.leave_in);
        // Data goes on until then.
        let delta = rig.origin.set(&[(98, 1)], &[]);
        rig.deliver(&delta);
        rig.told();
        rig.advance(Duration::from_secs(2));
        let told = rig.told();
        assert_eq!(names(&told), ["reconnecting", "connected", "subscribed"]);
        assert!(matches!(
            &told[0],
            Event::Reconnecting {
                cause: Disconnect::GoAway,
                ..
            }
        ));
        assert_eq!(rig.connects.last().unwrap(), "ws://b/ws");
        rig.check_right();
    }
    leaves.sort();
    assert!(leaves[5] < Duration::from_millis(500) && leaves[45] > Duration::from_millis(1500));
}

#[test]
fn a_node_that_closes_before_its_clients_left_is_not_missed_all_at_once() {
    let mut rig = Rig::begun(Channel::Book);
    go_away(&mut rig, 60_000, 100);
    let told = rig.told();
    let Some(Event::GoAway(leaving)) = told.last() else {
        panic!("{told:?}");
    };
    let left_at = rig.now + leaving.leave_in;
    rig.advance(Duration::from_millis(100));
    rig.cut();
    let told = rig.told();
    let [
        Event::Reconnecting {
            delay,
            cause: Disconnect::GoAway,
            ..
        },
    ] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!(rig.now + *delay, left_at);
    rig.advance(Duration::from_secs(60));
    rig.check_right();
}

#[test]
fn a_closed_client_says_so_and_nothing_more() {
    let mut rig = Rig::begun(Channel::Book);
    rig.told();
    rig.session.close();
    rig.pump();
    rig.session.close();
    let delta = rig.origin.set(&[(98, 1)], &[]);
    rig.up = true;
    rig.deliver(&delta);
    rig.advance(Duration::from_secs(100));
    let told = rig.told();
    assert!(
        matches!(&told[..], [Event::Closed { cause: None }]),
        "{told:?}"
    );
    assert_eq!(rig.disconnects, 1);
}

#[test]
fn the_default_waits_are_what_the_documentation_says() {
    let backoff = Backoff::default();
    assert_eq!(backoff.ceiling(1), Duration::from_millis(250));
    assert_eq!(backoff.ceiling(100), Duration::from_secs(15));
}
