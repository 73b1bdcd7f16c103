//! A grouped stream has exactly its parameters or is ended; it never has a book with others.

use market::{Channel, Definition, Event, Exponents, Level, Seq, SnapshotOrigin};
use proptest::prelude::*;
use proptest::sample::select;
use streams::{Rejected, Replay, StreamKey};
use wire::control::{ErrorCode, StreamChange};
use wire::{Depth, Encoding, PriceStep, Speed, ViewParams};

use crate::client::{Checked, Client};
use crate::log::{Content, Entry, Record};
use crate::node::{Node, Phase, settings, view_key};

const INSTRUMENT: usize = 1;
const PARTITION: u32 = 0;
const STEPS: [&str; 9] = [
    "1e-8", "0.01", "0.25", "0.5", "1", "3", "100", "12.5", "5e9",
];
const EXPONENTS: [i8; 7] = [-18, -8, -3, -2, -1, 0, 2];
const SHAPES: [(Depth, Speed); 4] = [
    (Depth::Full, Speed::Raw),
    (Depth::D5, Speed::Raw),
    (Depth::Full, Speed::Ms100),
    (Depth::D1, Speed::S1),
];

fn step(text: &str) -> PriceStep {
    PriceStep::parse(text).unwrap()
}

fn fits(text: &str, exponent: i8) -> bool {
    step(text).at(exponent).is_ok()
}

fn grouped((depth, speed): (Depth, Speed), group: Option<&str>) -> StreamKey {
    let params = ViewParams {
        depth,
        speed,
        group: group.map(step),
        interval: None,
    };
    view_key(INSTRUMENT, Channel::Book, params)
}

fn definition(price: i8) -> Content {
    Content::Definition(Definition {
        exponents: Exponents { price, size: -8 },
        tick_size: None,
        lot_size: None,
    })
}

fn levels(from: i64, count: i64, towards: i64) -> Vec<Level> {
    let level = |i| Level::new(from + i * towards, 1 + i % 3);
    (0..count).map(level).collect()
}

fn book() -> Content {
    Content::Snapshot {
        seq: None,
        origin: SnapshotOrigin::InBand,
        bids: levels(1_000, 25, -3),
        asks: levels(1_001, 25, 3),
    }
}

fn change(at: i64) -> Content {
    Content::Delta {
        link: None,
        origin: SnapshotOrigin::InBand,
        bids: vec![Level::new(1_000 - at, 7)],
        asks: vec![Level::new(1_002 + at, 5)],
    }
}

/// A node that reads what a venue writes about one instrument.
struct Rig {
    node: Node,
    next: i64,
}

impl Rig {
    fn new() -> Self {
        Self {
            node: Node::new(settings()),
            next: 0,
        }
    }

    fn record(&mut self, content: Content) -> Record {
        let offset = self.next;
        self.next += 1;
        Record {
            partition: PARTITION,
            offset,
            instrument: INSTRUMENT,
            content,
        }
    }

    fn write(&mut self, content: Content) {
        let record = self.record(content);
        self.node.read(&Entry::Record(record));
    }

    /// Subscribes to a stream; returns its subscriber, and the error if there is any.
    fn subscribe(&mut self, key: StreamKey) -> Result<(usize, Option<ErrorCode>), TestCaseError> {
        let encoding = Encoding::ALL[self.node.subscribers.len() % 3];
        let subscriber = self.node.add_subscriber(Client::new(key, encoding));
        self.subscribe_again(subscriber)
            .map(|error| (subscriber, error))
    }

    fn subscribe_again(&mut self, subscriber: usize) -> Result<Option<ErrorCode>, TestCaseError> {
        let node = &mut self.node;
        let connection = match node.subscribers[subscriber].connection {
            Some(connection) => connection,
            None => node.connect(subscriber % 2, node.subscribers[subscriber].client.encoding),
        };
        node.flush()?;
        node.request_subscribe(connection, &[subscriber], |client| client.mine);
        node.pump()?;
        Ok(match node.subscribers[subscriber].outcome {
            Some(Err(error)) => Some(error),
            _ => None,
        })
    }

    /// Checks that every live subscriber has the book of its parameters, and that HTTP agrees.
    fn check(&mut self, exponent: i8) -> Checked {
        self.node.check()?;
        let now = self.node.present();
        for text in STEPS {
            for shape in SHAPES {
                let key = grouped(shape, Some(text));
                let fetched = self.node.publisher.fetch(key, Encoding::Sbe, now);
                let is_refused = matches!(fetched, Err(Rejected::Group { .. }));
                prop_assert_eq!(
                    is_refused,
                    !fits(text, exponent),
                    "{} at {}",
                    text,
                    exponent
                );
                let origin = self.node.publisher.origin(&key);
                prop_assert_eq!(origin.is_ok(), fits(text, exponent));
            }
        }
        Ok(())
    }
}

/// The scale changes once and back, under streams with one step.
fn rescale(text: &str, before: i8, after: i8, has_short_queues: bool) -> Checked {
    let mut rig = Rig::new();
    rig.node.has_short_queues = has_short_queues;
    rig.write(definition(before));
    rig.write(book());
    let mut subscribers = Vec::new();
    let mut plain = Vec::new();
    for (number, shape) in SHAPES
        .into_iter()
        .cycle()
        .take(2 * SHAPES.len())
        .enumerate()
    {
        let (subscriber, error) = rig.subscribe(grouped(shape, Some(text)))?;
        let expected = (!fits(text, before)).then_some(ErrorCode::UnsupportedGroup);
        prop_assert_eq!(error, expected, "{} at {}", text, before);
        if error.is_some() {
            continue;
        }
        // Every second one has a full socket when the scale changes.
        rig.node.subscribers[subscriber].stalled = number >= SHAPES.len();
        rig.node.subscribers[subscriber].holds = number * 90;
        subscribers.push(subscriber);
        plain.push(rig.subscribe(grouped(shape, None))?.0);
    }
    rig.check(before)?;
    for at in 0..40 {
        rig.write(change(at));
        rig.node.flush()?;
    }
    // Some are about to change into what may not fit, or into something else.
    let changed = plain.last().copied();
    if let Some(last) = changed {
        let group = Some(Some(step(text)));
        rig.node.request_update(
            last,
            StreamChange {
                group,
                ..StreamChange::default()
            },
        );
        rig.node.request_update(
            subscribers[0],
            StreamChange {
                depth: Some(Depth::D10),
                ..StreamChange::default()
            },
        );
    }
    rig.write(change(41));
    rig.write(definition(after));
    rig.write(change(42));
    rig.node.flush()?;
    for subscriber in &subscribers {
        rig.node.subscribers[*subscriber].stalled = false;
    }
    rig.node.flush()?;
    for at in [None, Some(3), Some(5)] {
        rig.write(at.map_or_else(book, change));
        rig.check(after)?;
    }
    let ends = !fits(text, after);
    for subscriber in &subscribers {
        prop_assert_eq!(
            rig.node.subscribers[*subscriber].ended,
            ends,
            "{} from {} to {}",
            text,
            before,
            after
        );
        let phase = if ends {
            Phase::Unsubscribed
        } else {
            Phase::Live
        };
        prop_assert_eq!(rig.node.subscribers[*subscriber].phase, phase);
    }
    for subscriber in &plain {
        prop_assert!(!rig.node.subscribers[*subscriber].ended);
        prop_assert_eq!(rig.node.subscribers[*subscriber].phase, Phase::Live);
        let is_grouped = rig.node.subscribers[*subscriber]
            .client
            .key
            .params
            .group
            .is_some();
        prop_assert_eq!(is_grouped, Some(*subscriber) == changed && !ends);
    }
    for subscriber in &subscribers {
        if ends {
            let error = rig.subscribe_again(*subscriber)?;
            prop_assert_eq!(error, Some(ErrorCode::UnsupportedGroup));
        }
    }
    rig.write(definition(before));
    rig.write(book());
    for subscriber in &subscribers {
        if ends {
            prop_assert_eq!(rig.subscribe_again(*subscriber)?, None);
        }
    }
    rig.write(change(7));
    rig.check(before)?;
    for subscriber in subscribers {
        prop_assert_eq!(rig.node.subscribers[subscriber].phase, Phase::Live);
    }
    Ok(())
}

#[test]
fn a_grouped_stream_has_its_parameters_or_is_ended() -> Checked {
    for text in STEPS {
        for before in EXPONENTS {
            for after in EXPONENTS {
                rescale(text, before, after, false)?;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_grouped_stream_is_right_or_ended_even_if_commands_and_deliveries_cross(
        text in select(STEPS.to_vec()),
        before in select(EXPONENTS.to_vec()),
        after in select(EXPONENTS.to_vec()),
    ) {
        rescale(text, before, after, true)?;
    }
}

/// A replay of a grouped book stops at a scale that its step does not fit, after everything before it.
#[test]
fn a_replay_of_a_grouped_book_ends_where_its_step_no_longer_fits() -> Checked {
    let key = grouped((Depth::Full, Speed::Raw), Some("0.25"));
    let mut rig = Rig::new();
    rig.write(definition(-2));
    rig.write(book());
    let origin = rig.node.publisher.origin(&key).unwrap().unwrap();
    let now = rig.node.present();
    let mut replay =
        Replay::new(&origin, Encoding::Sbe, &settings(), Seq(0), now.monotonic).unwrap();
    let mut past = Rig::new();
    let mut read = |replay: &mut Replay, content: Content| {
        let record = past.record(content);
        let at = record.at();
        let event = match &record.content {
            Content::Definition(definition) => Event::Definition {
                time: None,
                definition: *definition,
            },
            Content::Snapshot {
                seq,
                origin,
                bids,
                asks,
            } => Event::Snapshot {
                seq: *seq,
                origin: *origin,
                time: None,
                bids,
                asks,
            },
            Content::Delta {
                link,
                origin,
                bids,
                asks,
            } => Event::Delta {
                link: *link,
                origin: *origin,
                time: None,
                bids,
                asks,
            },
            other => panic!("{other:?}"),
        };
        replay.event(at.seq, at.log_time, &event, now);
    };
    // Before it starts, its step may fit, not fit, and fit again.
    for content in [definition(-1), book(), definition(-2), book(), change(1)] {
        read(&mut replay, content);
    }
    let joined = replay.begin(now).unwrap();
    let mut client = Client::new(key, Encoding::Sbe);
    client.learn(joined.position.epoch, joined.exponents);
    client.take(&joined.run.unwrap())?;
    read(&mut replay, change(2));
    read(&mut replay, change(3));
    let stood = replay.position();
    prop_assert!(!replay.has_ended());
    read(&mut replay, definition(-1));
    prop_assert!(replay.has_ended());
    read(&mut replay, book());
    prop_assert_eq!(replay.position(), stood);
    prop_assert!(replay.pending() > 0);
    client.take(&replay.take(now.monotonic).unwrap())?;
    prop_assert_eq!(client.mine, Some(stood));
    prop_assert!(replay.take(now.monotonic).is_none());
    Ok(())
}
