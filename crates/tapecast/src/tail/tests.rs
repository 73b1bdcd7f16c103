//! What is shown, and what the end is, of a session that each test feeds.

use std::time::{Duration, Instant};

use client::session::Session;
use client::{Config, Endpoint, Event, Payload, Subscription, SubscriptionId};
use market::{
    Aggressor, Book, Channel, Epoch, Exponents, InstrumentId, InstrumentName, Level, Nanos, Price,
    Seq, Size, Trade,
};
use wire::control::{Answer, ControlError, ErrorCode, StartKind, StreamKey, Subscribed};
use wire::{Depth, Head, View, ViewParams, sbe};

use super::json;
use super::notice::Notice;
use super::plain;
use super::screen::{Screen, Whole, plain_text};
use super::terminal::Extent;
use super::verdict::Verdict;
use super::watched::{Stream, StreamName, Watched, is_data};

const NAME: &str = "BINANCE:BTC-USDT";
const DEPTH: Depth = Depth::D10;
/// 2024-08-08 23:54:15 UTC.
const NOW: Nanos = Nanos(1_723_161_255_208_000_000);

/// A session with a book and trades, and what is watched of it.
struct Fed {
    session: Session,
    watched: Vec<Watched>,
    lines: Vec<String>,
    notices: Vec<Notice>,
    book: Book,
    seq: i64,
    /// Data messages, as `--count` counts them.
    counted: u64,
}

impl Fed {
    fn new() -> Self {
        let now = Instant::now();
        let endpoint = Endpoint::parse("ws://127.0.0.1:8080/ws").unwrap();
        let mut session = Session::new(Config::default(), [endpoint], Some(1), now);
        let mut one = Watched::new(InstrumentName::parse(NAME).unwrap()).unwrap();
        for (id, channel) in [(0, Channel::Book), (1, Channel::Trades)] {
            let mut subscription = Subscription::new(channel, NAME);
            if channel == Channel::Book {
                subscription = subscription.depth(DEPTH);
            }
            let id = SubscriptionId(id);
            session.subscribe(now, id, &subscription).unwrap();
            one.streams.push(Stream::new(id, channel));
        }
        Self {
            session,
            watched: vec![one],
            lines: Vec::new(),
            notices: Vec::new(),
            book: Book::new(),
            seq: 100,
            counted: 0,
        }
    }

    /// Connected, and subscribed to one channel alone.
    fn following(channel: Channel) -> Self {
        let mut fed = Self::new();
        let now = Instant::now();
        let endpoint = Endpoint::parse("ws://127.0.0.1:8080/ws").unwrap();
        fed.session = Session::new(Config::default(), [endpoint], Some(1), now);
        fed.watched[0].streams.clear();
        let id = SubscriptionId(7);
        let subscription = Subscription::new(channel, NAME);
        fed.session.subscribe(now, id, &subscription).unwrap();
        fed.watched[0].streams.push(Stream::new(id, channel));
        fed.session.on_connected(now);
        let stream = StreamKey::new(channel, InstrumentName::parse(NAME).unwrap());
        let view = stream.view();
        fed.answer(vec![Ok(Subscribed {
            stream,
            view,
            ..subscribed(channel)
        })]);
        fed
    }

    /// The first message of a channel that is followed alone.
    fn message(&mut self, channel: Channel) {
        let view = StreamKey::new(channel, InstrumentName::parse(NAME).unwrap()).view();
        let head = Head {
            view,
            ..self.head(channel, -1)
        };
        let level = Level::new(6_183_763, 1);
        let mut out = Vec::new();
        match channel {
            Channel::Book => {
                self.book.set(market::Side::Bid, level);
                let (bids, asks) = (self.book.bids().iter(), self.book.asks().iter());
                let checksum = self.book.checksum();
                sbe::book_snapshot(&mut out, &head, checksum, 0, 1, bids, asks).unwrap();
            }
            Channel::Bbo => {
                let bbo = market::Bbo {
                    bid: Some(level),
                    ask: None,
                };
                sbe::bbo(&mut out, &head, &bbo);
            }
            Channel::Trades => sbe::trades(&mut out, &head, [].into_iter()).unwrap(),
            Channel::Ticker => {
                let ticker = wire::Ticker {
                    open: None,
                    high: None,
                    low: None,
                    last: None,
                    volume: None,
                    vwap: None,
                    change: None,
                    trades: 0,
                };
                sbe::ticker(&mut out, &head, &ticker);
            }
            Channel::Bars => {
                let bar = wire::Bar {
                    interval: 60,
                    open_time: NOW,
                    open: Price(1),
                    high: Price(1),
                    low: Price(1),
                    close: Price(1),
                    volume: Size(1),
                    trades: 1,
                    closed: false,
                };
                sbe::bar(&mut out, &head, &bar);
            }
            Channel::Status => {
                let status = wire::Status {
                    channel,
                    state: market::State::Live,
                    reason: market::Reason::None,
                };
                sbe::status(&mut out, &head, &status);
            }
        }
        self.feed(&out);
    }

    /// Connected, subscribed, and the book is there.
    fn begun() -> Self {
        let mut fed = Self::new();
        fed.session.on_connected(Instant::now());
        let results = [Channel::Book, Channel::Trades].map(|channel| Ok(subscribed(channel)));
        fed.answer(results.to_vec());
        for rank in 0..10 {
            fed.book.set(
                market::Side::Bid,
                Level::new(6_183_763 - rank, 378_826 * (rank + 1)),
            );
            fed.book
                .set(market::Side::Ask, Level::new(6_183_764 + rank, 1_000));
        }
        let mut out = Vec::new();
        let (bids, asks) = (fed.book.bids().iter(), fed.book.asks().iter());
        let head = fed.head(Channel::Book, fed.seq);
        sbe::book_snapshot(&mut out, &head, fed.book.checksum(), 0, 1, bids, asks).unwrap();
        fed.feed(&out);
        fed
    }

    fn answer(&mut self, results: Vec<wire::control::Outcome<Subscribed>>) {
        let id = Some(1.into());
        let answer = Answer::Subscribed { id, results };
        self.session.on_text(Instant::now(), &answer.to_json());
        self.see();
    }

    fn head(&self, channel: Channel, prev: i64) -> Head {
        Head {
            instrument: InstrumentId::of(NAME),
            epoch: Epoch(7),
            view: view(channel),
            prev_seq: Seq(prev),
            seq: Seq(self.seq),
            event_time: Some(NOW),
            log_time: NOW,
            publish_time: NOW,
        }
    }

    /// A delta that sets the best bid, and tells a checksum that is wrong by so much.
    fn delta(&mut self, size: i64, wrong_by: u32) {
        let level = Level::new(6_183_763, size);
        self.book.set(market::Side::Bid, level);
        self.seq += 1;
        let head = self.head(Channel::Book, self.seq - 1);
        let checksum = self.book.checksum().wrapping_add(wrong_by);
        let mut out = Vec::new();
        sbe::book_delta(
            &mut out,
            &head,
            checksum,
            [level].into_iter(),
            std::iter::empty(),
        )
        .unwrap();
        self.feed(&out);
    }

    fn trade(&mut self, prev: i64) {
        self.seq += 1;
        let trade = Trade {
            price: Price(6_183_764),
            size: Size(100),
            side: Aggressor::Buy,
            id: "42",
        };
        let mut out = Vec::new();
        sbe::trades(
            &mut out,
            &self.head(Channel::Trades, prev),
            [trade].into_iter(),
        )
        .unwrap();
        self.feed(&out);
    }

    fn feed(&mut self, encoded: &[u8]) {
        let mut payload = Payload::new(wire::Encoding::Sbe, encoded.to_vec().into());
        while let Some(next) = payload.take_next() {
            let (message, raw) = next.unwrap();
            self.session.on_message(Instant::now(), &message, raw);
        }
        self.see();
    }

    fn see(&mut self) {
        while let Some(event) = self.session.poll_event() {
            self.counted += u64::from(is_data(&event));
            for one in &mut self.watched {
                one.take(&event);
                one.count(&self.session);
            }
            self.notices.extend(Notice::of(&event));
            self.tell(&event);
        }
    }

    /// As an object, with the book as of the event.
    fn tell(&mut self, event: &Event) {
        let whose = event
            .subscription()
            .and_then(|id| StreamName::find(&self.watched, id));
        self.lines.extend(json::line(event, whose, &self.session));
    }

    fn screen(&self, columns: usize, rows: usize) -> Vec<String> {
        let mut screen = Screen::default();
        for notice in &self.notices {
            let whose = StreamName::find(&self.watched, SubscriptionId(0));
            screen.note(NOW, whose, notice.clone());
        }
        let whole = Whole {
            link: "ws://127.0.0.1:8080/ws",
            up: true,
            running: Duration::from_secs(61),
            reconnects: 0,
            rate: 812,
        };
        let extent = Extent { columns, rows };
        let lines = screen.render(extent, &self.watched, &self.session, whole);
        lines.iter().map(|line| plain_text(line)).collect()
    }

    fn verdict(&self) -> Verdict {
        Verdict::of(&self.watched, &self.session)
    }
}

fn view(channel: Channel) -> View {
    let depth = match channel {
        Channel::Book => DEPTH,
        _ => Depth::Full,
    };
    ViewParams {
        depth,
        ..ViewParams::default()
    }
    .view()
}

fn subscribed(channel: Channel) -> Subscribed {
    let mut stream = StreamKey::new(channel, InstrumentName::parse(NAME).unwrap());
    if channel == Channel::Book {
        stream.depth = DEPTH;
    }
    Subscribed {
        stream,
        policy: wire::control::Policy::Conflate,
        instrument: InstrumentId::of(NAME),
        view: view(channel),
        epoch: Epoch(7),
        exponents: Exponents {
            price: -2,
            size: -5,
        },
        start: StartKind::Snapshot,
        reason: None,
    }
}

#[test]
fn a_line_has_all_the_figures() {
    let mut fed = Fed::begun();
    fed.delta(500_000, 0);
    let line = plain::figures(NOW, &fed.watched[0], &fed.session, 0);
    let (figures, latency) = line.split_once(" p50 ").unwrap();
    assert_eq!(
        figures,
        "23:54:15 BINANCE:BTC-USDT LIVE seq 101 bid 5@61837.63 ask 0.01@61837.64 messages 2 \
         verified 2 checksum ok gaps 0 resyncs 0 reconnects 0"
    );
    assert!(latency.contains("ms p99 "), "{latency}");
}

#[test]
fn a_screen_shows_the_book_the_trades_and_the_proof() {
    let mut fed = Fed::begun();
    fed.trade(-1);
    let lines = fed.screen(100, 40);
    let all = lines.join("\n");
    for word in [
        "tapecast tail",
        "ws://127.0.0.1:8080/ws",
        "00:01:01",
        "812/s",
        NAME,
        "LIVE",
        "seq 101",
        "spread 0.01",
        "3.78826  61837.63 │ 61837.64  0.01",
        "buy  61837.64 × 0.001",
        "verified 1",
        "checksum ok",
        "gaps 0",
        "latency p50",
    ] {
        assert!(all.contains(word), "{word} in\n{all}");
    }
    let levels = lines.iter().filter(|line| line.contains('│')).count();
    assert_eq!(levels, 10);
}

#[test]
fn a_screen_fits_every_terminal() {
    let mut fed = Fed::begun();
    fed.delta(1, 1);
    fed.trade(-1);
    for name in ["A:B", "C:D"] {
        fed.watched
            .push(Watched::new(InstrumentName::parse(name).unwrap()).unwrap());
    }
    for columns in [1, 20, 80, 155, 200, 400] {
        for rows in [1, 5, 24, 60] {
            let lines = fed.screen(columns, rows);
            assert!(
                lines.len() <= rows,
                "{columns}x{rows}: {} lines",
                lines.len()
            );
            for line in lines {
                assert!(line.chars().count() <= columns, "{columns}x{rows}: {line}");
            }
        }
    }
}

#[test]
fn a_wrong_checksum_is_shown_and_is_the_verdict() {
    let mut fed = Fed::begun();
    assert_eq!(fed.verdict().wrong, Vec::<String>::new());
    fed.delta(1, 1);
    let all = fed.screen(100, 40).join("\n");
    assert!(
        all.contains("WRONG") && all.contains("1 checksum mismatches"),
        "{all}"
    );
    assert!(all.contains("checksum mismatch at seq 101"), "{all}");
    let wrong = fed.verdict().wrong;
    assert_eq!(wrong[0], "BINANCE:BTC-USDT: 1 checksum mismatches");
    assert_eq!(wrong[1], "BINANCE:BTC-USDT: book has not recovered");
}

#[test]
fn a_gap_is_a_line_and_as_long_as_it_is_open_the_verdict() {
    let mut fed = Fed::begun();
    fed.seq = 105;
    fed.delta(1, 0);
    let notice = fed.notices.last().unwrap();
    assert_eq!(
        notice.text,
        "gap: (100, 105] a message is missing: resuming"
    );
    assert_eq!(
        fed.verdict().wrong,
        ["BINANCE:BTC-USDT: book has not recovered"]
    );
}

#[test]
fn a_refused_instrument_is_the_verdict() {
    let mut fed = Fed::new();
    fed.session.on_connected(Instant::now());
    let refused = |channel| {
        let error = ControlError::new(ErrorCode::UnknownSymbol, "no such instrument here");
        Err(subscribed(channel).stream.refuse(error))
    };
    fed.answer(vec![refused(Channel::Book), refused(Channel::Trades)]);
    let expected = [
        "BINANCE:BTC-USDT: book was rejected",
        "BINANCE:BTC-USDT: trades was rejected",
    ];
    assert_eq!(fed.verdict().wrong, expected);
    assert_eq!(
        fed.notices[1].text,
        "rejected: unknown_symbol: no such instrument here"
    );
}

#[test]
fn nobody_there_is_the_verdict() {
    let fed = Fed::new();
    assert!(fed.verdict().wrong.contains(&"never connected".to_owned()));
}

#[test]
fn every_event_is_an_object_of_its_own() {
    let mut fed = Fed::begun();
    fed.delta(0, 0);
    fed.trade(-1);
    let mut kinds = Vec::new();
    for line in &fed.lines {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(!line.contains('\n'));
        kinds.push(value["event"].as_str().unwrap().to_owned());
        match kinds.last().map(String::as_str) {
            Some("trades") => assert_eq!(value["trades"][0]["price"], "61837.64"),
            Some("snapshot") => assert_eq!(value["bids"].as_array().unwrap().len(), 10),
            Some("delta") => {
                let begin = r#"{"event":"delta","symbol":"BINANCE:BTC-USDT","channel":"book","#;
                assert!(line.starts_with(begin), "{line}");
                assert_eq!(value["bids"][0], serde_json::json!(["61837.63", "0"]));
                assert_eq!(value["symbol"], NAME);
            }
            _ => {}
        }
    }
    let expected = [
        "connected",
        "subscribed",
        "subscribed",
        "snapshot",
        "delta",
        "trades",
    ];
    assert_eq!(kinds, expected);
    let summary: serde_json::Value = serde_json::from_str(&fed.verdict().to_json()).unwrap();
    assert_eq!(summary["messages"], 3);
}

/// A stream of any channel ends `tail --count`, where its messages come live or from the past.
#[test]
fn every_data_message_counts_on_every_channel() {
    for channel in Channel::ALL {
        let mut fed = Fed::following(channel);
        let before = fed.counted;
        fed.message(channel);
        assert_eq!(fed.counted, before + 1, "{}", channel.name());
        assert_eq!(fed.watched[0].seq, Seq(fed.seq), "{}", channel.name());
    }
}
