//! Streams that have been quiet for a long time.

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

/// A publisher with a watched stream of each of many instruments, all of them quiet.
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

/// The streams that got a heartbeat; checks that each got one.
fn heartbeats(publisher: &mut Publisher, now: Monotonic) -> Vec<StreamId> {
    let runs = publisher.flush(now);
    let watches = runs.iter().map(|run| {
        let mut messages = run.frames.messages();
        let (message, _) = messages.next().unwrap();
        let (message, _) = Message::decode(message).unwrap();
        assert!(matches!(message.body, Body::Heartbeat(_)) && messages.next().is_none());
        run.stream
    });
    watches.collect()
}

#[test]
fn heartbeats_of_many_streams_are_sent_a_few_at_a_time_and_each_once() {
    let interval = settings().heartbeat_after;
    let mut publisher = publisher();
    let mut now = Monotonic(0);
    while !publisher.has_output() {
        now = publisher.next_due().unwrap();
        assert!(now.since(Monotonic(0)) <= interval * 5 / 4 + interval / 32);
        publisher.advance(at(now));
    }
    let mut counts: HashMap<StreamId, usize> = HashMap::new();
    let mut turns = 0;
    loop {
        let sent = heartbeats(&mut publisher, now);
        assert!(sent.len() <= 256, "{} at once", sent.len());
        turns += 1;
        for watch in sent {
            *counts.entry(watch).or_default() += 1;
        }
        if publisher.next_due().unwrap() > now {
            break;
        }
        publisher.advance(at(now));
    }
    assert!(turns >= STREAMS / 256);
    assert_eq!(counts.len(), STREAMS);
    assert!(counts.values().all(|times| *times == 1), "{counts:?}");
    // Nothing more until each has been quiet for an interval again.
    let again = now + interval;
    while let Some(due) = publisher.next_due().filter(|due| *due < again) {
        publisher.advance(at(due));
        assert!(!publisher.has_output());
    }
}

#[test]
fn late_heartbeats_are_sent_at_once() {
    let interval = settings().heartbeat_after;
    let mut publisher = publisher();
    // Each was checked before it was quiet for an interval, and again an interval and a half later.
    let late = Monotonic(0) + interval * 3;
    publisher.advance(at(late));
    assert_eq!(heartbeats(&mut publisher, late).len(), STREAMS);
}
