//! Kraken's own JSON: the objects of its WebSocket API v2, and the arrays of v1.

mod arrays;

use market::{Check, ChecksumRule, Decimals, Exponents, Scope, SnapshotOrigin, VenueChecksum};
use simd_json::tape::Node;

use crate::json::{Fault, ROOT, TapePos};
use crate::levels::LevelNames;
use crate::record_reader::{Parsed, RecordReader, is_snapshot};
use crate::trades::{TimeFormat, TradeList};
use crate::{ErrorKind, Resolve, levels, times};

/// Channels of v2 that are ignored.
const IGNORED_CHANNELS: [&str; 5] = ["heartbeat", "status", "ticker", "ohlc", "instrument"];
/// The depths that one may subscribe to.
const WINDOWS: [usize; 5] = [10, 25, 100, 500, 1000];

const TRADES: TradeList = TradeList {
    symbol: "symbol",
    id: "trade_id",
    price: "price",
    size: "qty",
    side: "side",
    time: "timestamp",
    time_format: TimeFormat::Date,
    taker: ["buy", "sell"],
};

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    if let Node::Array { .. } = document.node(ROOT) {
        return arrays::read(reader, instruments);
    }
    let names = ["channel", "type", "data", "method", "event"];
    let ([channel, kind, data, method, event], repeated) = document.fields(ROOT, names)?;
    let Some(channel) = channel.get() else {
        // Responses of v2 to requests, and events of v1, including those of its own state.
        return match event.get().or(method.get()) {
            Some(_) => Ok(Parsed::Nothing),
            None => Err(Fault::at(ROOT, ErrorKind::UnknownKind)),
        };
    };
    match document.text(channel)? {
        "book" => {
            reader.subject.scope = Scope::Book;
            let data = data.needed(ROOT, "data")?;
            let is_snapshot = is_snapshot(&document, kind.needed(ROOT, "type")?)?;
            let parsed = read_book(reader, instruments, document.only(data)?, is_snapshot)?;
            repeated.ensure_none()?;
            Ok(parsed)
        }
        "trade" => {
            reader.subject.scope = Scope::Trades;
            // Trades before the subscription, which are in the log already.
            if is_snapshot(&document, kind.needed(ROOT, "type")?)? {
                return Ok(Parsed::Nothing);
            }
            let data = data.needed(ROOT, "data")?;
            TRADES.read(reader, instruments, data, &[repeated])
        }
        other if IGNORED_CHANNELS.contains(&other) => Ok(Parsed::Nothing),
        _ => Err(Fault::at(channel, ErrorKind::UnknownKind)),
    }
}

/// Kraken's rule: its books are not numbered. After every delta a copy must be cut to the
/// subscribed depth, since Kraken does not delete levels that leave it. The CRC-32 over the best
/// ten levels of both sides then shows whether anything is missing. A wrong book stays wrong until
/// the next snapshot.
#[derive(Debug, Default)]
struct Sequence {
    /// The maximum number of levels per side, if the message says.
    window: Option<usize>,
    /// The most decimals in the message, since trailing zeros count in the checksum.
    decimals: Decimals,
}

impl Sequence {
    /// Notes the decimals of a price and a size.
    #[inline]
    fn note(&mut self, decimals: Decimals) {
        self.decimals = self.decimals.max(decimals);
    }

    /// Infers the window of a snapshot of v2, which does not state it: if it has as many levels as
    /// can be subscribed to, that is its depth. With fewer, no level can leave it.
    fn guess_window(&mut self, levels: usize) {
        self.window = Some(levels).filter(|levels| WINDOWS.contains(levels));
    }

    fn checksum(&self, expected: u32, exponents: Exponents) -> VenueChecksum {
        VenueChecksum {
            expected,
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
    is_snapshot: bool,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let names = ["symbol", "bids", "asks", "checksum", "timestamp"];
    let ([symbol, bids, asks, checksum, time], repeated) = document.fields(book, names)?;
    let symbol = (symbol, "symbol");
    let exponents = reader.resolve_field(instruments, book, symbol, repeated)?;
    let mut sequence = Sequence::default();
    let out = &mut *reader.out;
    for (side, name, levels) in [(bids, "bids", &mut out.bids), (asks, "asks", &mut out.asks)] {
        let note = |decimals| sequence.note(decimals);
        let side = side.needed(book, name)?;
        levels::objects(&document, side, &LevelNames::QTY, exponents, levels, note)?;
    }
    let pos = checksum.needed(book, "checksum")?;
    let checksum = sequence.checksum(document.unsigned_32(pos)?, exponents);
    // For a long time snapshots had no timestamp.
    let time = times::optional_date(&document, time)?;
    if is_snapshot {
        out.verify(&checksum, pos)?;
        sequence.guess_window(out.bids.len().max(out.asks.len()));
    }
    let origin = sequence.origin(Some(checksum));
    Ok(Parsed::unnumbered(is_snapshot, origin, time))
}
