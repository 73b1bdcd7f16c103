//! Bybit's own JSON, of its WebSockets v5 and of those before.

mod v2;

use market::{Exponents, Link, Scope};

use crate::json::{Document, Fault, Place};
use crate::reading::{About, Reading, Said, link};
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
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Said, Fault> {
    const ROOT: Place = Document::ROOT;
    let document = reading.document;
    let names = ["topic", "type", "ts", "data", "success", "op"];
    let ([topic, kind, time, data, success, op], repeated) = document.fields(ROOT, names)?;
    let Some(topic) = topic.get() else {
        // The answers to requests and to pings.
        return match success.get().or(op.get()) {
            Some(_) => Ok(Said::Nothing),
            None => Err(Fault::at(ROOT, ErrorKind::UnknownKind)),
        };
    };
    let name = document.text(topic)?;
    let (channel, rest) = name.split_once('.').unwrap_or((name, ""));
    match channel {
        // The best level alone, whole time and again: beside a deeper book it would cut that off.
        "orderbook" if rest.starts_with("1.") => Ok(Said::Nothing),
        "orderbook" => {
            reading.about.scope = Scope::Book;
            let data = data.needed(ROOT, "data")?;
            let (sequence, exponents) = Sequence::of(reading, instruments, data)?;
            repeated.none()?;
            let kind = kind.needed(ROOT, "type")?;
            let link = sequence.place(&document, kind)?;
            read_levels(reading, data, exponents)?;
            let time = Some(times::millis(&document, time.needed(ROOT, "ts")?)?);
            Ok(Said::numbered(sequence.update, link, time))
        }
        "publicTrade" => {
            reading.about.scope = Scope::Trades;
            let data = data.needed(ROOT, "data")?;
            let Some(time) = TRADES.read(reading, instruments, data)? else {
                return Ok(Said::Nothing);
            };
            repeated.none()?;
            Ok(Said::Trades {
                time: Some(times::millis(&document, time)?),
            })
        }
        v2::BOOK => {
            let (kind, data) = (kind.needed(ROOT, "type")?, data.needed(ROOT, "data")?);
            let said = v2::read_book(reading, instruments, (topic, rest), kind, data)?;
            repeated.none()?;
            Ok(said)
        }
        v2::TRADES => {
            let said = v2::read_trades(reading, instruments, data.needed(ROOT, "data")?)?;
            repeated.none()?;
            Ok(said)
        }
        v2::DEEPER_BOOK => Ok(Said::Nothing),
        other if OTHER_TOPICS.contains(&other) => Ok(Said::Nothing),
        _ => Err(Fault::at(topic, ErrorKind::UnknownKind)),
    }
}

/// Whom a record is about by its key or its topic.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> About {
    About::of_key(record, instruments)
}

/// Bybit's rule: `u` counts the messages of a topic one by one. A whole book stands wherever its
/// `u` says, and `u` of 1 is always a whole book: Bybit's service began anew. (`seq` is of the
/// matching, and leaves numbers out.)
struct Sequence {
    update: u64,
    /// Where it stands in the record.
    at: Place,
}

impl Sequence {
    /// What a book's message has of it, and the scale of its instrument.
    fn of<R: Resolve>(
        reading: &mut Reading<'_, '_, '_>,
        instruments: &mut R,
        data: Place,
    ) -> Result<(Self, Exponents), Fault> {
        let document = reading.document;
        let ([symbol, update], repeated) = document.fields(data, ["s", "u"])?;
        let symbol = symbol.needed(data, "s")?;
        let exponents = reading.resolve_symbol(instruments, symbol)?.exponents;
        repeated.none()?;
        let at = update.needed(data, "u")?;
        let update = document.unsigned(at)?;
        Ok((Self { update, at }, exponents))
    }

    /// What a change builds on and leads to; none of a whole book.
    fn place(&self, document: &Document<'_, '_>, kind: Place) -> Result<Option<Link>, Fault> {
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
    reading: &mut Reading<'_, '_, '_>,
    data: Place,
    exponents: Exponents,
) -> Result<(), Fault> {
    let Reading { document, out, .. } = reading;
    let ([bids, asks], repeated) = document.fields(data, ["b", "a"])?;
    repeated.none()?;
    let (bids, asks) = (bids.needed(data, "b")?, asks.needed(data, "a")?);
    levels::pairs(document, bids, exponents, false, &mut out.bids)?;
    levels::pairs(document, asks, exponents, false, &mut out.asks)
}
