//! Two clocks: one that schedules, and one that only stamps and may show anything.

use std::time::Duration;

use market::{
    At, Channel, Event, Exponents, Handle, Level, Monotonic, Nanos, Now, PartitionIdentity,
    PartitionIndex, Seq, SnapshotOrigin, State,
};
use proptest::collection::vec;
use proptest::prelude::*;
use streams::{Publisher, Settings, StreamId, StreamKey};
use wire::sbe::{self, Body, Message};
use wire::{Depth, Encoding, Speed, ViewParams};

use crate::{name, view_key};

const INSTRUMENTS: usize = 2;
/// A year of wall-clock time.
const YEAR: u64 = 31_536_000_000_000_000;
const HOUR: u64 = 3_600_000_000_000;

/// A watched stream, and what can be known of it from outside.
struct Stream {
    key: StreamKey,
    instrument: usize,
    interval: Option<Duration>,
    watch: Option<StreamId>,
    /// When it last sent anything, or was first watched.
    last: Monotonic,
    /// When it last sent data.
    last_data: Option<Monotonic>,
    /// Whether a change has not been sent.
    pending: bool,
}

/// What one stream sent at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    at: Monotonic,
    stream: usize,
    /// Messages, but for the time that they are stamped with.
    messages: Vec<Vec<u8>>,
}

/// A publisher that is called exactly when it asks for it.
struct Driven {
    publisher: Publisher,
    settings: Settings,
    handles: Vec<Handle>,
    /// When each instrument last had a record.
    last_record: Vec<Monotonic>,
    streams: Vec<Stream>,
    now: Monotonic,
    /// What the wall clock shows, ahead of the monotonic one.
    wall: u64,
    offset: i64,
    sent: Vec<Sent>,
}

impl Driven {
    fn new(settings: Settings) -> Self {
        let start = Monotonic(HOUR);
        let mut driven = Self {
            publisher: Publisher::new(settings),
            settings,
            handles: Vec::new(),
            last_record: vec![start; INSTRUMENTS],
            streams: Vec::new(),
            now: start,
            wall: 50 * YEAR,
            offset: 0,
            sent: Vec::new(),
        };
        let identity = PartitionIdentity {
            topic: "t".into(),
            topic_id: [1; 16],
            partition: 0,
            turns: 0,
        };
        driven.publisher.open(PartitionIndex(0), identity, Seq(0));
        for instrument in 0..INSTRUMENTS {
            let added =
                driven
                    .publisher
                    .add_instrument(&name(instrument), Exponents::default(), start);
            driven.handles.push(added.unwrap());
            driven.record(instrument, true);
            for (channel, speed) in [
                (Channel::Book, Speed::Raw),
                (Channel::Book, Speed::Ms100),
                (Channel::Bbo, Speed::S1),
                (Channel::Status, Speed::Raw),
            ] {
                let params = ViewParams {
                    speed,
                    depth: Depth::Full,
                    ..ViewParams::default()
                };
                driven.streams.push(Stream {
                    key: view_key(instrument, channel, params),
                    instrument,
                    interval: speed.interval(),
                    watch: None,
                    last: start,
                    last_data: None,
                    pending: false,
                });
            }
        }
        for stream in 0..driven.streams.len() {
            driven.toggle(stream);
        }
        driven
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.now,
            wall: Nanos(self.wall.wrapping_add(self.now.0)),
        }
    }

    /// Starts or stops watching a stream.
    fn toggle(&mut self, stream: usize) {
        let now = self.now();
        let stream = &mut self.streams[stream];
        if let Some(watch) = stream.watch.take() {
            self.publisher.close_stream(watch);
            return;
        }
        let watched = self
            .publisher
            .open_stream(stream.key, Encoding::Sbe, now.monotonic);
        stream.watch = Some(watched.unwrap());
        (stream.last, stream.last_data, stream.pending) = (self.now, None, false);
    }

    /// Reads a record that changes the best bid of an instrument.
    fn record(&mut self, instrument: usize, is_snapshot: bool) {
        let at = At {
            partition: PartitionIndex(0),
            seq: Seq(self.offset),
            log_time: Nanos(0),
        };
        let (bids, asks) = ([Level::new(1, 1 + self.offset)], [Level::new(9, 1)]);
        self.offset += 1;
        let event = if is_snapshot {
            Event::Snapshot {
                seq: None,
                origin: SnapshotOrigin::InBand,
                time: None,
                bids: &bids,
                asks: &asks,
            }
        } else {
            Event::Delta {
                link: None,
                origin: SnapshotOrigin::InBand,
                time: None,
                bids: &bids,
                asks: &[],
            }
        };
        let now = self.now();
        self.publisher
            .event(at, self.handles[instrument], &event, now)
            .unwrap();
        self.last_record[instrument] = self.now;
        for stream in &mut self.streams {
            stream.pending |= stream.instrument == instrument && stream.interval.is_some();
        }
        self.take();
    }

    /// Takes what was sent.
    fn take(&mut self) {
        for run in self.publisher.flush(self.now).iter() {
            let mut streams = self.streams.iter_mut().enumerate();
            let (index, stream) = streams
                .find(|(_, stream)| stream.watch == Some(run.stream))
                .unwrap();
            let mut messages = Vec::new();
            for (bytes, _) in run.frames.messages() {
                let (message, _) = Message::decode(bytes).unwrap();
                let quiet = self.now.since(stream.last);
                if let Body::Heartbeat(_) = message.body {
                    assert!(quiet >= self.settings.heartbeat_after, "{quiet:?}");
                } else if let Some(interval) = stream.interval {
                    let since = stream.last_data.map(|last| self.now.since(last));
                    assert!(since.is_none_or(|since| since >= interval), "{since:?}");
                    stream.last_data = Some(self.now);
                    stream.pending = false;
                }
                stream.last = self.now;
                let wall = self.wall.wrapping_add(self.now.0);
                assert_eq!(message.head.publish_time, Nanos(wall));
                let mut bytes = bytes.to_vec();
                sbe::stamp(&mut bytes, Nanos(0));
                messages.push(bytes);
            }
            self.sent.push(Sent {
                at: self.now,
                stream: index,
                messages,
            });
        }
    }

    /// Does everything that is due now.
    fn settle(&mut self) {
        for calls in 0.. {
            assert!(calls < 5, "it is never done");
            let now = self.now();
            self.publisher.advance(now);
            self.take();
            if self.publisher.next_due().is_none_or(|due| due > self.now) {
                break;
            }
        }
        self.check();
    }

    /// Lets time pass; the publisher is called when it asks to be.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.publisher.next_due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.settle();
        }
        self.now = end;
        self.check();
    }

    /// Checks that nothing that is due has been left undone.
    fn check(&self) {
        let late = |interval: Duration| interval * 5 / 4 + interval / 32;
        for stream in self.streams.iter().filter(|stream| stream.watch.is_some()) {
            let quiet = self.now.since(stream.last);
            assert!(quiet <= late(self.settings.heartbeat_after), "{quiet:?}");
            if let (true, Some(interval), Some(last)) =
                (stream.pending, stream.interval, stream.last_data)
            {
                assert!(self.now < last + interval, "{:?} is silent", stream.key);
            }
        }
        let stale_after = self.settings.stale_after.unwrap();
        for (handle, last_record) in self.handles.iter().zip(&self.last_record) {
            let quiet = self.now.since(*last_record);
            match self.publisher.info(*handle).unwrap().state {
                State::Live => assert!(quiet <= late(stale_after), "{quiet:?}"),
                State::Stale => assert!(quiet >= stale_after, "{quiet:?}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Record(usize),
    Toggle(usize),
    /// Lets this many microseconds pass.
    Pass(u64),
    /// Lets this many milliseconds pass without a call.
    Leap(u64),
    /// Sets the wall clock.
    Set(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..INSTRUMENTS).prop_map(Step::Record),
        1 => (0..INSTRUMENTS * 4).prop_map(Step::Toggle),
        4 => (0_u64..300_000).prop_map(Step::Pass),
        1 => (0_u64..60_000_000).prop_map(Step::Pass),
        1 => (0_u64..1_000_000).prop_map(Step::Leap),
        2 => any::<u64>().prop_map(Step::Set),
    ]
}

proptest! {
    #[test]
    fn due_work_is_done_in_time_and_no_call_is_requested_in_vain(steps in vec(step(), 1..80)) {
        let mut driven = Driven::new(Settings::default());
        for step in steps {
            match step {
                Step::Record(instrument) => driven.record(instrument, false),
                Step::Toggle(stream) => driven.toggle(stream),
                Step::Pass(micros) => driven.pass(Duration::from_micros(micros)),
                Step::Leap(millis) => {
                    driven.now = driven.now + Duration::from_millis(millis);
                    driven.settle();
                }
                Step::Set(wall) => driven.wall = wall,
            }
        }
    }
}

/// A market of a minute: records every 10 ms, and then none.
fn minute(set: impl Fn(u64) -> u64) -> (Vec<Sent>, usize) {
    let mut driven = Driven::new(Settings {
        log_bytes: 64 * 1024,
        log_budget: 32 * 1024,
        ..Settings::default()
    });
    let before = driven.wall;
    for tick in 0_u64..6_000 {
        if tick == 1_000 {
            driven.wall = set(before);
        }
        driven.pass(Duration::from_millis(10));
        if tick < 2_000 {
            driven.record(0, false);
        }
    }
    (driven.sent, driven.publisher.memory())
}

#[test]
fn setting_the_wall_clock_changes_no_message_and_no_timing() {
    let (expected, memory) = minute(|wall| wall);
    let kinds = expected.iter().flat_map(|sent| &sent.messages);
    let heartbeats = kinds.filter(|bytes| {
        let (message, _) = Message::decode(bytes).unwrap();
        matches!(message.body, Body::Heartbeat(_))
    });
    assert!(heartbeats.count() > 40);
    let views = expected.iter().filter(|sent| sent.stream == 1);
    assert!(views.count() > 200, "a view of 100 ms for 20 seconds");
    for set in [
        |wall: u64| wall - HOUR,
        |wall| wall + HOUR,
        |_| 0,
        |_| u64::MAX - 2 * HOUR,
    ] {
        let (sent, used) = minute(set);
        assert!(sent == expected && used == memory);
    }
}

#[test]
fn a_publisher_paused_for_ten_minutes_sends_each_stream_one_message_and_continues() {
    let mut driven = Driven::new(Settings::default());
    driven.record(0, false);
    driven.pass(Duration::from_millis(10));
    driven.record(0, false);
    driven.sent.clear();
    driven.now = driven.now + Duration::from_secs(600);
    driven.settle();
    for stream in 0..driven.streams.len() {
        let of_it = driven.sent.iter().filter(|sent| sent.stream == stream);
        let messages: usize = of_it.map(|sent| sent.messages.len()).sum();
        assert_eq!(messages, 1, "stream {stream}");
    }
    // A record makes the instrument live again, and throttled streams publish at once.
    driven.record(0, false);
    assert_eq!(
        driven.publisher.info(driven.handles[0]).unwrap().state,
        State::Live
    );
    driven.pass(Duration::from_secs(60));
}

#[test]
fn a_stopped_clock_makes_nothing_due_twice() {
    let mut driven = Driven::new(Settings::default());
    driven.pass(Duration::from_secs(7));
    let sent = driven.sent.len();
    for _ in 0..1_000 {
        driven.settle();
    }
    assert_eq!(driven.sent.len(), sent);
}

#[test]
fn a_time_before_the_latest_one_counts_as_the_latest() {
    let mut driven = Driven::new(Settings::default());
    driven.pass(Duration::from_secs(7));
    let due = driven.publisher.next_due();
    let earlier = Now {
        monotonic: Monotonic(0),
        wall: Nanos(0),
    };
    driven.publisher.advance(earlier);
    assert_eq!(driven.publisher.next_due(), due);
    driven.pass(Duration::from_secs(60));
}
