//! Vectors of the packed encoding, for readers in other languages: `testdata/packed.json`.

use serde::{Deserialize, Serialize};
use wire::OwnedMessage;
use wire::json::InstrumentText;
use wire::sbe::Message;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/packed.json");

/// One message in the three encodings.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    packed: String,
    sbe: String,
    json: String,
}

impl Vector {
    pub(crate) fn packed(&self) -> Vec<u8> {
        unhex(&self.packed)
    }

    pub(crate) fn message(&self) -> OwnedMessage {
        let bytes = unhex(&self.sbe);
        let (message, rest) = Message::decode(&bytes).unwrap();
        assert!(rest.is_empty());
        message.into_owned()
    }
}

pub(crate) fn make(name: &str, message: &OwnedMessage, packed: &[u8]) -> Vector {
    let mut sbe = Vec::new();
    message.encode(&mut sbe).unwrap();
    let (decoded, _) = Message::decode(&sbe).unwrap();
    let text = InstrumentText {
        name: "BINANCE:BTC-USDT",
        exponents: market::Exponents::default(),
    };
    let mut json = Vec::new();
    wire::json::write(&mut json, &decoded, &text);
    Vector {
        name: name.to_owned(),
        packed: hex(packed),
        sbe: hex(&sbe),
        json: String::from_utf8(json).unwrap(),
    }
}

/// What the vectors are made of: every kind as it is every day, and every example that is not long.
pub(crate) fn messages() -> Vec<(String, OwnedMessage)> {
    const LONGEST: usize = 1_000;
    let everyday = crate::examples::everyday().into_iter();
    let everyday = everyday.map(|message| ("everyday", message));
    let corners = crate::examples::examples().into_iter();
    let corners = corners.map(|message| ("corner", message));
    let short = everyday.chain(corners).filter(|(_, message)| {
        let mut sbe = Vec::new();
        message.encode(&mut sbe).unwrap();
        sbe.len() <= LONGEST
    });
    short
        .enumerate()
        .map(|(i, (group, message))| (format!("{group} {i}"), message))
        .collect()
}

pub(crate) fn read() -> Vec<Vector> {
    serde_json::from_slice(&std::fs::read(FILE).unwrap()).unwrap()
}

pub(crate) fn write(vectors: &[Vector]) {
    let mut text = serde_json::to_string_pretty(vectors).unwrap();
    text.push('\n');
    std::fs::write(FILE, text).unwrap();
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
