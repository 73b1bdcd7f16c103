//! Bybit's WebSockets of before v5, switched off in 2023, which archives are full of: 25 levels a
//! side, and trades.
//!
//! Their rule: a change says which of the 25 levels were deleted, updated and inserted, so no level
//! leaves the book without a word. `cross_seq` is of the matching, and says that a message is later
//! than another, not that none is missing; a whole book, which comes when a connection begins, is
//! the only mark of a gap.

use market::{Exponents, Level, Nanos, Scope, Size, SnapshotOrigin};

use crate::json::{Document, Fault, Field, TapePos, Texts};
use crate::levels::MAX_LEVELS;
use crate::record_reader::{Parsed, RecordReader};
use crate::trades::TradeList;
use crate::{ErrorKind, Resolve, levels, times};

/// The channel of books. Beside it, `orderBook_200` tells of the same book.
pub(super) const BOOK: &str = "orderBookL2_25";
/// The deeper books that say nothing here: two depths of one book make none.
pub(super) const DEEPER_BOOK: &str = "orderBook_200";
/// The channel of trades.
pub(super) const TRADES: &str = "trade";

const PRINTS: TradeList = TradeList {
    symbol: "symbol",
    id: "trade_id",
    price: "price",
    size: "size",
    side: "side",
    time: "trade_time_ms",
    taker: ["Buy", "Sell"],
};
/// Trades had no milliseconds before 2020.
const PRINTS_OF_2019: TradeList = TradeList {
    time: "timestamp",
    ..PRINTS
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
        let ([millis], _) = document.fields(first, [PRINTS.time])?;
        has_millis = millis.is_there();
    }
    let prints = if has_millis { &PRINTS } else { &PRINTS_OF_2019 };
    let Some(time) = prints.read(reader, instruments, data)? else {
        return Ok(Parsed::Nothing);
    };
    let time = if has_millis {
        times::millis(&document, time)?
    } else {
        times::date(&document, time)?
    };
    Ok(Parsed::Trades { time: Some(time) })
}

/// Reads a book of `orderBookL2_25.<symbol>`.
pub(super) fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    (topic, symbol): (TapePos, &str),
    kind: TapePos,
    data: TapePos,
) -> Result<Parsed, Fault> {
    const ROOT: TapePos = Document::ROOT;
    reader.subject.scope = Scope::Book;
    let document = reader.document;
    let source = reader.source;
    let resolved = reader.resolve(instruments, (&source.venue, symbol), topic)?;
    let exponents = resolved.exponents;
    let is_whole = match document.text(kind)? {
        "snapshot" => true,
        "delta" => false,
        _ => {
            let expected = "\"snapshot\" or \"delta\"";
            return Err(Fault::at(kind, ErrorKind::BadValue { expected }));
        }
    };
    if !is_whole {
        let names = ["delete", "update", "insert"];
        let (parts, repeated) = document.fields(data, names)?;
        repeated.none()?;
        for (part, name) in parts.into_iter().zip(names) {
            read_levels(
                reader,
                part.needed(data, name)?,
                exponents,
                name == "delete",
            )?;
        }
    } else if let Ok(members) = document.members(data) {
        // Of the contracts in USDT.
        let mut members = members.filter(|(name, _)| *name == "order_book");
        let book = members.next().map(|(_, book)| book);
        let book = book.ok_or(Fault::missing(data, "order_book"))?;
        read_levels(reader, book, exponents, false)?;
    } else {
        // Of the contracts in coins.
        read_levels(reader, data, exponents, false)?;
    }
    let ([micros, micros_too], repeated) =
        document.fields(ROOT, ["timestamp_e6", "timestampE6"])?;
    repeated.none()?;
    let time = time(&document, micros, micros_too)?;
    Ok(Parsed::unnumbered(is_whole, SnapshotOrigin::InBand, time))
}

/// Microseconds, as a number or as a string that holds one, by their older or newer name.
fn time(document: &Document<'_, '_>, older: Field, newer: Field) -> Result<Option<Nanos>, Fault> {
    const MICROS: i8 = -3;
    let Some(pos) = older.get().or(newer.get()) else {
        return Ok(None);
    };
    let text = levels::decimal_text(document, pos, &mut Texts::new())?;
    times::scaled(text, MICROS, pos).map(Some)
}

/// Reads `[{"price":…,"side":"Buy","size":…},…]`; what is deleted has no size.
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
        repeated.none()?;
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
