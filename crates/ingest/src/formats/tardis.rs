//! The JSON that Tardis normalizes any venue's messages to: `book_change`, `trade` and
//! `disconnect`.

use market::{Aggressor, Check, Level, Nanos, Scope, SnapshotOrigin, Trade};

use crate::json::{Fault, Field, ROOT, TapePos, Texts};
use crate::levels::LevelNames;
use crate::record_reader::{Parsed, RecordReader};
use crate::{ErrorKind, Resolve, Resolved, levels, times, trades};

/// The prefixes of types that are ignored. `book_snapshot` repeats the best levels, and would limit
/// a deeper book to those.
const IGNORED_TYPES: [&str; 7] = [
    "derivative_ticker",
    "book_ticker",
    "quote",
    "option_summary",
    "liquidation",
    "book_snapshot",
    "trade_bar",
];

/// The longest venue that is converted to upper case, which is also the longest of a valid name.
const MAX_VENUE: usize = 32;
/// The maximum number of symbols of a `disconnect`. The largest venues list some 3,000.
const MAX_SYMBOLS: usize = 1 << 14;

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let ([kind], _) = document.fields(ROOT, ["type"])?;
    let kind = kind.get().ok_or(Fault::at(ROOT, ErrorKind::UnknownKind))?;
    match document.text(kind)? {
        "book_change" => read_book(reader, instruments),
        "trade" => read_trade(reader, instruments),
        "disconnect" => read_disconnect(reader, instruments),
        other if IGNORED_TYPES.iter().any(|begin| other.starts_with(begin)) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(kind, ErrorKind::UnknownKind)),
    }
}

/// Tardis's rule: messages are not numbered, whatever the venue does. A snapshot is marked by
/// `isSnapshot`. A `disconnect` means that later messages of the venue are missing, so every book
/// of that connection waits for its next snapshot.
struct Sequence;

impl Sequence {
    const fn book(is_snapshot: bool, time: Option<Nanos>) -> Parsed {
        Parsed::unnumbered(is_snapshot, SnapshotOrigin::InBand, time)
    }

    const fn gap(time: Option<Nanos>) -> Parsed {
        let lost = Check {
            window: None,
            checksum: None,
            lost: true,
        };
        Parsed::unnumbered(false, SnapshotOrigin::Checked(lost), time)
    }
}

fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let document = reader.document;
    let names = [
        "exchange",
        "symbol",
        "timestamp",
        "isSnapshot",
        "bids",
        "asks",
    ];
    let ([exchange, symbol, time, whole, bids, asks], repeated) = document.fields(ROOT, names)?;
    let symbol = symbol.needed(ROOT, "symbol")?;
    let exponents = resolve(reader, instruments, exchange, symbol)?.exponents;
    repeated.ensure_none()?;
    let is_snapshot = document.flag(whole.needed(ROOT, "isSnapshot")?)?;
    let out = &mut *reader.out;
    for (side, name, levels) in [(bids, "bids", &mut out.bids), (asks, "asks", &mut out.asks)] {
        let side = side.needed(ROOT, name)?;
        levels::objects(
            &document,
            side,
            &LevelNames::AMOUNT,
            exponents,
            levels,
            |_| {},
        )?;
    }
    Ok(Sequence::book(
        is_snapshot,
        times::optional_date(&document, time)?,
    ))
}

fn read_trade<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Trades;
    let document = reader.document;
    let names = [
        "exchange",
        "symbol",
        "timestamp",
        "id",
        "price",
        "amount",
        "side",
    ];
    let ([exchange, symbol, time, id, price, size, side], repeated) =
        document.fields(ROOT, names)?;
    let symbol = symbol.needed(ROOT, "symbol")?;
    let exponents = resolve(reader, instruments, exchange, symbol)?.exponents;
    repeated.ensure_none()?;
    let (price, size) = (price.needed(ROOT, "price")?, size.needed(ROOT, "amount")?);
    let side = side.needed(ROOT, "side")?;
    let mut texts = Texts::new();
    let Level { price, size } = levels::level(&document, price, size, exponents, &mut texts)?;
    let trade = Trade {
        price,
        size,
        side: match document.text(side)? {
            "unknown" => Aggressor::Unknown,
            _ => trades::taker(&document, side, ["buy", "sell"])?,
        },
        id: trades::identifier(&document, id, &mut texts)?,
    };
    reader.out.trades.push(trade);
    let time = times::optional_date(&document, time)?;
    Ok(Parsed::Trades { time })
}

/// Reads `{"exchange":…,"symbols":[…]}`. Without symbols it concerns the instrument that its key
/// names, and cannot be attributed without a key.
fn read_disconnect<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let document = reader.document;
    let names = ["exchange", "symbols", "localTimestamp"];
    let ([exchange, symbols, time], repeated) = document.fields(ROOT, names)?;
    repeated.ensure_none()?;
    let time = times::optional_date(&document, time)?;
    if let Some(array) = symbols.not_null(&document) {
        for symbol in document.elements_within(array, MAX_SYMBOLS)? {
            let handle = resolve(reader, instruments, exchange, symbol)?.handle;
            reader.out.also.push(handle);
        }
        // The record is attributed to the last of them, and to the others as well.
        if reader.out.also.pop().is_some() {
            return Ok(Sequence::gap(time));
        }
    }
    let key = reader.key.and_then(|key| std::str::from_utf8(key).ok());
    let name = key.and_then(|key| key.split_once(':'));
    let (venue, symbol) = name.ok_or(Fault::at(ROOT, ErrorKind::MissingSymbol))?;
    reader.resolve(instruments, (venue, symbol), ROOT)?;
    Ok(Sequence::gap(time))
}

/// Resolves an exchange, which Tardis writes in lower case, and a symbol.
fn resolve<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    exchange: Field,
    symbol: TapePos,
) -> Result<Resolved, Fault> {
    let document = reader.document;
    let exchange = exchange.needed(ROOT, "exchange")?;
    let lower = document.text(exchange)?;
    let mut upper = [0; MAX_VENUE];
    let upper = upper
        .get_mut(..lower.len())
        .ok_or(Fault::at(exchange, ErrorKind::TooLong { limit: MAX_VENUE }))?;
    upper.copy_from_slice(lower.as_bytes());
    upper.make_ascii_uppercase();
    // Only ASCII letters were changed, so it is still UTF-8.
    let venue = std::str::from_utf8(upper).unwrap_or(lower);
    reader.resolve(instruments, (venue, document.text(symbol)?), symbol)
}
