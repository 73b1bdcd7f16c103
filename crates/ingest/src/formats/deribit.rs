//! Deribit's own JSON: the notifications of its JSON-RPC over WebSocket.

use market::{Exponents, Level, Nanos, Scope, SeqLink};
use memchr::memchr_iter;
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, TapePos, Texts};
use crate::levels::MAX_LEVELS;
use crate::record_reader::{Parsed, RecordReader, link};
use crate::trades::{TimeFormat, TradeList};
use crate::{ErrorKind, Resolve, levels, times};

/// The prefixes of channels that are ignored.
const IGNORED_CHANNELS: [&str; 13] = [
    "ticker",
    "incremental_ticker",
    "quote",
    "chart",
    "perpetual",
    "markprice",
    "deribit_price_index",
    "deribit_price_ranking",
    "deribit_price_statistics",
    "deribit_volatility_index",
    "estimated_expiration_price",
    "instrument",
    "platform_state",
];

const TRADES: TradeList = TradeList {
    symbol: "instrument_name",
    id: "trade_id",
    price: "price",
    size: "amount",
    side: "direction",
    time: "timestamp",
    time_format: TimeFormat::Millis,
    taker: ["buy", "sell"],
};

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["method", "params", "result", "error"];
    let ([method, params, result, error], repeated) = document.fields(ROOT, names)?;
    let method = match method.get() {
        Some(method) => document.text(method)?,
        None => "",
    };
    match method {
        "subscription" => {}
        "heartbeat" => return Ok(Parsed::Nothing),
        // Responses to requests.
        _ if result.is_present() || error.is_present() => return Ok(Parsed::Nothing),
        _ => return Err(Fault::at(ROOT, ErrorKind::UnknownKind)),
    }
    let params = params.needed(ROOT, "params")?;
    let ([channel, data], twice) = document.fields(params, ["channel", "data"])?;
    let channel = channel.needed(params, "channel")?;
    let name = document.text(channel)?;
    let kind = name.split_once('.').map_or(name, |(kind, _)| kind);
    match kind {
        // `book.<instrument>.<group>.<depth>.<interval>` repeats the best levels, and would limit a
        // deeper book to those.
        "book" if memchr_iter(b'.', name.as_bytes()).count() > 2 => Ok(Parsed::Nothing),
        "book" => {
            reader.subject.scope = Scope::Book;
            let data = data.needed(params, "data")?;
            let parsed = read_book(reader, instruments, data)?;
            repeated.ensure_none()?;
            twice.ensure_none()?;
            Ok(parsed)
        }
        "trades" => {
            reader.subject.scope = Scope::Trades;
            let data = data.needed(params, "data")?;
            TRADES.read(reader, instruments, data, &[repeated, twice])
        }
        other if IGNORED_CHANNELS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(channel, ErrorKind::UnknownKind)),
    }
}

/// Deribit's rule: a delta's `prev_change_id` is the `change_id` of the message before it, of the
/// same instrument and channel. A snapshot has none, or 0 if it is the instrument's first.
struct Sequence {
    seq: u64,
    /// `None` for a snapshot.
    link: Option<SeqLink>,
}

impl Sequence {
    fn of(document: &Document<'_, '_>, seq: TapePos, prev: Field) -> Result<Self, Fault> {
        let number = document.unsigned(seq)?;
        let prev = match prev.not_null(document) {
            Some(prev) => document.unsigned(prev)?,
            None => 0,
        };
        let link = match prev {
            0 => None,
            prev => link(seq, prev, number)?,
        };
        Ok(Self { seq: number, link })
    }
}

fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    book: TapePos,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = [
        "instrument_name",
        "timestamp",
        "change_id",
        "prev_change_id",
        "bids",
        "asks",
    ];
    let ([symbol, time, seq, prev, bids, asks], repeated) = document.fields(book, names)?;
    let symbol = (symbol, "instrument_name");
    let exponents = reader.resolve_field(instruments, book, symbol, repeated)?;
    let sequence = Sequence::of(&document, seq.needed(book, "change_id")?, prev)?;
    let out = &mut *reader.out;
    read_side(
        &document,
        bids.needed(book, "bids")?,
        exponents,
        &mut out.bids,
    )?;
    read_side(
        &document,
        asks.needed(book, "asks")?,
        exponents,
        &mut out.asks,
    )?;
    let time: Option<Nanos> = Some(times::millis(&document, time.needed(book, "timestamp")?)?);
    let Sequence { seq, link } = sequence;
    Ok(Parsed::numbered(seq, link, time))
}

/// Reads `[["new",price,size],…]`; deleted levels have a size of 0.
fn read_side(
    document: &Document<'_, '_>,
    array: TapePos,
    exponents: Exponents,
    levels: &mut Vec<Level>,
) -> Result<(), Fault> {
    levels.clear();
    if let Some(text) = document.cut(array) {
        return levels::scanned(array, text, |scan| {
            scan.pass(b'[')?;
            scan.word()?;
            scan.pass(b',')?;
            let price = scan.price(exponents)?;
            scan.pass(b',')?;
            let size = scan.size(exponents)?;
            scan.pass(b']')?;
            levels::put(levels, price, size)
        });
    }
    let elements = document.elements_within(array, MAX_LEVELS)?;
    levels.reserve(elements.len());
    let mut texts = Texts::new();
    for level in elements {
        let [Node::Array { len: 3, .. }, Node::String(_), ..] = document.nodes_from(level) else {
            return Err(levels::no_level(level));
        };
        let (price, size) = (level + 2, level + 3);
        levels.push(levels::level(document, price, size, exponents, &mut texts)?);
    }
    Ok(())
}
