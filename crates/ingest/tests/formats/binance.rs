//! Binance's own JSON, compared with the best prices that the exchange itself published.

use ingest::{Decoder, ErrorKind, Format, IngestConfig, RawRecord, Source};
use market::{
    Aggressor, Changes, DeltaOutcome, Event, Level, Nanos, Seq, SeqLink, SnapshotOrigin,
    SnapshotOutcome, VenueBook,
};

use crate::captures;
use crate::instruments::Instruments;
use crate::said::{Said, level, read, read_with, source};

fn btcusdt() -> Source {
    Source {
        symbol: Some("BTCUSDT".to_owned()),
        mapping: None,
        ..source(Format::Binance, "binance")
    }
}

/// The exchange's own best bid and ask as of an update.
struct Ticker {
    update: u64,
    bid: Level,
    ask: Level,
}

fn tickers(records: &[String]) -> Vec<Ticker> {
    let mut tickers = Vec::new();
    for record in records
        .iter()
        .filter(|record| record.contains("@bookTicker"))
    {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let data = &record["data"];
        let text = |key: &str| data[key].as_str().unwrap();
        tickers.push(Ticker {
            update: data["u"].as_u64().unwrap(),
            bid: level(text("b"), text("B")),
            ask: level(text("a"), text("A")),
        });
    }
    assert!(tickers.is_sorted_by_key(|ticker| ticker.update));
    tickers
}

/// Builds the book of a capture, and counts how often it agrees with the exchange's ticker.
struct Checked {
    book: VenueBook,
    changes: Changes,
    tickers: Vec<Ticker>,
    agreed: u32,
    compared: u32,
}

impl Checked {
    fn compare(&mut self, update: u64) {
        let until = self
            .tickers
            .partition_point(|ticker| ticker.update <= update);
        let Some(ticker) = until.checked_sub(1).map(|last| &self.tickers[last]) else {
            return;
        };
        let bbo = self.book.book().bbo();
        self.compared += 1;
        self.agreed += u32::from((bbo.bid, bbo.ask) == (Some(ticker.bid), Some(ticker.ask)));
    }

    fn take(&mut self, offset: Seq, event: Event<'_>) {
        match event {
            Event::Snapshot {
                seq,
                origin,
                bids,
                asks,
                ..
            } => {
                let outcome =
                    self.book
                        .snapshot(seq, origin, bids, asks, Seq::NONE, &mut self.changes);
                let SnapshotOutcome::Staged { first, .. } = outcome else {
                    assert_eq!(outcome, SnapshotOutcome::Applied);
                    return;
                };
                let mut index = first;
                while let Some(delta) = self.book.replay(index, &mut self.changes) {
                    self.compare(delta.link.seq);
                    index += 1;
                }
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                let changes = &mut self.changes;
                let outcome =
                    self.book
                        .delta(offset, Nanos(0), link, origin, time, bids, asks, changes);
                match outcome {
                    DeltaOutcome::Applied => self.compare(link.unwrap().seq),
                    other => assert!(!self.book.is_live(), "{offset:?}: {other:?}"),
                }
            }
            _ => {}
        }
    }
}

#[track_caller]
fn check(captures: &[&str], agreed: u32, compared: u32) {
    let mut records = Vec::new();
    for path in captures {
        let Some(more) = captures::received(path) else {
            return;
        };
        records.extend(more);
    }
    let mut checked = Checked {
        book: VenueBook::new(),
        changes: Changes::default(),
        tickers: tickers(&records),
        agreed: 0,
        compared: 0,
    };
    let source = btcusdt();
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let mut instruments = Instruments::default();
    for (offset, record) in (0..).zip(&records) {
        let raw = RawRecord {
            source: &source,
            key: None,
            payload: Some(record.as_bytes()),
        };
        let decoded = decoder.decode(&raw, &mut instruments).unwrap();
        if let Some((_, event)) = decoded.event() {
            checked.take(Seq(offset), event);
        }
    }
    assert!(checked.book.is_live());
    assert_eq!((checked.agreed, checked.compared), (agreed, compared));
}

#[test]
fn the_spot_book_is_the_exchanges() {
    check(&["hftbacktest/spot/btcusdt_20240808.gz"], 3449, 3449);
}

#[test]
fn the_spot_book_goes_on_over_midnight() {
    let both = [
        "hftbacktest/spot/btcusdt_20240808.gz",
        "hftbacktest/spot/btcusdt_20240809.gz",
    ];
    // The two differences are the exchange's: the price fell below the last bid of its snapshot.
    check(&both, 6491, 6493);
}

#[test]
fn the_usdm_book_is_the_exchanges() {
    check(&["hftbacktest/usdm/btcusdt_20240808.gz"], 6547, 6547);
}

#[test]
fn the_coinm_book_is_the_exchanges() {
    check(&["hftbacktest/cm/btcusd_perp_20240808.gz"], 26824, 26824);
}

fn delta(prev: u64, seq: u64) -> Said {
    Said::Delta {
        link: Some(SeqLink { prev, seq }),
        origin: SnapshotOrigin::OutOfBand,
        time: Some(1_723_161_255_208_000_000),
        bids: vec![level("61737.63", "0")],
        asks: vec![level("61837.64", "1.54698")],
    }
}

const SPOT: &str = r#"{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":11,"u":14,"b":[["61737.63000000","0.00000000"]],"a":[["61837.64000000","1.54698000"]]}"#;

#[test]
fn a_spot_delta_builds_on_the_number_before_its_first() {
    assert_eq!(read(&btcusdt(), SPOT), Ok(delta(10, 14)));
}

#[test]
fn a_futures_delta_builds_on_the_number_that_it_names() {
    let futures = SPOT.replace(r#""u":14,"#, r#""u":14,"pu":7,"#);
    assert_eq!(read(&btcusdt(), &futures), Ok(delta(7, 14)));
}

#[test]
fn a_combined_stream_is_read_in_any_order_and_with_white_space() {
    for combined in [
        format!(r#"{{"stream":"btcusdt@depth@100ms","data":{SPOT}}}"#),
        format!(r#"{{"data":{SPOT},"stream":"btcusdt@depth@100ms"}}"#),
        format!(" {{ \"stream\" : \"btcusdt@depth\" ,\n \"data\" : {SPOT} , \"more\" : [ 1 ] }} "),
    ] {
        assert_eq!(read(&btcusdt(), &combined), Ok(delta(10, 14)), "{combined}");
    }
}

#[test]
fn microseconds_are_told_from_milliseconds() {
    let micros = SPOT.replace("1723161255208", "1723161255208000");
    assert_eq!(read(&btcusdt(), &micros), Ok(delta(10, 14)));
}

#[test]
fn the_maker_flag_gives_the_aggressor() {
    let trade = |maker: bool| {
        format!(
            r#"{{"e":"trade","E":5,"s":"BTCUSDT","t":3735683259,"p":"61837.63","q":"0.02","T":4,"m":{maker},"M":true}}"#
        )
    };
    for (maker, side) in [(true, Aggressor::Sell), (false, Aggressor::Buy)] {
        let Level { price, size } = level("61837.63", "0.02");
        let expected = (price.0, size.0, side, "3735683259".to_owned());
        let said = Said::Trades(Some(4_000_000), vec![expected]);
        assert_eq!(read(&btcusdt(), &trade(maker)), Ok(said));
    }
}

#[test]
fn an_aggregate_trade_has_its_own_identifier() {
    let trade = r#"{"e":"aggTrade","E":5,"s":"BTCUSDT","a":26129,"p":"0.01","q":"100","f":1,"l":2,"T":4,"m":true}"#;
    let Ok(Said::Trades(_, trades)) = read(&btcusdt(), trade) else {
        panic!("no trade");
    };
    assert_eq!(trades[0].3, "26129");
}

#[test]
fn what_is_known_and_not_published_says_nothing() {
    for record in [
        r#"{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"2"}}"#,
        r#"{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"2"}"#,
        r#"{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"2"}"#,
        r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1,"s":"BTCUSDT","k":{}}}"#,
        r#"{"stream":"!ticker@arr","data":[{"e":"24hrTicker","s":"A"},{"e":"24hrTicker","s":"B"}]}"#,
        r#"[{"e":"24hrMiniTicker","s":"A"}]"#,
        r#"{"result":null,"id":1}"#,
        r#"{"result":["btcusdt@depth"],"id":3}"#,
        r#"{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":1,"bids":[],"asks":[]}}"#,
        r#"{"stream":"btcusdt@depth5","data":{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}"#,
        r#"{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"0","q":"0","X":"NA","m":false}"#,
        r#"{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","X":"INSURANCE_FUND","m":false}"#,
    ] {
        assert_eq!(read(&btcusdt(), record), Ok(Said::Nothing), "{record}");
    }
}

const REST: &str = r#"{"lastUpdateId":218,"bids":[["1","2",[]]],"asks":[]}"#;

/// The symbol of REST responses, which do not name it.
#[track_caller]
fn check_symbol(source: &Source, key: Option<&str>, payload: &str, expected: &'static str) {
    let mut instruments = Instruments::new(&[(expected, -8, -8)]);
    instruments.listed_only = true;
    let said = read_with(source, key, Some(payload.as_bytes()), &mut instruments);
    let expected = Said::Snapshot {
        seq: Some(218),
        origin: SnapshotOrigin::OutOfBand,
        time: None,
        bids: vec![level("1", "2")],
        asks: vec![],
    };
    assert_eq!(said, Ok(expected));
}

#[test]
fn a_rest_answer_without_a_symbol_takes_it_from_its_key_or_its_topic() {
    let nameless = source(Format::Binance, "binance");
    check_symbol(&nameless, Some("ETHUSDT"), REST, "BINANCE:ETHUSDT");
    check_symbol(&btcusdt(), Some("ETHUSDT"), REST, "BINANCE:ETHUSDT");
    check_symbol(&btcusdt(), Some("depth"), REST, "BINANCE:BTCUSDT");
    check_symbol(&btcusdt(), None, REST, "BINANCE:BTCUSDT");
    let named = REST.replace('{', r#"{"symbol":"BTCUSD_PERP","pair":"BTCUSD","#);
    check_symbol(&nameless, None, &named, "BINANCE:BTCUSD_PERP");

    let error = read(&nameless, REST).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MissingSymbol);
    let text = error.to_string();
    for possibility in ["value", "key", "pattern", "configured"] {
        assert!(text.contains(possibility), "{text}");
    }
}

#[test]
fn a_symbol_is_known_in_upper_case() {
    let lower = REST.replace('{', r#"{"symbol":"btcusdt","#);
    check_symbol(&btcusdt(), None, &lower, "BINANCE:BTCUSDT");
}
