//! Streams that have been quiet for long.

use std::collections::HashMap;
use std::time::Duration;

use market::{Channel, Exponents, InstrumentName, Monotonic, Nanos, Now};
use streams::{Publisher, Settings, StreamId, StreamKey};
use wire::sbe::{Body, Message};
use wire::{Encoding, ViewParams};

const STREAMS: usize = 1_000;

fn settings() -> Settings {
    Settings {
        heartbeat_after: Duration::from_secs(5_000),
        stale_after: Some(Duration::from_secs(30_000)),
        ..Settings::default()
    }
}

/// A publisher with an open stream for each of many instruments, all of them quiet.
fn publisher() -> Publisher {
    let start = Monotonic(0);
    let mut publisher = Publisher::new(settings());
    for number in 0..STREAMS {
        let name = InstrumentName::parse(&format!("TEST:I{number}")).unwrap();
        publisher
            .add_instrument(&name, Exponents::default(), start)
            .unwrap();
        let key = StreamKey {
            instrument: name.id(),
            channel: Channel::Book,
            params: ViewParams::default(),
        };
        publisher.open_stream(key, Encoding::Sbe, start).unwrap();
    }
    publisher
}

fn at(monotonic: Monotonic) -> Now {
    Now {
        monotonic,
        wall: Nanos(7),
    }
}

/// The streams that got a heartbeat, each of which got exactly one.
fn heartbeats(publisher: &mut Publisher, now: Monotonic) -> Vec<StreamId> {
    let runs = publisher.flush(now);
    let ids = runs.iter().map(|run| {
        let mut messages = run.frames.messages();
        let (message, _) = messages.next().unwrap();
        let (message, _) = Message::decode(message).unwrap();
        assert!(matches!(message.body, Body::Heartbeat(_)) && messages.next().is_none());
        run.stream
    });
    ids.collect()
}

#[test]
fn the_heartbeats_of_many_streams_come_some_at_a_time_and_each_once() {
    let interval = settings().heartbeat_after;
    let mut publisher = publisher();
    let mut now = Monotonic(0);
    while !publisher.has_output() {
        now = publisher.next_due().unwrap();
        assert!(now.since(Monotonic(0)) <= interval * 5 / 4 + interval / 32);
        publisher.advance(at(now));
    }
    let mut told: HashMap<StreamId, usize> = HashMap::new();
    let mut turns = 0;
    loop {
        let beaten = heartbeats(&mut publisher, now);
        assert!(beaten.len() <= 256, "{} at once", beaten.len());
        turns += 1;
        for watch in beaten {
            *told.entry(watch).or_default() += 1;
        }
        if publisher.next_due().unwrap() > now {
            break;
        }
        publisher.advance(at(now));
    }
    assert!(turns >= STREAMS / 256);
    assert_eq!(told.len(), STREAMS);
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    // There is nothing more until each has been quiet for another interval.
    let again = now + interval;
    while let Some(due) = publisher.next_due().filter(|due| *due < again) {
        publisher.advance(at(due));
        assert!(!publisher.has_output());
    }
}

#[test]
fn heartbeats_that_are_late_come_at_once() {
    let interval = settings().heartbeat_after;
    let mut publisher = publisher();
    // Each was checked before it was quiet, and again one and a half intervals later.
    let late = Monotonic(0) + interval * 3;
    publisher.advance(at(late));
    assert_eq!(heartbeats(&mut publisher, late).len(), STREAMS);
}
