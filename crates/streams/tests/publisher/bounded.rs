//! The limits of what subscribers can make a publisher hold and do.

use market::{
    At, Channel, Event, Exponents, Handle, Level, Monotonic, Nanos, Now, PartitionIndex, Seq,
    SeqLink, SnapshotOrigin,
};
use streams::{Publisher, Rejected, Run, Settings, StreamId, StreamKey, ViewsOf};
use wire::{Depth, Encoding, PriceStep, Speed, ViewParams};

use crate::{identity, name, view_key};

const NOW: Now = Now {
    monotonic: Monotonic(1_000),
    wall: Nanos(1_000),
};
const DEPTHS: [Depth; 9] = [
    Depth::D1,
    Depth::D5,
    Depth::D10,
    Depth::D25,
    Depth::D50,
    Depth::D100,
    Depth::D500,
    Depth::D1000,
    Depth::Full,
];

/// A publisher of one book.
struct Deep {
    publisher: Publisher,
    handle: Handle,
    seq: i64,
}

impl Deep {
    /// A book with this many levels per side, at even prices.
    fn new(settings: Settings, levels: i64) -> Self {
        let mut publisher = Publisher::new(settings);
        let handle = publisher
            .add_instrument(&name(0), Exponents::default(), NOW.monotonic)
            .unwrap();
        publisher.open(PartitionIndex(0), identity(), Seq(0));
        let mut deep = Self {
            publisher,
            handle,
            seq: 0,
        };
        let side = |from: i64, step: i64| -> Vec<Level> {
            let levels = (0..levels).map(|rank| Level::new(from + rank * step, 1 + rank % 7));
            levels.collect()
        };
        let (bids, asks) = (side(1_000_000, -2), side(1_000_002, 2));
        deep.event(&Event::Snapshot {
            seq: Some(0),
            origin: SnapshotOrigin::InBand,
            time: None,
            bids: &bids,
            asks: &asks,
        });
        deep
    }

    fn event(&mut self, event: &Event<'_>) {
        let at = At {
            partition: PartitionIndex(0),
            seq: Seq(self.seq),
            log_time: NOW.wall,
        };
        self.publisher.event(at, self.handle, event, NOW).unwrap();
        self.seq += 1;
    }

    /// Changes these bids.
    fn delta(&mut self, bids: &[Level]) {
        let seq = u64::try_from(self.seq).unwrap();
        let link = Some(SeqLink { prev: seq - 1, seq });
        self.event(&Event::Delta {
            link,
            origin: SnapshotOrigin::InBand,
            time: None,
            bids,
            asks: &[],
        });
    }

    fn open_stream(&mut self, params: ViewParams) -> Result<StreamId, Rejected> {
        let key = view_key(0, Channel::Book, params);
        self.publisher
            .open_stream(key, Encoding::Sbe, NOW.monotonic)
    }
}

/// A view grouped by this many smallest price units.
fn grouped(step: u64) -> ViewParams {
    ViewParams {
        group: Some(PriceStep::parse(&format!("{step}e-8")).unwrap()),
        ..ViewParams::default()
    }
}

#[test]
fn the_views_of_one_session_are_bounded_and_block_no_other() {
    let settings = Settings::default();
    let mut deep = Deep::new(settings, 5_000);
    let before = deep.publisher.memory();
    let mut ids = Vec::new();
    let mut rejected = 0;
    for step in 1..=1_024 {
        match deep.open_stream(grouped(step)) {
            Ok(watch) => ids.push(watch),
            Err(Rejected::TooManyViews { of, .. }) => {
                assert_eq!(of, ViewsOf::Instrument);
                rejected += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(ids.len(), settings.grouped_views);
    assert_eq!(rejected, 1_024 - settings.grouped_views as u64);
    assert_eq!(deep.publisher.stats().views_rejected, rejected);
    assert_eq!(deep.publisher.views(), settings.grouped_views);
    // 10,000 levels of 16 bytes, and as much capacity to grow, at the finest step.
    let held = deep.publisher.view_bytes();
    assert!(held <= settings.grouped_views * 10_000 * 32, "{held}");
    assert_eq!(deep.publisher.memory(), before + held);

    // Views without a group are always admitted, and so is a step that is already open.
    for depth in DEPTHS {
        for speed in Speed::ALL {
            let params = ViewParams {
                depth,
                speed,
                ..ViewParams::default()
            };
            ids.push(deep.open_stream(params).unwrap());
        }
    }
    ids.push(deep.open_stream(grouped(1)).unwrap());
    let windows: usize = DEPTHS.iter().filter_map(|depth| depth.levels()).sum();
    let all = Speed::ALL.len() * windows * 2 * 32;
    assert!(deep.publisher.view_bytes() <= held + all + 80 * 512);

    // The room is free as soon as the stream is closed.
    deep.publisher.close_stream(ids.remove(5));
    ids.push(deep.open_stream(grouped(1_024)).unwrap());
    assert!(deep.open_stream(grouped(1_023)).is_err());
    for watch in ids {
        deep.publisher.close_stream(watch);
    }
    assert_eq!(deep.publisher.views(), 0);
    assert_eq!(deep.publisher.view_bytes(), 0);
    assert_eq!(deep.publisher.memory(), before);
}

#[test]
fn a_view_of_all_levels_holds_only_what_it_has_not_published() {
    let mut deep = Deep::new(Settings::default(), 20_000);
    for speed in [Speed::Ms10, Speed::Ms100, Speed::Ms250, Speed::S1] {
        let params = ViewParams {
            speed,
            ..ViewParams::default()
        };
        let _watch = deep.open_stream(params).unwrap();
    }
    assert!(deep.publisher.view_bytes() < 4 * 1024);
    for turn in 0..100 {
        let bids: Vec<_> = (0..20)
            .map(|rank| Level::new(1_000_000 - 2 * (turn * 20 + rank), 100 + turn))
            .collect();
        deep.delta(&bids);
        let _runs = deep.publisher.flush(NOW.monotonic);
    }
    // 2,000 changes of 24 bytes with capacity to grow, in each.
    assert!(deep.publisher.view_bytes() < 4 * 2_000 * 24 * 2 + 4 * 1024);
    deep.publisher.advance(Now {
        monotonic: Monotonic(NOW.monotonic.0 + 2_000_000_000),
        ..NOW
    });
    assert!(deep.publisher.view_bytes() < 4 * 4 * 1024);
}

#[test]
fn grouped_views_of_many_books_share_one_bound() {
    let settings = Settings {
        grouped_view_bytes: 1024 * 1024,
        ..Settings::default()
    };
    let mut deep = Deep::new(settings, 10_000);
    // 20,000 levels take 640,000 bytes at most.
    let first = deep.open_stream(grouped(1)).unwrap();
    let Err(Rejected::TooManyViews { of, .. }) = deep.open_stream(grouped(2)) else {
        panic!("it would not fit");
    };
    assert_eq!(of, ViewsOf::Publisher);
    // A view with coarse steps is small.
    let coarse = deep.open_stream(grouped(1_000)).unwrap();
    deep.publisher.close_stream(first);
    assert!(deep.open_stream(grouped(2)).is_ok());
    deep.publisher.close_stream(coarse);
}

#[test]
fn a_fetch_creates_no_view_and_returns_what_a_subscriber_is_sent() {
    let mut deep = Deep::new(Settings::default(), 3_000);
    for params in [
        ViewParams {
            depth: Depth::D10,
            ..ViewParams::default()
        },
        ViewParams {
            speed: Speed::Ms100,
            ..ViewParams::default()
        },
        ViewParams {
            depth: Depth::D25,
            ..grouped(7)
        },
        grouped(1_000),
        ViewParams::default(),
    ] {
        let key: StreamKey = view_key(0, Channel::Book, params);
        let fetched = deep.publisher.fetch(key, Encoding::Sbe, NOW).unwrap();
        assert_eq!(
            (deep.publisher.views(), deep.publisher.open_streams()),
            (0, 0)
        );
        let watch = deep.open_stream(params).unwrap();
        let joined = deep.publisher.join(watch, None, NOW).unwrap();
        assert_eq!(fetched.position, joined.position);
        let (fetched, joined) = (fetched.run.unwrap(), joined.run.unwrap());
        assert!(fetched.messages().eq(joined.messages()), "{params:?}");
        deep.publisher.close_stream(watch);
    }
    let too_fine = ViewParams {
        group: Some(PriceStep::parse("1e-9").unwrap()),
        ..ViewParams::default()
    };
    let key = view_key(0, Channel::Book, too_fine);
    let unknown = deep.publisher.fetch(key, Encoding::Sbe, NOW);
    assert!(matches!(unknown, Err(Rejected::Group { .. })));
}

#[test]
fn work_for_one_request_is_counted_before_the_next() {
    let mut deep = Deep::new(Settings::default(), 5_000);
    let start = deep.publisher.work();
    let watch = deep.open_stream(grouped(3)).unwrap();
    let made = deep.publisher.work();
    assert_eq!(made - start, 10_000 * 16, "each level is read once");
    let joined = deep.publisher.join(watch, None, NOW).unwrap();
    let payloads = |run: &Run| {
        run.messages()
            .map(|(payload, _)| payload.len() as u64)
            .sum::<u64>()
    };
    let sent = payloads(&joined.run.unwrap());
    assert_eq!(deep.publisher.work() - made, sent);
    // The next one starts with the same bytes.
    let before = deep.publisher.work();
    let _joined = deep.publisher.join(watch, None, NOW).unwrap();
    assert_eq!(deep.publisher.work(), before);
    let key = view_key(0, Channel::Book, grouped(5));
    let fetched = deep.publisher.fetch(key, Encoding::Sbe, NOW).unwrap();
    let sent = payloads(&fetched.run.unwrap());
    assert_eq!(deep.publisher.work() - before, sent + 10_000 * 16);
}
