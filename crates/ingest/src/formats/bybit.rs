//! Bybit's own JSON, of its WebSockets v5 and of those before.

mod v2;

use market::{Exponents, Scope, SeqLink};

use crate::json::{Document, Fault, TapePos};
use crate::record_reader::{Parsed, RecordReader, Subject, link};
use crate::trades::TradeList;
use crate::{ErrorKind, RawRecord, Resolve, levels, times};

/// The beginnings of topics that nothing here is made of.
const OTHER_TOPICS: [&str; 13] = [
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
    taker: ["Buy", "Sell"],
};

/// What lists of levels stand under.
pub(super) const LISTS: &[&[&str]] = &[&["b", "a"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    const ROOT: TapePos = Document::ROOT;
    let document = reader.document;
    let names = ["topic", "type", "ts", "data", "success", "op"];
    let ([topic, kind, time, data, success, op], repeated) = document.fields(ROOT, names)?;
    let Some(topic) = topic.get() else {
        // The answers to requests and to pings.
        return match success.get().or(op.get()) {
            Some(_) => Ok(Parsed::Nothing),
            None => Err(Fault::at(ROOT, ErrorKind::UnknownKind)),
        };
    };
    let name = document.text(topic)?;
    let (channel, rest) = name.split_once('.').unwrap_or((name, ""));
    match channel {
        // The best level alone, whole time and again: beside a deeper book it would cut that off.
        "orderbook" if rest.starts_with("1.") => Ok(Parsed::Nothing),
        "orderbook" => {
            reader.subject.scope = Scope::Book;
            let data = data.needed(ROOT, "data")?;
            let (sequence, exponents) = Sequence::of(reader, instruments, data)?;
            repeated.none()?;
            let kind = kind.needed(ROOT, "type")?;
            let link = sequence.pos(&document, kind)?;
            read_levels(reader, data, exponents)?;
            let time = Some(times::millis(&document, time.needed(ROOT, "ts")?)?);
            Ok(Parsed::numbered(sequence.update, link, time))
        }
        "publicTrade" => {
            reader.subject.scope = Scope::Trades;
            let data = data.needed(ROOT, "data")?;
            let Some(time) = TRADES.read(reader, instruments, data)? else {
                return Ok(Parsed::Nothing);
            };
            repeated.none()?;
            Ok(Parsed::Trades {
                time: Some(times::millis(&document, time)?),
            })
        }
        v2::BOOK => {
            let (kind, data) = (kind.needed(ROOT, "type")?, data.needed(ROOT, "data")?);
            let said = v2::read_book(reader, instruments, (topic, rest), kind, data)?;
            repeated.none()?;
            Ok(said)
        }
        v2::TRADES => {
            let said = v2::read_trades(reader, instruments, data.needed(ROOT, "data")?)?;
            repeated.none()?;
            Ok(said)
        }
        v2::DEEPER_BOOK => Ok(Parsed::Nothing),
        other if OTHER_TOPICS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(topic, ErrorKind::UnknownKind)),
    }
}

/// Whom a record is subject by its key or its topic.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
    Subject::of_key(record, instruments)
}

/// Bybit's rule: `u` counts the messages of a topic one by one. A whole book stands wherever its
/// `u` says, and `u` of 1 is always a whole book: Bybit's service began anew. (`seq` is of the
/// matching, and leaves numbers out.)
struct Sequence {
    update: u64,
    /// Where it stands in the record.
    at: TapePos,
}

impl Sequence {
    /// What a book's message has of it, and the scale of its instrument.
    fn of<R: Resolve>(
        reader: &mut RecordReader<'_, '_, '_>,
        instruments: &mut R,
        data: TapePos,
    ) -> Result<(Self, Exponents), Fault> {
        let document = reader.document;
        let ([symbol, update], repeated) = document.fields(data, ["s", "u"])?;
        let symbol = symbol.needed(data, "s")?;
        let exponents = reader.resolve_symbol(instruments, symbol)?.exponents;
        repeated.none()?;
        let at = update.needed(data, "u")?;
        let update = document.unsigned(at)?;
        Ok((Self { update, at }, exponents))
    }

    /// What a change builds on and leads to; none of a whole book.
    fn pos(&self, document: &Document<'_, '_>, kind: TapePos) -> Result<Option<SeqLink>, Fault> {
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
    repeated.none()?;
    let (bids, asks) = (bids.needed(data, "b")?, asks.needed(data, "a")?);
    levels::pairs(document, bids, exponents, false, &mut out.bids)?;
    levels::pairs(document, asks, exponents, false, &mut out.asks)
}
