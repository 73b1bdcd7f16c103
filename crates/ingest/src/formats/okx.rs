//! OKX's own JSON, of its WebSockets v5.

use market::{Check, ChecksumRule, Exponents, Scope, SeqLink, SnapshotOrigin, VenueChecksum};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, TapePos};
use crate::record_reader::{Parsed, RecordReader, Subject, is_snapshot, link};
use crate::trades::TradeList;
use crate::{ErrorKind, RawRecord, Resolve, levels, times};

/// Channels of changes of books. `books5` and `bbo-tbt` send the best levels whole, time and
/// again; beside a stream of changes they would make the book that deep only, so they say nothing.
const BOOK_CHANNELS: [&str; 4] = ["books", "books-l2-tbt", "books50-l2-tbt", "books-elp"];
/// Channels that nothing here is made of.
const OTHER_CHANNELS: [&str; 19] = [
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
    "liquidation-commands",
    "liquidations",
    "adl-warning",
    "instruments",
    "status",
    "call-auction-details",
    "public-block-trades",
    "block-tickers",
];
/// Their beginnings, where the rest is an interval.
const OTHER_BEGINNINGS: [&str; 3] = ["candle", "mark-price-candle", "index-candle"];

const TRADES: TradeList = TradeList {
    symbol: "instId",
    id: "tradeId",
    price: "px",
    size: "sz",
    side: "side",
    time: "ts",
    taker: ["buy", "sell"],
};

/// What lists of levels stand under.
pub(super) const LISTS: &[&[&str]] = &[&["asks", "bids"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    const ROOT: TapePos = Document::ROOT;
    let document = reader.document;
    let names = ["arg", "action", "data", "event"];
    let ([arg, action, data, event], repeated) = document.fields(ROOT, names)?;
    // The answers to requests, and what the connection says of itself.
    if event.is_there() {
        return Ok(Parsed::Nothing);
    }
    let arg = arg.get().ok_or(Fault::at(ROOT, ErrorKind::UnknownKind))?;
    let ([channel, symbol], twice) = document.fields(arg, ["channel", "instId"])?;
    let channel = channel.needed(arg, "channel")?;
    match document.text(channel)? {
        name if BOOK_CHANNELS.contains(&name) => {
            reader.subject.scope = Scope::Book;
            let symbol = symbol.needed(arg, "instId")?;
            let exponents = reader.resolve_symbol(instruments, symbol)?.exponents;
            repeated.none()?;
            twice.none()?;
            let action = action.needed(ROOT, "action")?;
            let is_whole = is_snapshot(&document, action)?;
            let data = data.needed(ROOT, "data")?;
            read_book(reader, document.only(data)?, is_whole, exponents)
        }
        "trades" | "trades-all" => {
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
        name if OTHER_CHANNELS.contains(&name)
            || OTHER_BEGINNINGS.iter().any(|begin| name.starts_with(begin)) =>
        {
            Ok(Parsed::Nothing)
        }
        _ => Err(Fault::at(channel, ErrorKind::UnknownKind)),
    }
}

/// Whom a record is subject by its key or its topic.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
    Subject::of_key(record, instruments)
}

/// OKX's rule: a change's `prevSeqId` is the `seqId` of the message before it, and a whole book's
/// is -1. When nothing has changed for a minute, a message without levels has both equal. After
/// maintenance `seqId` may be below `prevSeqId`, and the chain goes on from there. What OKX sent
/// before 2023 has no numbers, and a CRC-32 over the best 25 levels instead; a checksum of 0, which
/// is all that it sends by now, means none.
struct Sequence {
    prev: Field,
    seq: Field,
}

impl Sequence {
    /// Where a whole book stands.
    fn of_book(&self, document: &Document<'_, '_>) -> Result<Option<u64>, Fault> {
        self.seq.get().map(|seq| document.unsigned(seq)).transpose()
    }

    /// What a change builds on and leads to; none where it has no numbers.
    fn of_change(
        &self,
        document: &Document<'_, '_>,
        book: TapePos,
    ) -> Result<Option<SeqLink>, Fault> {
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

    /// Whether nothing has changed.
    fn stands_still(&self, document: &Document<'_, '_>) -> bool {
        let number = |field: Field| document.unsigned(field.get()?).ok();
        number(self.seq).is_some_and(|seq| number(self.prev) == Some(seq))
    }
}

fn read_book(
    reader: &mut RecordReader<'_, '_, '_>,
    book: TapePos,
    is_whole: bool,
    exponents: Exponents,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["bids", "asks", "ts", "checksum", "seqId", "prevSeqId"];
    let ([bids, asks, time, checksum, seq, prev], repeated) = document.fields(book, names)?;
    repeated.none()?;
    let sequence = Sequence { prev, seq };
    let out = &mut *reader.out;
    // A level has its commands behind its price and size.
    let (bids, asks) = (bids.needed(book, "bids")?, asks.needed(book, "asks")?);
    levels::pairs(&document, bids, exponents, true, &mut out.bids)?;
    levels::pairs(&document, asks, exponents, true, &mut out.asks)?;
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
    if is_whole {
        if let Some((checksum, pos)) = checksum {
            out.proves(&checksum, pos)?;
        }
        let seq = sequence.of_book(&document)?;
        return Ok(Parsed::Snapshot { seq, origin, time });
    }
    if out.bids.is_empty() && out.asks.is_empty() && sequence.stands_still(&document) {
        return Ok(Parsed::Nothing);
    }
    let link = sequence.of_change(&document, book)?;
    Ok(Parsed::Delta { link, origin, time })
}

/// A checksum is a signed number of 32 bits.
fn checksum_at(
    document: &Document<'_, '_>,
    pos: TapePos,
    exponents: Exponents,
) -> Result<Option<VenueChecksum>, Fault> {
    let told = match document.node(pos) {
        Node::Static(StaticNode::I64(number)) => i32::try_from(number).ok(),
        Node::Static(StaticNode::U64(number)) => i32::try_from(number).ok(),
        _ => None,
    };
    let expected = "a whole number from -2^31 to 2^31 - 1";
    let told = told.ok_or(Fault::at(pos, ErrorKind::BadValue { expected }))?;
    Ok((told != 0).then_some(VenueChecksum {
        expected: told.cast_unsigned(),
        rule: ChecksumRule::Okx,
        exponents,
    }))
}
