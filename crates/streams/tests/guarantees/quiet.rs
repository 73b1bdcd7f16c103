//! Streams that have been quiet for long.

use std::collections::HashMap;

use market::{Channel, Exponents, InstrumentName, Nanos};
use streams::{Publisher, StreamKey, WatchId};
use wire::sbe::{Body, Message};
use wire::{Encoding, ViewParams};

use crate::node::settings;

const STREAMS: usize = 1_000;

/// A publisher with a watched stream of each of many instruments, none of which says anything.
fn publisher(now: Nanos) -> Publisher {
    let mut publisher = Publisher::new(settings());
    for number in 0..STREAMS {
        let name = InstrumentName::parse(&format!("TEST:I{number}")).unwrap();
        publisher
            .add_instrument(&name, Exponents::default(), now)
            .unwrap();
        let key = StreamKey {
            instrument: name.id(),
            channel: Channel::Book,
            params: ViewParams::default(),
        };
        publisher.watch(key, Encoding::Sbe, now).unwrap();
    }
    publisher
}

/// The streams that got a heartbeat, each of which got one.
fn heartbeats(publisher: &mut Publisher, now: Nanos) -> Vec<WatchId> {
    let runs = publisher.flush(now);
    let watches = runs.iter().map(|run| {
        let mut messages = run.frames.messages();
        let (message, _) = messages.next().unwrap();
        let (message, _) = Message::decode(message).unwrap();
        assert!(matches!(message.body, Body::Heartbeat(_)) && messages.next().is_none());
        run.watch
    });
    watches.collect()
}

#[test]
fn the_heartbeats_of_many_streams_come_some_at_a_time_and_each_once() {
    let interval = settings().heartbeat_after;
    let mut publisher = publisher(Nanos(0));
    let mut now = Nanos(0);
    while !publisher.beat(now) {
        assert!(!publisher.has_output() && now.0 <= interval * 5 / 4);
        now.0 += 100;
    }
    let mut told: HashMap<WatchId, usize> = HashMap::new();
    let mut turns = 0;
    let mut goes_on = true;
    loop {
        let beaten = heartbeats(&mut publisher, now);
        assert!(beaten.len() <= 256, "{} at once", beaten.len());
        turns += 1;
        for watch in beaten {
            *told.entry(watch).or_default() += 1;
        }
        if !goes_on {
            break;
        }
        goes_on = publisher.beat(now);
    }
    assert!(turns >= STREAMS / 256);
    assert_eq!(told.len(), STREAMS);
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    assert!(!publisher.beat(Nanos(now.0 + interval - 1)) && !publisher.has_output());
}

#[test]
fn heartbeats_that_are_late_come_at_once() {
    let interval = settings().heartbeat_after;
    let mut publisher = publisher(Nanos(0));
    // Each was looked at when it was not quiet yet, and again an interval and a half later.
    let late = Nanos(interval * 3);
    publisher.beat(late);
    assert_eq!(heartbeats(&mut publisher, late).len(), STREAMS);
}
