//! OKX's own JSON, from its WebSocket API v5.

use market::{Check, ChecksumRule, Exponents, Scope, SeqLink, SnapshotOrigin, VenueChecksum};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, TapePos};
use crate::record_reader::{Parsed, RecordReader, is_snapshot, link};
use crate::trades::{TimeFormat, TradeList};
use crate::{ErrorKind, Resolve, levels, times};

/// Channels with deltas of books. `books5` and `bbo-tbt` repeat the best levels, and would limit a
/// deeper book to those, so they are ignored.
const BOOK_CHANNELS: [&str; 4] = ["books", "books-l2-tbt", "books50-l2-tbt", "books-elp"];
/// Channels that are ignored.
const IGNORED_CHANNELS: [&str; 19] = [
    "tickers",
    "books5",
    "bbo-tbt",
    "mark-price",
    "index-tickers",
    "price-limit",
    "open-interest",
    "funding-rate",
    "estimated-price",
    "opt-summary",
    "option-trades",
    "liquidation-orders",
    "liquidations",
    "adl-warning",
    "instruments",
    "status",
    "call-auction-details",
    "public-block-trades",
    "block-tickers",
];
/// Prefixes of channels that are ignored; the rest is an interval.
const IGNORED_PREFIXES: [&str; 3] = ["candle", "mark-price-candle", "index-candle"];

const TRADES: TradeList = TradeList {
    symbol: "instId",
    id: "tradeId",
    price: "px",
    size: "sz",
    side: "side",
    time: "ts",
    time_format: TimeFormat::Millis,
    taker: ["buy", "sell"],
};

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["asks", "bids"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["arg", "action", "data", "event"];
    let ([arg, action, data, event], repeated) = document.fields(ROOT, names)?;
    // Responses to requests, and messages about the connection.
    if event.is_present() {
        return Ok(Parsed::Nothing);
    }
    let arg = arg.get().ok_or(Fault::at(ROOT, ErrorKind::UnknownKind))?;
    let ([channel, symbol], twice) = document.fields(arg, ["channel", "instId"])?;
    let channel = channel.needed(arg, "channel")?;
    match document.text(channel)? {
        name if BOOK_CHANNELS.contains(&name) => {
            reader.subject.scope = Scope::Book;
            let symbol = (symbol, "instId");
            let exponents = reader.resolve_field(instruments, arg, symbol, repeated)?;
            twice.ensure_none()?;
            let action = action.needed(ROOT, "action")?;
            let is_snapshot = is_snapshot(&document, action)?;
            let data = data.needed(ROOT, "data")?;
            read_book(reader, document.only(data)?, is_snapshot, exponents)
        }
        "trades" | "trades-all" => {
            reader.subject.scope = Scope::Trades;
            let data = data.needed(ROOT, "data")?;
            TRADES.read(reader, instruments, data, &[repeated])
        }
        name if IGNORED_CHANNELS.contains(&name)
            || IGNORED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix)) =>
        {
            Ok(Parsed::Nothing)
        }
        _ => Err(Fault::at(channel, ErrorKind::UnknownKind)),
    }
}

/// OKX's rule: a delta's `prevSeqId` is the `seqId` of the message before it, and a snapshot's is
/// -1. If nothing changes for a minute, a message without levels repeats the number in both. After
/// maintenance `seqId` may be below `prevSeqId`, and the chain continues from there. Messages
/// before 2023 have a CRC-32 over the best 25 levels instead of numbers. A checksum of 0, which is
/// all that OKX sends now, means none.
struct Sequence {
    prev: Field,
    seq: Field,
}

impl Sequence {
    /// The number of a snapshot.
    fn number(&self, document: &Document<'_, '_>) -> Result<Option<u64>, Fault> {
        self.seq.get().map(|seq| document.unsigned(seq)).transpose()
    }

    /// The link of a delta; `None` if it is not numbered.
    fn link(&self, document: &Document<'_, '_>, book: TapePos) -> Result<Option<SeqLink>, Fault> {
        let Some(seq_pos) = self.seq.get() else {
            return Ok(None);
        };
        let seq = document.unsigned(seq_pos)?;
        let prev = document.unsigned(self.prev.needed(book, "prevSeqId")?)?;
        if seq < prev {
            return Ok(Some(SeqLink { prev, seq }));
        }
        link(seq_pos, prev, seq)
    }

    /// Returns whether the message repeats the previous number, because nothing has changed.
    fn is_idle(&self, document: &Document<'_, '_>) -> bool {
        let number = |field: Field| document.unsigned(field.get()?).ok();
        number(self.seq).is_some_and(|seq| number(self.prev) == Some(seq))
    }
}

fn read_book(
    reader: &mut RecordReader<'_, '_, '_>,
    book: TapePos,
    is_snapshot: bool,
    exponents: Exponents,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["bids", "asks", "ts", "checksum", "seqId", "prevSeqId"];
    let ([bids, asks, time, checksum, seq, prev], repeated) = document.fields(book, names)?;
    repeated.ensure_none()?;
    let sequence = Sequence { prev, seq };
    let out = &mut *reader.out;
    // The price and the size of a level are followed by its number of orders.
    let sides = [bids.needed(book, "bids")?, asks.needed(book, "asks")?];
    levels::pairs_of_sides(&document, sides, exponents, true, out)?;
    let time = Some(times::millis(&document, time.needed(book, "ts")?)?);
    let checksum = match checksum.get() {
        Some(pos) => checksum_at(&document, pos, exponents)?.map(|found| (found, pos)),
        None => None,
    };
    let origin = match checksum {
        Some((checksum, _)) => SnapshotOrigin::Checked(Check {
            window: None,
            checksum: Some(checksum),
            lost: false,
        }),
        None => SnapshotOrigin::InBand,
    };
    if is_snapshot {
        if let Some((checksum, pos)) = checksum {
            out.verify(&checksum, pos)?;
        }
        let seq = sequence.number(&document)?;
        return Ok(Parsed::Snapshot { seq, origin, time });
    }
    if out.bids.is_empty() && out.asks.is_empty() && sequence.is_idle(&document) {
        return Ok(Parsed::Nothing);
    }
    let link = sequence.link(&document, book)?;
    Ok(Parsed::Delta { link, origin, time })
}

/// Reads a checksum, which is a signed 32-bit number.
fn checksum_at(
    document: &Document<'_, '_>,
    pos: TapePos,
    exponents: Exponents,
) -> Result<Option<VenueChecksum>, Fault> {
    let checksum = match document.node(pos) {
        Node::Static(StaticNode::I64(number)) => i32::try_from(number).ok(),
        Node::Static(StaticNode::U64(number)) => i32::try_from(number).ok(),
        _ => None,
    };
    let expected = "a whole number from -2^31 to 2^31 - 1";
    let checksum = checksum.ok_or(Fault::at(pos, ErrorKind::BadValue { expected }))?;
    Ok((checksum != 0).then_some(VenueChecksum {
        expected: checksum.cast_unsigned(),
        rule: ChecksumRule::Okx,
        exponents,
    }))
}
