//! Mappings of the configuration: the documented example is read as documented, and errors name their keys.

use ingest::{Decoder, IngestConfig, RawRecord, Resolve, Resolved};
use market::{Event, Exponents, Handle};

use super::*;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md");

/// What stands in the first block of a language behind a heading.
fn block<'d>(document: &'d str, language: &str) -> &'d str {
    let (_, section) = document.split_once("\n## `mapped`").unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0
}

/// Knows the one instrument of the example.
struct Only;

impl Resolve for Only {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        assert_eq!((venue, symbol), ("ACME", "BTC-USD"));
        Ok(Resolved {
            handle: Handle(0),
            exponents: Exponents::default(),
        })
    }

    fn find(&mut self, _: &str, _: &str) -> Option<Handle> {
        None
    }
}

#[test]
fn the_documented_mapping_reads_the_documented_records() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let config = config(sources(block(&document, "toml")));
    let source = config.ingest.topics[0].source("acme").unwrap();
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let mut said = Vec::new();
    for record in block(&document, "json").lines() {
        let raw = RawRecord {
            source: &source,
            key: None,
            payload: Some(record.as_bytes()),
        };
        let decoded = decoder.decode(&raw, &mut Only).unwrap();
        said.push(match decoded.event().map(|(_, event)| event) {
            Some(Event::Snapshot {
                seq, bids, asks, ..
            }) => {
                format!("book {} {} {}", seq.unwrap(), bids.len(), asks.len())
            }
            Some(Event::Delta { link, bids, .. }) => {
                let link = link.unwrap();
                format!("change {} {} {}", link.prev, link.seq, bids[0].size.0)
            }
            Some(Event::Trades { time, trades }) => {
                format!(
                    "trade {} {} {}",
                    time.unwrap().0,
                    trades[0].size.0,
                    trades[0].id
                )
            }
            Some(_) => "other".to_owned(),
            None => "nothing".to_owned(),
        });
    }
    let expected = [
        "book 6 1 1",
        "change 6 8 0",
        "trade 1723161255342000000 2000000 3735683259",
        "nothing",
    ];
    assert_eq!(said, expected);
}

#[track_caller]
fn check(topic: &str, mapping: &str, expected: &[&str]) {
    let text = format!(
        "[kafka]\nbrokers = \"kafka:9092\"\n[[topics]]\npattern = \"a\"\n{topic}\n[[mappings]]\nname = \"one\"\n{mapping}\n"
    );
    let Err(errors) = Config::load(sources(&text)) else {
        panic!("no error");
    };
    let told = errors.to_string();
    for expected in expected {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn what_is_wrong_with_a_mapping_names_its_key() {
    let right = "symbol = \"/s\"\notherwise = \"delta\"\nbids = \"/b\"\nasks = \"/a\"";
    check(
        "format = \"mapped\"\nmapping = \"two\"",
        right,
        &[
            "topics[0].mapping = \"two\"",
            "the name of a mapping: \"one\"",
        ],
    );
    check("format = \"mapped\"", right, &["topics[0].mapping"]);
    check(
        "format = \"okx\"\nmapping = \"one\"",
        right,
        &["topics[0].mapping"],
    );
    check(
        "format = \"mapped\"\nmapping = \"one\"",
        "symbol = \"s\"\notherwise = \"delta\"\nbids = \"/b\"\nlevel_price = \"/a/b\"",
        &[
            "mappings[0].symbol = \"s\"",
            "a JSON pointer into the message",
            "mappings[0].asks",
            "mappings[0].level_price = \"/a/b\"",
        ],
    );
}
