//! Kraken's own JSON: the objects of its WebSockets v2, and the arrays of v1.

mod arrays;

use market::{Check, ChecksumRule, Decimals, Exponents, Scope, SnapshotOrigin, VenueChecksum};
use simd_json::tape::Node;

use crate::json::{Document, Fault, TapePos};
use crate::levels::LevelNames;
use crate::record_reader::{Parsed, RecordReader, Subject, is_snapshot};
use crate::trades::TradeList;
use crate::{ErrorKind, RawRecord, Resolve, levels, times};

/// Channels of v2 that nothing here is made of.
const OTHER_CHANNELS: [&str; 5] = ["heartbeat", "status", "ticker", "ohlc", "instrument"];
/// How deep a book one may subscribe to.
const WINDOWS: [usize; 5] = [10, 25, 100, 500, 1000];

const TRADES: TradeList = TradeList {
    symbol: "symbol",
    id: "trade_id",
    price: "price",
    size: "qty",
    side: "side",
    time: "timestamp",
    taker: ["buy", "sell"],
};

/// What lists of levels stand under.
pub(super) const LISTS: &[&[&str]] = &[&["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    const ROOT: TapePos = Document::ROOT;
    let document = reader.document;
    if let Node::Array { .. } = document.node(ROOT) {
        return arrays::read(reader, instruments);
    }
    let names = ["channel", "type", "data", "method", "event"];
    let ([channel, kind, data, method, event], repeated) = document.fields(ROOT, names)?;
    let Some(channel) = channel.get() else {
        // The answers of v2 to requests; v1 has its events, of its own state too.
        return match event.get().or(method.get()) {
            Some(_) => Ok(Parsed::Nothing),
            None => Err(Fault::at(ROOT, ErrorKind::UnknownKind)),
        };
    };
    match document.text(channel)? {
        "book" => {
            reader.subject.scope = Scope::Book;
            let data = data.needed(ROOT, "data")?;
            let is_whole = is_snapshot(&document, kind.needed(ROOT, "type")?)?;
            let said = read_book(reader, instruments, document.only(data)?, is_whole)?;
            repeated.none()?;
            Ok(said)
        }
        "trade" => {
            reader.subject.scope = Scope::Trades;
            // The trades of before the subscription, which others have told already.
            if is_snapshot(&document, kind.needed(ROOT, "type")?)? {
                return Ok(Parsed::Nothing);
            }
            let data = data.needed(ROOT, "data")?;
            let Some(time) = TRADES.read(reader, instruments, data)? else {
                return Ok(Parsed::Nothing);
            };
            repeated.none()?;
            Ok(Parsed::Trades {
                time: Some(times::date(&document, time)?),
            })
        }
        other if OTHER_CHANNELS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(channel, ErrorKind::UnknownKind)),
    }
}

/// Whom a record is subject by its key or its topic.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
    Subject::of_key(record, instruments)
}

/// Kraken's rule: its books have no numbers. After every change a copy is cut down to the depth
/// that was subscribed to, since Kraken does not say that what leaves it is gone, and then the
/// CRC-32 over the best ten levels of both sides tells whether anything is missing. What is wrong
/// stays wrong until the next whole book.
#[derive(Debug, Default)]
struct Sequence {
    /// The most levels of a side, where the message tells.
    window: Option<usize>,
    /// With how many decimals its numbers are written, the most of the message: zeros behind the
    /// dot count in the checksum.
    decimals: Decimals,
}

impl Sequence {
    /// Notes how a price and a size are written.
    #[inline]
    fn note(&mut self, decimals: Decimals) {
        self.decimals = self.decimals.max(decimals);
    }

    /// A whole book of v2 does not say how deep it may be: one that has just as many levels as
    /// can be subscribed to is that deep. One with fewer has none to lose.
    fn guess_window(&mut self, levels: usize) {
        self.window = Some(levels).filter(|levels| WINDOWS.contains(levels));
    }

    fn checksum(&self, told: u32, exponents: Exponents) -> VenueChecksum {
        VenueChecksum {
            expected: told,
            rule: ChecksumRule::Kraken(self.decimals),
            exponents,
        }
    }

    fn origin(&self, checksum: Option<VenueChecksum>) -> SnapshotOrigin {
        SnapshotOrigin::Checked(Check {
            window: self.window.and_then(|levels| u32::try_from(levels).ok()),
            checksum,
            lost: false,
        })
    }
}

fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    book: TapePos,
    is_whole: bool,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["symbol", "bids", "asks", "checksum", "timestamp"];
    let ([symbol, bids, asks, checksum, time], repeated) = document.fields(book, names)?;
    let symbol = symbol.needed(book, "symbol")?;
    let exponents = reader.resolve_symbol(instruments, symbol)?.exponents;
    repeated.none()?;
    let mut sequence = Sequence::default();
    let out = &mut *reader.out;
    for (side, name, levels) in [(bids, "bids", &mut out.bids), (asks, "asks", &mut out.asks)] {
        let note = |decimals| sequence.note(decimals);
        let side = side.needed(book, name)?;
        levels::objects(&document, side, &LevelNames::QTY, exponents, levels, note)?;
    }
    let told = checksum.needed(book, "checksum")?;
    let checksum = sequence.checksum(document.unsigned_32(told)?, exponents);
    // Whole books had no time for long.
    let time = times::date_if_there(&document, time)?;
    if is_whole {
        out.proves(&checksum, told)?;
        sequence.guess_window(out.bids.len().max(out.asks.len()));
    }
    let origin = sequence.origin(Some(checksum));
    Ok(Parsed::unnumbered(is_whole, origin, time))
}
