//! A list of levels that is scanned from its text equals the one on the tape.
//!
//! A record with a backslash is read from the tape alone. So each record is read as it is, and
//! again with an additional unknown field that contains one.

use ingest::{Format, Source};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::instruments::Instruments;
use crate::mutations::{Change, change};
use crate::said::{Said, read_with, source};

/// Records with every kind of list, as venues write them; `{}` is replaced by a list of levels.
const RECORDS: [(Format, &str, Shape); 12] = [
    (
        Format::Tapecast,
        r#"{"type":"delta","symbol":"A:B","prev_seq":1,"seq":2,"bids":{},"asks":{}}"#,
        Shape::Pairs,
    ),
    (
        Format::Binance,
        r#"{"e":"depthUpdate","E":3,"s":"BTCUSDT","U":1,"u":2,"b":{},"a":{}}"#,
        Shape::Pairs,
    ),
    (
        Format::Binance,
        r#"{"lastUpdateId":2,"symbol":"BTCUSD_PERP","bids":{},"asks":{}}"#,
        Shape::Pairs,
    ),
    (
        Format::Bybit,
        r#"{"topic":"orderbook.50.X","type":"delta","ts":3,"data":{"s":"X","b":{},"a":{},"u":2,"seq":2},"cts":3}"#,
        Shape::Pairs,
    ),
    (
        Format::Okx,
        r#"{"arg":{"channel":"books","instId":"X"},"action":"update","data":[{"asks":{},"bids":{},"ts":"3","checksum":0,"seqId":2,"prevSeqId":1}]}"#,
        Shape::Quadruples,
    ),
    (
        Format::Coinbase,
        r#"{"type":"l2update","product_id":"X","changes":{},"time":"2024-08-08T23:54:15.208Z"}"#,
        Shape::Changes,
    ),
    (
        Format::Coinbase,
        r#"{"channel":"l2_data","timestamp":"2024-08-08T23:54:15.208Z","events":[{"type":"update","product_id":"X","updates":{}}]}"#,
        Shape::Updates,
    ),
    (
        Format::Deribit,
        r#"{"method":"subscription","params":{"channel":"book.X.raw","data":{"type":"change","timestamp":3,"instrument_name":"X","prev_change_id":1,"change_id":2,"bids":{},"asks":{}}}}"#,
        Shape::Triples,
    ),
    (
        Format::Tardis,
        r#"{"type":"book_change","symbol":"X","exchange":"binance","isSnapshot":false,"bids":{},"asks":{},"timestamp":"2024-08-08T23:54:15.208Z"}"#,
        Shape::Objects(["price", "amount"]),
    ),
    (
        Format::Kraken,
        r#"{"channel":"book","type":"update","data":[{"symbol":"X","bids":{},"asks":{},"checksum":3,"timestamp":"2024-08-08T23:54:15.208Z"}]}"#,
        Shape::Objects(["price", "qty"]),
    ),
    (
        Format::Cryptofeed,
        r#"{"exchange":"X","symbol":"A-B","delta":{"bid":{},"ask":{}},"timestamp":1.5}"#,
        Shape::Pairs,
    ),
    (
        Format::Cryptofeed,
        r#"{"exchange":"X","symbol":"A-B","book":{"bid":{},"ask":{}},"timestamp":1.5}"#,
        Shape::Members,
    ),
];

/// How a level is written.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Pairs,
    Quadruples,
    Changes,
    Triples,
    Updates,
    Objects([&'static str; 2]),
    Members,
}

/// What a list has: levels, and the space between its tokens.
#[derive(Debug, Clone)]
struct List {
    levels: Vec<(Number, Number, &'static str)>,
    space: &'static str,
}

#[derive(Debug, Clone)]
struct Number {
    text: String,
    is_quoted: bool,
}

impl Number {
    fn write(&self) -> String {
        match self.is_quoted {
            true => format!("\"{}\"", self.text),
            false => self.text.clone(),
        }
    }
}

impl List {
    fn write(&self, shape: Shape) -> String {
        let space = self.space;
        let levels = self.levels.iter().map(|(price, size, word)| {
            let (p, s) = (price.write(), size.write());
            match shape {
                Shape::Pairs => format!("[{p},{space}{s}]"),
                Shape::Quadruples => format!("[{p},{space}{s},\"10\",{space}\"1\"]"),
                Shape::Changes | Shape::Triples => format!("[\"{word}\",{space}{p},{space}{s}]"),
                Shape::Updates => format!(
                    r#"{{"side":{space}"{word}","event_time":"2024-08-08T23:54:15.208Z",{space}"price_level":{p},"new_quantity":{s}}}"#
                ),
                Shape::Objects([price, size]) => {
                    format!(r#"{{"{price}":{space}{p},{space}"{size}":{s}}}"#)
                }
                Shape::Members => format!("\"{}\":{space}{s}", price.text),
            }
        });
        let list = levels.collect::<Vec<_>>().join(&format!(",{space}"));
        match shape {
            Shape::Members => format!("{{{list}}}"),
            _ => format!("[{list}]"),
        }
    }
}

fn number() -> impl Strategy<Value = Number> {
    let text = prop_oneof![
        8 => "[1-9][0-9]{0,7}(\\.[0-9]{1,8})?",
        4 => "0\\.[0-9]{1,8}",
        2 => "[0-9.eE+-]{1,24}",
        1 => "-?[0-9]{1,22}",
        1 => "0e[0-9]{1,4}",
        1 => "[ -~]{0,12}",
    ];
    (text, any::<bool>()).prop_map(|(text, is_quoted)| Number { text, is_quoted })
}

fn list() -> impl Strategy<Value = List> {
    let word = select(vec!["buy", "sell", "bid", "offer", "change", "delete", ""]);
    let level = (number(), number(), word);
    let space = select(vec!["", "", "", " ", "\n\t "]);
    (proptest::collection::vec(level, 0..5), space)
        .prop_map(|(levels, space)| List { levels, space })
}

fn source_of(format: Format) -> Source {
    source(format, "book-X-A-B")
}

/// The content of a record, if it is valid.
fn said(format: Format, payload: &[u8]) -> Option<Said> {
    let read = read_with(
        &source_of(format),
        None,
        Some(payload),
        &mut Instruments::default(),
    );
    read.ok()
}

/// The same record in a form that is read from its tape.
pub(crate) fn for_the_tape(payload: &[u8]) -> Option<Vec<u8>> {
    let [before @ .., b'}'] = payload else {
        return None;
    };
    let is_empty = before.trim_ascii_end().ends_with(b"{");
    (!is_empty).then(|| [before, br#","_":"\n"}"#].concat())
}

#[track_caller]
fn check(format: Format, payload: &[u8]) {
    if let Some(other) = for_the_tape(payload) {
        let (text, tape) = (said(format, payload), said(format, &other));
        assert_eq!(
            text,
            tape,
            "{format:?} {}",
            String::from_utf8_lossy(payload)
        );
    }
}

fn write(record: usize, lists: &[List; 2]) -> (Format, String) {
    let (format, text, shape) = RECORDS[record];
    let mut parts = text.split("{}");
    let mut written = parts.next().unwrap().to_owned();
    for (part, list) in parts.zip(lists) {
        written += &list.write(shape);
        written += part;
    }
    (format, written)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn lists_read_from_their_text_say_what_their_tape_says(
        record in 0..RECORDS.len(),
        lists in [list(), list()],
    ) {
        let (format, payload) = write(record, &lists);
        check(format, payload.as_bytes());
    }

    #[test]
    fn changed_records_read_from_their_text_say_what_their_tape_says(
        record in 0..RECORDS.len(),
        lists in [list(), list()],
        changes in proptest::collection::vec(change(), 1..4),
    ) {
        let (format, payload) = write(record, &lists);
        let mut payload = payload.into_bytes();
        changes.iter().for_each(|change: &Change| change.apply(&mut payload));
        check(format, &payload);
    }

    #[test]
    fn lists_in_other_places_say_what_their_tape_says(
        record in 0..RECORDS.len(),
        lists in [list(), list()],
        at in any::<Index>(),
    ) {
        // A list where none belongs, under the name of one that does.
        let (format, payload) = write(record, &lists);
        let names = ["bids", "asks", "bid", "ask", "b", "a", "updates", "changes"];
        let junk = format!(
            r#"{{"{}":{}}}"#,
            at.get(&names),
            lists[0].write(RECORDS[record].2)
        );
        check(format, payload.replacen('{', &format!(r#"{{"junk":{junk},"#), 1).as_bytes());
        let end = payload.len() - 1;
        check(format, format!(r#"{},"junk":{junk}}}"#, &payload[..end]).as_bytes());
    }
}
