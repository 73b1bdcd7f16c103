//! Coinbase's own JSON: the channels `level2` and `matches` of its Exchange, and `l2_data` and
//! `market_trades` of Advanced Trade.

use market::{Exponents, Level, Nanos, Scope, SnapshotOrigin, Trade};
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, TapePos, Texts};
use crate::levels::MAX_LEVELS;
use crate::record_reader::{Out, Parsed, RecordReader, is_snapshot};
use crate::trades::{self, TimeFormat, TradeList};
use crate::{ErrorKind, Resolve, levels, times};

/// Message types of Exchange that are ignored.
const IGNORED_TYPES: [&str; 10] = [
    "subscriptions",
    "heartbeat",
    "status",
    "ticker",
    "auction",
    "received",
    "open",
    "done",
    "change",
    "activate",
];
/// Channels of Advanced Trade that are ignored.
const IGNORED_CHANNELS: [&str; 7] = [
    "subscriptions",
    "heartbeats",
    "status",
    "ticker",
    "ticker_batch",
    "candles",
    "futures_balance_summary",
];

/// Coinbase gives the maker's side: if the maker sold, the taker bought.
const TAKER: [&str; 2] = ["sell", "buy"];

const TRADES: TradeList = TradeList {
    symbol: "product_id",
    id: "trade_id",
    price: "price",
    size: "size",
    side: "side",
    time: "time",
    time_format: TimeFormat::Date,
    taker: ["SELL", "BUY"],
};

/// Coinbase has no rule that a record can be checked against. `level2` of Exchange is not numbered,
/// and `sequence_num` of Advanced Trade counts all messages of a connection, whatever their channel
/// and product, so a missing number need not concern an instrument. A snapshot, which is sent when
/// a connection starts, is the only sign of a gap.
struct Sequence;

impl Sequence {
    const fn book(is_snapshot: bool, time: Option<Nanos>) -> Parsed {
        Parsed::unnumbered(is_snapshot, SnapshotOrigin::InBand, time)
    }
}

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["updates"], &["changes"], &["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let ([kind, channel], _) = document.fields(ROOT, ["type", "channel"])?;
    if let Some(channel) = channel.get() {
        return read_channel(reader, instruments, channel);
    }
    let kind = kind.get().ok_or(Fault::at(ROOT, ErrorKind::UnknownKind))?;
    match document.text(kind)? {
        "snapshot" => read_snapshot(reader, instruments),
        "l2update" => read_update(reader, instruments),
        "match" => read_match(reader, instruments),
        // The trade before the subscription, which is in the log already.
        "last_match" => Ok(Parsed::Nothing),
        other if IGNORED_TYPES.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(kind, ErrorKind::UnknownKind)),
    }
}

fn read_snapshot<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let document = reader.document;
    let names = ["product_id", "bids", "asks", "time"];
    let ([symbol, bids, asks, time], repeated) = document.fields(ROOT, names)?;
    let symbol = (symbol, "product_id");
    let exponents = reader.resolve_field(instruments, ROOT, symbol, repeated)?;
    let sides = [bids.needed(ROOT, "bids")?, asks.needed(ROOT, "asks")?];
    levels::pairs_of_sides(&document, sides, exponents, false, reader.out)?;
    Ok(Sequence::book(true, time_at(&document, time)?))
}

/// Reads `"changes":[["buy",price,size],…]`.
fn read_update<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let document = reader.document;
    let ([symbol, changes, time], repeated) =
        document.fields(ROOT, ["product_id", "changes", "time"])?;
    let symbol = (symbol, "product_id");
    let exponents = reader.resolve_field(instruments, ROOT, symbol, repeated)?;
    let changes = changes.needed(ROOT, "changes")?;
    if let Some(text) = document.cut(changes) {
        levels::scanned(changes, text, |scan| {
            scan.pass(b'[')?;
            let side = scan.word()?;
            scan.pass(b',')?;
            let price = scan.price(exponents)?;
            scan.pass(b',')?;
            let size = scan.size(exponents)?;
            scan.pass(b']')?;
            let levels = side_named(reader.out, side, ["buy", "sell"])?;
            levels::put(levels, price, size)
        })?;
        return Ok(Sequence::book(false, time_at(&document, time)?));
    }
    let elements = document.elements_within(changes, MAX_LEVELS)?;
    let mut texts = Texts::new();
    for change in elements {
        let [Node::Array { len: 3, .. }, Node::String(side), ..] = document.nodes_from(change)
        else {
            return Err(levels::no_level(change));
        };
        let level = Level {
            price: levels::price(&document, change + 2, exponents, &mut texts)?,
            size: levels::size(&document, change + 3, exponents, &mut texts)?,
        };
        side_of(reader.out, side, ["buy", "sell"], change + 1)?.push(level);
    }
    Ok(Sequence::book(false, time_at(&document, time)?))
}

fn read_match<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Trades;
    let document = reader.document;
    let names = ["product_id", "trade_id", "side", "size", "price", "time"];
    let ([symbol, id, side, size, price, time], repeated) = document.fields(ROOT, names)?;
    let symbol = (symbol, "product_id");
    let exponents = reader.resolve_field(instruments, ROOT, symbol, repeated)?;
    let mut texts = Texts::new();
    let (price, size) = (price.needed(ROOT, "price")?, size.needed(ROOT, "size")?);
    let Level { price, size } = levels::level(&document, price, size, exponents, &mut texts)?;
    reader.out.trades.push(Trade {
        price,
        size,
        side: trades::taker(&document, side.needed(ROOT, "side")?, TAKER)?,
        id: trades::identifier(&document, id, &mut texts)?,
    });
    let time = time_at(&document, time)?;
    Ok(Parsed::Trades { time })
}

/// Advanced Trade: `{"channel":…,"timestamp":…,"sequence_num":…,"events":[…]}`.
fn read_channel<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    channel: TapePos,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let ([events, time], repeated) = document.fields(ROOT, ["events", "timestamp"])?;
    match document.text(channel)? {
        "l2_data" => {
            reader.subject.scope = Scope::Book;
            let events = events.needed(ROOT, "events")?;
            let is_snapshot = read_book(reader, instruments, document.only(events)?)?;
            repeated.ensure_none()?;
            Ok(Sequence::book(is_snapshot, time_at(&document, time)?))
        }
        "market_trades" => {
            reader.subject.scope = Scope::Trades;
            let event = document.only(events.needed(ROOT, "events")?)?;
            let ([kind, list], twice) = document.fields(event, ["type", "trades"])?;
            // Trades before the subscription, which are in the log already.
            if is_snapshot(&document, kind.needed(event, "type")?)? {
                return Ok(Parsed::Nothing);
            }
            let list = list.needed(event, "trades")?;
            TRADES.read(reader, instruments, list, &[repeated, twice])
        }
        other if IGNORED_CHANNELS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(channel, ErrorKind::UnknownKind)),
    }
}

/// Reads the event of `l2_data`. Returns whether it is a snapshot.
fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    event: TapePos,
) -> Result<bool, Fault> {
    let document = reader.document;
    let ([kind, symbol, updates], repeated) =
        document.fields(event, ["type", "product_id", "updates"])?;
    let symbol = (symbol, "product_id");
    let exponents = reader.resolve_field(instruments, event, symbol, repeated)?;
    let is_snapshot = is_snapshot(&document, kind.needed(event, "type")?)?;
    let updates = updates.needed(event, "updates")?;
    if let Some(text) = document.cut(updates) {
        let mut time: &[u8] = b"";
        levels::scanned(updates, text, |scan| {
            scan.pass_text(br#"{"side":"#)?;
            let side = scan.word()?;
            scan.pass_text(br#","event_time":"#)?;
            time = scan.string_like(time)?;
            scan.pass_text(br#","price_level":"#)?;
            let price = scan.price(exponents)?;
            scan.pass_text(br#","new_quantity":"#)?;
            let size = scan.size(exponents)?;
            scan.pass(b'}')?;
            let levels = side_named(reader.out, side, ["bid", "offer"])?;
            levels::put(levels, price, size)
        })?;
        return Ok(is_snapshot);
    }
    let elements = document.elements_within(updates, 2 * MAX_LEVELS)?;
    let mut texts = Texts::new();
    for update in elements {
        read_level(&document, update, exponents, &mut texts, reader.out)?;
    }
    Ok(is_snapshot)
}

/// Reads `{"side":"bid","event_time":…,"price_level":…,"new_quantity":…}`.
#[inline]
fn read_level(
    document: &Document<'_, '_>,
    update: TapePos,
    exponents: Exponents,
    texts: &mut Texts,
    out: &mut Out<'_>,
) -> Result<(), Fault> {
    let ([side, price, size], repeated) =
        document.fields(update, ["side", "price_level", "new_quantity"])?;
    repeated.ensure_none()?;
    let price = price.get().ok_or(levels::no_level(update))?;
    let size = size.get().ok_or(levels::no_level(update))?;
    let level = levels::level(document, price, size, exponents, texts)?;
    let side = side.needed(update, "side")?;
    side_of(out, document.text(side)?, ["bid", "offer"], side)?.push(level);
    Ok(())
}

/// The levels of a side, given the values of both sides.
#[inline]
fn side_of<'o>(
    out: &'o mut Out<'_>,
    text: &str,
    [bid, ask]: [&str; 2],
    pos: TapePos,
) -> Result<&'o mut Vec<Level>, Fault> {
    let expected = "a side of the book";
    let unknown = Fault::at(pos, ErrorKind::BadValue { expected });
    side_named(out, text.as_bytes(), [bid, ask]).ok_or(unknown)
}

/// Like [`side_of`]; `None` if the text is neither value.
#[inline]
fn side_named<'o>(
    out: &'o mut Out<'_>,
    text: &[u8],
    [bid, ask]: [&str; 2],
) -> Option<&'o mut Vec<Level>> {
    if text == bid.as_bytes() {
        Some(&mut out.bids)
    } else if text == ask.as_bytes() {
        Some(&mut out.asks)
    } else {
        None
    }
}

/// The venue's timestamp. Snapshots have none, and the year 1, which Coinbase sometimes writes,
/// means none.
fn time_at(document: &Document<'_, '_>, time: Field) -> Result<Option<Nanos>, Fault> {
    match time.not_null(document) {
        Some(pos) if document.text(pos)?.starts_with("0001-") => Ok(None),
        _ => times::optional_date(document, time),
    }
}
