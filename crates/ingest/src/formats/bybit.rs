//! Bybit's own JSON, from its WebSocket API v5 and the one before it.

mod v2;

use market::{Exponents, Scope, SeqLink};

use crate::json::{Document, Fault, ROOT, TapePos};
use crate::record_reader::{Parsed, RecordReader, link};
use crate::trades::{TimeFormat, TradeList};
use crate::{ErrorKind, Resolve, levels, times};

/// The prefixes of topics that are ignored.
const IGNORED_TOPICS: [&str; 13] = [
    "tickers",
    "kline",
    "liquidation",
    "allLiquidation",
    "priceLimit",
    "insurance",
    "adlAlert",
    "system",
    "kline_lt",
    "tickers_lt",
    "lt",
    "instrument_info",
    "candle",
];

const TRADES: TradeList = TradeList {
    symbol: "s",
    id: "i",
    price: "p",
    size: "v",
    side: "S",
    time: "T",
    time_format: TimeFormat::Millis,
    taker: ["Buy", "Sell"],
};

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["b", "a"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["topic", "type", "ts", "data", "success", "op"];
    let ([topic, kind, time, data, success, op], repeated) = document.fields(ROOT, names)?;
    let Some(topic) = topic.get() else {
        // Responses to requests and pings.
        return match success.get().or(op.get()) {
            Some(_) => Ok(Parsed::Nothing),
            None => Err(Fault::at(ROOT, ErrorKind::UnknownKind)),
        };
    };
    let name = document.text(topic)?;
    let (channel, rest) = name.split_once('.').unwrap_or((name, ""));
    match channel {
        // Repeats the best level, and would limit a deeper book to that.
        "orderbook" if rest.starts_with("1.") => Ok(Parsed::Nothing),
        "orderbook" => {
            reader.subject.scope = Scope::Book;
            let data = data.needed(ROOT, "data")?;
            let (sequence, exponents) = Sequence::of(reader, instruments, data)?;
            repeated.ensure_none()?;
            let kind = kind.needed(ROOT, "type")?;
            let link = sequence.link(&document, kind)?;
            read_levels(reader, data, exponents)?;
            let time = Some(times::millis(&document, time.needed(ROOT, "ts")?)?);
            Ok(Parsed::numbered(sequence.update, link, time))
        }
        "publicTrade" => {
            reader.subject.scope = Scope::Trades;
            let data = data.needed(ROOT, "data")?;
            TRADES.read(reader, instruments, data, &[repeated])
        }
        v2::BOOK => {
            let (kind, data) = (kind.needed(ROOT, "type")?, data.needed(ROOT, "data")?);
            let parsed = v2::read_book(reader, instruments, (topic, rest), kind, data)?;
            repeated.ensure_none()?;
            Ok(parsed)
        }
        v2::TRADES => {
            let parsed = v2::read_trades(reader, instruments, data.needed(ROOT, "data")?)?;
            repeated.ensure_none()?;
            Ok(parsed)
        }
        v2::DEEPER_BOOK => Ok(Parsed::Nothing),
        other if IGNORED_TOPICS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(topic, ErrorKind::UnknownKind)),
    }
}

/// Bybit's rule: `u` numbers the messages of a topic consecutively. A snapshot may have any `u`,
/// and a `u` of 1 is always a snapshot: Bybit's service restarted. (`seq` belongs to the matching
/// engine and skips numbers.)
struct Sequence {
    update: u64,
    /// The position of `u` in the record.
    at: TapePos,
}

impl Sequence {
    /// Reads the number of a book's message, and the scale of its instrument.
    fn of<R: Resolve>(
        reader: &mut RecordReader<'_, '_, '_>,
        instruments: &mut R,
        data: TapePos,
    ) -> Result<(Self, Exponents), Fault> {
        let document = reader.document;
        let ([symbol, update], repeated) = document.fields(data, ["s", "u"])?;
        let exponents = reader.resolve_field(instruments, data, (symbol, "s"), repeated)?;
        let at = update.needed(data, "u")?;
        let update = document.unsigned(at)?;
        Ok((Self { update, at }, exponents))
    }

    /// The link of a delta; `None` for a snapshot.
    fn link(&self, document: &Document<'_, '_>, kind: TapePos) -> Result<Option<SeqLink>, Fault> {
        match document.text(kind)? {
            "snapshot" => Ok(None),
            "delta" if self.update == 1 => Ok(None),
            "delta" => link(self.at, self.update.saturating_sub(1), self.update),
            _ => {
                let expected = "\"snapshot\" or \"delta\"";
                Err(Fault::at(kind, ErrorKind::BadValue { expected }))
            }
        }
    }
}

fn read_levels(
    reader: &mut RecordReader<'_, '_, '_>,
    data: TapePos,
    exponents: Exponents,
) -> Result<(), Fault> {
    let RecordReader { document, out, .. } = reader;
    let ([bids, asks], repeated) = document.fields(data, ["b", "a"])?;
    repeated.ensure_none()?;
    let sides = [bids.needed(data, "b")?, asks.needed(data, "a")?];
    levels::pairs_of_sides(document, sides, exponents, false, out)
}
