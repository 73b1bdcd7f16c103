//! The test vectors for clients in other languages, checked against this crate.

#![allow(
    clippy::disallowed_methods,
    reason = "a test may read files and clocks, and run programs"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use market::{Book, InstrumentId, InstrumentName, Level, Side, checksum};
use serde_json::Value;

fn read(name: &str) -> Value {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn mantissa(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

fn levels(value: &Value) -> Vec<Level> {
    let pairs = value.as_array().unwrap();
    pairs
        .iter()
        .map(|pair| Level::new(mantissa(&pair[0]), mantissa(&pair[1])))
        .collect()
}

#[test]
fn every_level_mixes_as_the_vectors_say() {
    let vectors = read("checksum.json");
    let all = vectors["levels"].as_array().unwrap();
    assert!(all.len() > 200);
    for vector in all {
        let side = match vector["side"].as_str().unwrap() {
            "bid" => Side::Bid,
            _ => Side::Ask,
        };
        let level = Level::new(mantissa(&vector["price"]), mantissa(&vector["size"]));
        assert_eq!(
            u64::from(checksum::mix(side, level)),
            vector["mix"].as_u64().unwrap(),
            "{vector}"
        );
    }
}

#[test]
fn every_book_sums_as_the_vectors_say() {
    for vector in read("checksum.json")["books"].as_array().unwrap() {
        let mut book = Book::new();
        book.fill(&levels(&vector["bids"]), &levels(&vector["asks"]))
            .unwrap();
        assert_eq!(
            u64::from(book.checksum()),
            vector["checksum"].as_u64().unwrap()
        );
    }
}

#[test]
fn every_name_has_the_id_that_the_vectors_say() {
    for vector in read("instrument_ids.json").as_array().unwrap() {
        let name = InstrumentName::parse(vector["name"].as_str().unwrap()).unwrap();
        assert_eq!(name.id(), InstrumentId(vector["id"].as_u64().unwrap()));
    }
}
