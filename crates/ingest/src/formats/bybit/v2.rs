//! Bybit's WebSocket API before v5, which was switched off in 2023 but fills archives: books of 25
//! levels per side, and trades.
//!
//! Its rule: a delta lists which of the 25 levels were deleted, updated and inserted, so every
//! level that leaves the book is deleted explicitly. `cross_seq` belongs to the matching engine: it
//! orders messages, but does not show that none is missing. A snapshot, which is sent when a
//! connection starts, is the only sign of a gap.

use market::{Exponents, Level, Nanos, Scope, Size, SnapshotOrigin};

use crate::json::{Document, Fault, Field, ROOT, TapePos, Texts};
use crate::levels::MAX_LEVELS;
use crate::record_reader::{Parsed, RecordReader};
use crate::trades::{TimeFormat, TradeList};
use crate::{ErrorKind, Resolve, levels, times};

/// The channel of books.
pub(super) const BOOK: &str = "orderBookL2_25";
/// The channel of deeper books, which is ignored: two depths of one book cannot be combined.
pub(super) const DEEPER_BOOK: &str = "orderBook_200";
/// The channel of trades.
pub(super) const TRADES: &str = "trade";

const TRADE_LIST: TradeList = TradeList {
    symbol: "symbol",
    id: "trade_id",
    price: "price",
    size: "size",
    side: "side",
    time: "trade_time_ms",
    time_format: TimeFormat::Millis,
    taker: ["Buy", "Sell"],
};
/// Before 2020 trades had no milliseconds.
const TRADE_LIST_OF_2019: TradeList = TradeList {
    time: "timestamp",
    time_format: TimeFormat::Date,
    ..TRADE_LIST
};

/// Reads the trades of `trade.<symbol>`.
pub(super) fn read_trades<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    data: TapePos,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Trades;
    let document = reader.document;
    let mut has_millis = false;
    if let Some(first) = document.elements(data)?.next() {
        let ([millis], _) = document.fields(first, [TRADE_LIST.time])?;
        has_millis = millis.is_present();
    }
    let list = if has_millis {
        &TRADE_LIST
    } else {
        &TRADE_LIST_OF_2019
    };
    list.read(reader, instruments, data, &[])
}

/// Reads a book of `orderBookL2_25.<symbol>`.
pub(super) fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    (topic, symbol): (TapePos, &str),
    kind: TapePos,
    data: TapePos,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let document = reader.document;
    let source = reader.source;
    let resolved = reader.resolve(instruments, (&source.venue, symbol), topic)?;
    let exponents = resolved.exponents;
    let is_snapshot = match document.text(kind)? {
        "snapshot" => true,
        "delta" => false,
        _ => {
            let expected = "\"snapshot\" or \"delta\"";
            return Err(Fault::at(kind, ErrorKind::BadValue { expected }));
        }
    };
    if !is_snapshot {
        let names = ["delete", "update", "insert"];
        let (parts, repeated) = document.fields(data, names)?;
        repeated.ensure_none()?;
        for (part, name) in parts.into_iter().zip(names) {
            read_levels(
                reader,
                part.needed(data, name)?,
                exponents,
                name == "delete",
            )?;
        }
    } else if let Ok(members) = document.members(data) {
        // Contracts in USDT.
        let mut members = members.filter(|(name, _)| *name == "order_book");
        let book = members.next().map(|(_, book)| book);
        let book = book.ok_or(Fault::missing(data, "order_book"))?;
        read_levels(reader, book, exponents, false)?;
    } else {
        // Contracts in coins.
        read_levels(reader, data, exponents, false)?;
    }
    let ([micros, micros_too], repeated) =
        document.fields(ROOT, ["timestamp_e6", "timestampE6"])?;
    repeated.ensure_none()?;
    let time = time(&document, micros, micros_too)?;
    Ok(Parsed::unnumbered(
        is_snapshot,
        SnapshotOrigin::InBand,
        time,
    ))
}

/// Reads microseconds, as a number or a string with one, under the older or the newer name.
fn time(document: &Document<'_, '_>, older: Field, newer: Field) -> Result<Option<Nanos>, Fault> {
    const MICROS: i8 = -3;
    let Some(pos) = older.get().or(newer.get()) else {
        return Ok(None);
    };
    let text = levels::decimal_text(document, pos, &mut Texts::new())?;
    times::scaled(text, MICROS, pos).map(Some)
}

/// Reads `[{"price":…,"side":"Buy","size":…},…]`; deleted levels have no size.
fn read_levels(
    reader: &mut RecordReader<'_, '_, '_>,
    array: TapePos,
    exponents: Exponents,
    are_deleted: bool,
) -> Result<(), Fault> {
    let RecordReader { document, out, .. } = reader;
    let document = *document;
    let mut texts = Texts::new();
    for element in document.elements_within(array, MAX_LEVELS)? {
        let names = ["price", "side", "size"];
        let ([price, side, size], repeated) = document.fields(element, names)?;
        repeated.ensure_none()?;
        let price = price.get().ok_or(levels::no_level(element))?;
        let side = side.needed(element, "side")?;
        let level = if are_deleted {
            Level {
                price: levels::price(&document, price, exponents, &mut texts)?,
                size: Size(0),
            }
        } else {
            let size = size.get().ok_or(levels::no_level(element))?;
            levels::level(&document, price, size, exponents, &mut texts)?
        };
        match document.text(side)? {
            "Buy" => out.bids.push(level),
            "Sell" => out.asks.push(level),
            _ => {
                let expected = "\"Buy\" or \"Sell\"";
                return Err(Fault::at(side, ErrorKind::BadValue { expected }));
            }
        }
    }
    Ok(())
}
