//! Time that passes, stops, jumps and wraps.

use std::time::Duration;

use fanout_core::{ClosedBy, Settings};
use market::{Monotonic, Nanos};
use wire::close;

use crate::rig::{Manner, Rig};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn subscribe(number: usize, more: &str) -> String {
    format!(
        r#"{{"op":"subscribe","id":1,"streams":[{{"channel":"book","symbol":"TEST:I{number:05}"{more}}}]}}"#
    )
}

/// A shard with clients that are subscribed to an instrument each.
fn fleet(settings: Settings, clients: usize) -> Rig {
    let mut rig = Rig::new(settings, clients, 5);
    for client in 0..clients {
        let peer = rig.connect(Manner::Alive);
        rig.ask(peer, &subscribe(client, ""));
    }
    rig
}

#[track_caller]
fn all_alive(rig: &Rig, clients: usize) {
    assert_eq!(rig.ended, []);
    assert_eq!(rig.core.sessions(), clients);
    assert_eq!(rig.metrics.heartbeat_failures.get(), 0);
}

#[test]
fn a_node_that_was_paused_closes_no_session_whose_client_is_alive() {
    for halt in [SECOND * 45, SECOND * 600, DAY * 30] {
        for before in [0, 5, 19, 21, 27, 31] {
            let mut rig = fleet(Settings::default(), 20);
            rig.pass(SECOND * before);
            rig.leap(halt);
            // Late by the pause; the pongs to pings sent before it wait in the sockets.
            rig.core.advance(rig.now);
            rig.pass(SECOND * 60);
            all_alive(&rig, 20);
        }
    }
}

#[test]
fn a_pong_that_arrived_during_a_pause_counts_even_if_the_sockets_are_read_late() {
    let mut rig = Rig::new(Settings::default(), 1, 5);
    let peer = rig.connect(Manner::Silent);
    rig.ask(peer, &subscribe(0, ""));
    rig.pass(SECOND * 25);
    let asked = rig.peers[peer].pings;
    rig.pass(SECOND * 20);
    assert!(rig.peers[peer].pings > asked || rig.core.sessions() == 1);
    let mut rig = Rig::new(Settings::default(), 1, 5);
    let peer = rig.connect(Manner::Silent);
    rig.ask(peer, &subscribe(0, ""));
    while rig.peers[peer].pings == 0 {
        rig.pass(SECOND);
    }
    rig.leap(SECOND * 45);
    // Twice, with nothing read in between: one check may ping a session or time it out, never both.
    rig.core.advance(rig.now);
    rig.core.advance(rig.now);
    rig.send(peer, 0xA, b"");
    rig.pass(SECOND * 5);
    all_alive(&rig, 1);
}

#[test]
fn a_client_that_does_not_answer_is_closed_after_the_timeout_and_not_before() {
    let mut rig = Rig::new(Settings::default(), 1, 5);
    let peer = rig.connect(Manner::Silent);
    rig.ask(peer, &subscribe(0, ""));
    // Two ping intervals at most, since it was received from once, and the time to answer.
    let start = rig.now.monotonic;
    while rig.peers[peer].closed_with.is_none() {
        rig.pass(Duration::from_millis(250));
        assert!(rig.now.monotonic.since(start) < SECOND * 60);
    }
    assert_eq!(rig.peers[peer].closed_with, Some(close::HEARTBEAT));
    assert!(rig.now.monotonic.since(start) >= SECOND * 30);
    // It does not answer the close either, so the connection is cut.
    rig.pass(SECOND * 11);
    assert_eq!(rig.core.sessions(), 0);
    assert_eq!(
        (rig.ended[0].code, rig.ended[0].by),
        (close::HEARTBEAT, ClosedBy::Node)
    );
}

#[test]
fn sessions_survive_the_wrap_of_every_time_counter() {
    let wrap = |millis: u64| Monotonic(millis * 1_000_000);
    for start in [
        // Milliseconds in 32 bits: 49.7 days.
        wrap(u64::from(u32::MAX) - 60_000),
        wrap(2 * u64::from(u32::MAX) - 60_000),
        // Ticks of 250 ms in 32 bits: 34 years.
        wrap(250 * (u64::from(u32::MAX) - 240)),
        // Nanoseconds in 63 bits: 292 years.
        Monotonic(u64::MAX / 2 - 60_000_000_000),
    ] {
        let mut rig = Rig::starting_at(start, Settings::default(), 3, 5);
        for client in 0..3 {
            let peer = rig.connect(Manner::Alive);
            rig.ask(peer, &subscribe(client, r#","depth":5,"speed":"100ms""#));
        }
        for _ in 0..40 {
            rig.pass(SECOND * 5);
            // The inbound rate limit uses the same milliseconds.
            rig.ask(0, r#"{"op":"ping"}"#);
        }
        all_alive(&rig, 3);
    }
}

#[test]
fn nothing_waits_for_a_wall_clock_that_was_set_by_hours() {
    for hours in [-1_i64, 1, -24 * 365] {
        let mut rig = fleet(Settings::default(), 2);
        let throttled = rig.connect(Manner::Alive);
        rig.ask(throttled, &subscribe(0, r#","depth":5,"speed":"100ms""#));
        rig.pass(SECOND * 30);
        let shifted = i128::from(rig.now.wall.0) + i128::from(hours) * 3_600_000_000_000;
        rig.now.wall = Nanos(u64::try_from(shifted).unwrap());
        let (pings, messages) = (rig.peers[0].pings, rig.peers[throttled].messages);
        for round in 0..100 {
            rig.change(0, 100 + round);
            rig.pass(Duration::from_millis(100));
        }
        // A throttled view publishes in each of its intervals, and heartbeats and pings continue.
        assert!(rig.peers[throttled].messages >= messages + 99);
        let quiet = rig.peers[1].messages;
        rig.pass(SECOND * 30);
        assert!(rig.peers[1].messages > quiet);
        assert!(rig.peers[0].pings > pings);
        assert_eq!(rig.core.sessions(), 3);
        assert_eq!(rig.ended, []);
    }
}

#[test]
fn a_session_without_streams_gives_up_its_slot() {
    let mut rig = Rig::new(Settings::default(), 1, 5);
    let (idle, busy) = (rig.connect(Manner::Alive), rig.connect(Manner::Alive));
    rig.ask(busy, &subscribe(0, ""));
    rig.pass(SECOND * 50);
    assert_eq!(rig.core.sessions(), 2);
    rig.pass(SECOND * 20);
    assert_eq!(rig.peers[idle].closed_with, Some(close::IDLE));
    assert_eq!((rig.core.sessions(), rig.is_gone(busy)), (1, false));
}

#[test]
fn a_drain_ends_every_session_in_time_and_a_pause_only_delays_it() {
    for halt in [Duration::ZERO, SECOND * 3, SECOND * 600] {
        let mut rig = fleet(Settings::default(), 50);
        let before: Vec<_> = rig.peers.iter().map(|peer| peer.messages).collect();
        rig.drain(SECOND * 2, SECOND * 5);
        rig.pass(SECOND);
        let peers = rig.peers.iter().zip(before);
        let sent_away = peers.filter(|(peer, before)| peer.messages > *before);
        assert!((5..15).contains(&sent_away.count()));
        rig.leap(halt);
        rig.pass(SECOND * 7);
        assert!(rig.core.is_drained());
        assert_eq!(rig.core.sessions(), 0);
        assert!(rig.ended.iter().all(|ended| ended.code == close::RESTART));
    }
}

/// Pings, heartbeats, throttled views, drains and halts for a year, across the wrap of milliseconds
/// in 32 bits. The intervals of pings and heartbeats are minutes, so that it takes seconds.
#[test]
fn a_virtual_year_of_a_fleet_closes_sessions_only_by_drains() {
    let settings = Settings {
        ping_interval: SECOND * 600,
        pong_timeout: SECOND * 30,
        ..Settings::default()
    };
    let mut start = Monotonic(0);
    for month in 0..13 {
        let mut rig = Rig::quiet_for(SECOND * 300, start, settings.clone(), 3, 3);
        for client in 0..3 {
            let peer = rig.connect(Manner::Alive);
            let more = [r#","depth":5,"speed":"1s""#, ""][client % 2];
            rig.ask(peer, &subscribe(client, more));
        }
        for day in 0..28 {
            for change in 0..4 {
                rig.change(
                    (day + change) % 3,
                    i64::try_from(day * 4 + change + 1).unwrap(),
                );
                rig.pass(DAY / 4);
            }
            rig.leap(SECOND * 600);
        }
        all_alive(&rig, 3);
        let most = rig.peers.iter().map(|peer| (peer.pings, peer.messages));
        // A ping in every other of ten minutes, a heartbeat every five.
        assert!(most.min() > Some((1_950, 7_800)), "month {month}");
        rig.drain(SECOND, SECOND * 2);
        rig.pass(SECOND * 4);
        assert!(rig.core.is_drained() && rig.core.sessions() == 0);
        start = rig.now.monotonic;
    }
    assert!(start.since(Monotonic(0)) > DAY * 364);
}
