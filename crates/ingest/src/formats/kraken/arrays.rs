//! The arrays of Kraken's WebSocket API v1: `[id, content, channel, pair]`.

use market::{Exponents, Level, Nanos, Scope, Trade};

use super::Sequence;
use crate::json::{Document, Fault, Field, ROOT, Repeated, TapePos, Texts};
use crate::record_reader::{Parsed, RecordReader};
use crate::trades::{self, MAX_TRADES};
use crate::{ErrorKind, Resolve, levels, times};

/// Channels that are ignored, without their depth or interval.
const IGNORED_CHANNELS: [&str; 3] = ["spread", "ticker", "ohlc"];
/// The parts of an array: four, or five if both sides of a book change.
const MAX_PARTS: usize = 5;

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let mut parts = [ROOT; MAX_PARTS];
    let elements = document.elements(ROOT)?;
    let len = elements.len();
    if !(MAX_PARTS - 1..=MAX_PARTS).contains(&len) {
        return Err(Fault::at(ROOT, ErrorKind::UnknownKind));
    }
    for (part, element) in parts.iter_mut().zip(elements) {
        *part = element;
    }
    let [content, [channel, pair]] = [&parts[1..len - 2], &parts[len - 2..len]] else {
        return Err(Fault::at(ROOT, ErrorKind::UnknownKind));
    };
    let (kind, depth) = match document.text(*channel)?.split_once('-') {
        Some((kind, depth)) => (kind, depth.parse().ok()),
        None => (document.text(*channel)?, None),
    };
    match (kind, content) {
        ("book", parts) => {
            reader.subject.scope = Scope::Book;
            let exponents = reader.resolve_symbol(instruments, *pair)?.exponents;
            read_book(reader, parts, exponents, depth)
        }
        ("trade", [array]) => {
            reader.subject.scope = Scope::Trades;
            let exponents = reader.resolve_symbol(instruments, *pair)?.exponents;
            read_trades(reader, *array, exponents)
        }
        (other, _) if IGNORED_CHANNELS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(*channel, ErrorKind::UnknownKind)),
    }
}

fn read_book(
    reader: &mut RecordReader<'_, '_, '_>,
    parts: &[TapePos],
    exponents: Exponents,
    depth: Option<usize>,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let [mut bids, mut asks, mut checksum] = [Field::default(); 3];
    let mut repeated = Repeated::default();
    let mut is_snapshot = false;
    for part in parts {
        for (key, value) in document.members(*part)? {
            let field = match key {
                "bs" | "b" => &mut bids,
                "as" | "a" => &mut asks,
                "c" => &mut checksum,
                _ => continue,
            };
            repeated.note(field, value);
            is_snapshot |= key.ends_with('s');
        }
    }
    repeated.ensure_none()?;
    if !bids.is_present() && !asks.is_present() {
        return Err(Fault::at(ROOT, ErrorKind::UnknownKind));
    }
    let mut book = Book {
        document,
        exponents,
        sequence: Sequence {
            window: depth,
            ..Sequence::default()
        },
        latest: Nanos(0),
    };
    for (side, levels) in [(bids, &mut reader.out.bids), (asks, &mut reader.out.asks)] {
        if let Some(side) = side.get() {
            book.read_side(side, levels)?;
        }
    }
    let Book {
        sequence, latest, ..
    } = book;
    let time = (latest != Nanos(0)).then_some(latest);
    if is_snapshot {
        let origin = sequence.origin(None);
        return Ok(Parsed::Snapshot {
            seq: None,
            origin,
            time,
        });
    }
    let checksum = match checksum.get() {
        Some(pos) => Some(sequence.checksum(document.unsigned_32(pos)?, exponents)),
        None => None,
    };
    Ok(Parsed::Delta {
        link: None,
        origin: sequence.origin(checksum),
        time,
    })
}

/// A book that is being read.
struct Book<'t, 'a> {
    document: Document<'t, 'a>,
    exponents: Exponents,
    sequence: Sequence,
    /// The latest time of a level, which is the message's time.
    latest: Nanos,
}

impl Book<'_, '_> {
    /// Reads `[["price","size","seconds"],…]`; a fourth part marks a level that is repeated.
    fn read_side(&mut self, side: TapePos, levels: &mut Vec<Level>) -> Result<(), Fault> {
        let document = &self.document;
        levels::pairs(document, side, self.exponents, true, levels)?;
        let mut texts = Texts::new();
        for level in document.elements(side)? {
            if document.elements(level)?.len() < 3 {
                return Err(levels::no_level(level));
            }
            let price = levels::decimal_text(document, level + 1, &mut texts)?;
            let size = levels::decimal_text(document, level + 2, &mut texts)?;
            self.sequence.note(levels::decimals_of(price, size));
            let time = levels::decimal_text(document, level + 3, &mut texts)?;
            self.latest = self.latest.max(times::seconds(time, level + 3)?);
        }
        Ok(())
    }
}

/// Reads `[["price","size","seconds","side",…],…]`, with the taker's side.
fn read_trades(
    reader: &mut RecordReader<'_, '_, '_>,
    array: TapePos,
    exponents: Exponents,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let elements = document.elements_within(array, MAX_TRADES)?;
    let mut texts = Texts::new();
    let mut time = None;
    for trade in elements {
        if document.elements(trade)?.len() < 4 {
            let expected = "a price, a size, a time and a side";
            return Err(Fault::at(trade, ErrorKind::BadValue { expected }));
        }
        reader.out.trades.push(Trade {
            price: levels::price(&document, trade + 1, exponents, &mut texts)?,
            size: levels::size(&document, trade + 2, exponents, &mut texts)?,
            side: trades::taker(&document, trade + 4, ["b", "s"])?,
            id: "",
        });
        let text = levels::decimal_text(&document, trade + 3, &mut texts)?;
        time = Some(times::seconds(text, trade + 3)?);
    }
    match time {
        Some(_) => Ok(Parsed::Trades { time }),
        None => Ok(Parsed::Nothing),
    }
}
