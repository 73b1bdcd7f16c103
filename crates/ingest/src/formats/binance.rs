//! Binance's own JSON, for spot and futures: messages of its WebSocket API, bare or wrapped by a
//! combined stream, and depth snapshots of its REST API.

mod fields;
mod stream;
mod symbol;

use market::{Aggressor, Nanos, Scope, SnapshotOrigin, Trade};
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, TapePos, Texts};
use crate::record_reader::{Parsed, RecordReader, Subject, link};
use crate::{ErrorKind, RawRecord, Resolve, Resolved, levels};
use fields::Fields;
use stream::Stream;

/// Event types that Binance documents and that are ignored.
const IGNORED_KINDS: [&str; 19] = [
    "bookTicker",
    "kline",
    "24hrTicker",
    "24hrMiniTicker",
    "1hTicker",
    "4hTicker",
    "1dTicker",
    "avgPrice",
    "markPriceUpdate",
    "indexPriceUpdate",
    "forceOrder",
    "continuous_kline",
    "indexPrice_kline",
    "markPrice_kline",
    "compositeIndex",
    "assetIndexUpdate",
    "contractInfo",
    "tradingSession",
    "serverShutdown",
];

/// Numbers below this are milliseconds (until the year 5138), others microseconds, which Binance
/// sends on request.
const FIRST_MICROS: u64 = 100_000_000_000_000;

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["b", "a"], &["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let mut stream = Stream::default();
    let mut message = ROOT;
    // A combined stream names itself first, which is enough to ignore most of its messages.
    if let [
        Node::Object { len: 2, .. },
        Node::String("stream"),
        Node::String(name),
        Node::String("data"),
        ..,
    ] = document.nodes_from(ROOT)
    {
        stream = Stream::new(name);
        if stream.is_ignored() {
            return Ok(Parsed::Nothing);
        }
        message = ROOT + 4;
    }
    if let Node::Array { .. } = document.node(message) {
        return read_many(&document, message);
    }
    let mut fields = Fields::of(&document, message)?;
    if message == ROOT
        && let (Some(name), Some(data)) = (fields.stream.get(), fields.data.get())
    {
        stream = Stream::new(document.text(name)?);
        message = data;
        if let Node::Array { .. } = document.node(message) {
            return read_many(&document, message);
        }
        fields = Fields::of(&document, message)?;
    }
    Message {
        pos: message,
        stream,
        fields,
    }
    .read(reader, instruments)
}

/// Finds the subject of a record by its key or its topic.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
    let source = record.source;
    let symbol = symbol::of_key(record.key, &source.venue).or(source.symbol.as_deref());
    Subject {
        instrument: symbol.and_then(|symbol| instruments.find(&source.venue, symbol)),
        scope: Scope::Unknown,
    }
}

/// Streams for all markets send arrays; none of them has books or trades.
fn read_many(document: &Document<'_, '_>, array: TapePos) -> Result<Parsed, Fault> {
    for element in document.elements(array)? {
        let kind = Fields::of(document, element)?.kind;
        let kind = document.text(kind.needed(element, "e")?)?;
        if !IGNORED_KINDS.contains(&kind) {
            return Err(Fault::at(element, ErrorKind::UnknownKind));
        }
    }
    Ok(Parsed::Nothing)
}

/// A message without the wrapper of a combined stream.
struct Message<'a> {
    pos: TapePos,
    stream: Stream<'a>,
    fields: Fields,
}

impl<'a> Message<'a> {
    fn read<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
    ) -> Result<Parsed, Fault> {
        let fields = &self.fields;
        let Some(kind) = fields.kind.get() else {
            return self.read_untyped(reader, instruments);
        };
        match reader.document.text(kind)? {
            // Partial books of futures look like deltas; only their stream tells them apart.
            "depthUpdate" if self.stream.is_partial_book() => Ok(Parsed::Nothing),
            "depthUpdate" => self.read_delta(reader, instruments),
            "trade" => self.read_trade(reader, instruments, fields.t, "t"),
            "aggTrade" => self.read_trade(reader, instruments, fields.a, "a"),
            other if IGNORED_KINDS.contains(&other) => Ok(Parsed::Nothing),
            _ => Err(Fault::at(kind, ErrorKind::UnknownKind)),
        }
    }

    /// Reads a message without an event type.
    fn read_untyped<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
    ) -> Result<Parsed, Fault> {
        let fields = &self.fields;
        let document = &reader.document;
        if fields.last_update_id.is_present()
            || fields.bids.is_present()
            || fields.asks.is_present()
        {
            if self.stream.is_partial_book() {
                return Ok(Parsed::Nothing);
            }
            return self.read_snapshot(reader, instruments);
        }
        let book_ticker =
            fields.final_id.is_present() && fields.b.is_present() && fields.a.is_present();
        // The response to a subscription.
        let done = fields
            .result
            .get()
            .is_some_and(|pos| document.is_null(pos) || document.elements(pos).is_ok());
        if book_ticker || done {
            return Ok(Parsed::Nothing);
        }
        Err(Fault::at(self.pos, ErrorKind::UnknownKind))
    }

    /// Spot numbers every change of a level, and a delta has the first and last number; futures
    /// also give the last number of the delta before.
    fn read_delta<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
    ) -> Result<Parsed, Fault> {
        let Self { pos, fields, .. } = self;
        reader.subject.scope = Scope::Book;
        let resolved = self.resolve(reader, instruments)?;
        let document = &reader.document;
        let first_pos = fields.first_id.needed(*pos, "U")?;
        let final_pos = fields.final_id.needed(*pos, "u")?;
        let first = document.unsigned(first_pos)?;
        let seq = document.unsigned(final_pos)?;
        let prev = match fields.prev_id.get() {
            Some(prev) => document.unsigned(prev)?,
            // The very first delta builds on nothing, and nothing has the number 0.
            None => first.saturating_sub(1),
        };
        let link = link(final_pos, prev, seq)?;
        let time = self.time(document, fields.event_time)?;
        let bids = fields.b.needed(*pos, "b")?;
        let asks = fields.a.needed(*pos, "a")?;
        self.read_levels(reader, resolved, bids, asks)?;
        Ok(Parsed::Delta {
            link,
            origin: SnapshotOrigin::OutOfBand,
            time,
        })
    }

    fn read_snapshot<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
    ) -> Result<Parsed, Fault> {
        let Self { pos, fields, .. } = self;
        reader.subject.scope = Scope::Book;
        let resolved = self.resolve(reader, instruments)?;
        let document = &reader.document;
        let seq = document.unsigned(fields.last_update_id.needed(*pos, "lastUpdateId")?)?;
        let time = self.time(document, fields.event_time)?;
        let bids = fields.bids.needed(*pos, "bids")?;
        let asks = fields.asks.needed(*pos, "asks")?;
        self.read_levels(reader, resolved, bids, asks)?;
        Ok(Parsed::Snapshot {
            seq: Some(seq),
            origin: SnapshotOrigin::OutOfBand,
            time,
        })
    }

    fn read_levels(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        resolved: Resolved,
        bids: TapePos,
        asks: TapePos,
    ) -> Result<(), Fault> {
        let exponents = resolved.exponents;
        let RecordReader { document, out, .. } = reader;
        // Older responses have a third, empty element.
        levels::pairs_of_sides(document, [bids, asks], exponents, true, out)
    }

    fn read_trade<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
        id: Field,
        id_name: &'static str,
    ) -> Result<Parsed, Fault> {
        let Self { pos, fields, .. } = self;
        reader.subject.scope = Scope::Trades;
        let resolved = self.resolve(reader, instruments)?;
        let document = &reader.document;
        let mut texts = Texts::new();
        let id = id.needed(*pos, id_name)?;
        document.unsigned(id)?;
        let id = std::str::from_utf8(texts.number(document, id)).unwrap_or_default();
        let price = fields.price.needed(*pos, "p")?;
        let size = fields.size.needed(*pos, "q")?;
        let buyer_is_maker = document.flag(fields.maker.needed(*pos, "m")?)?;
        let trade = Trade {
            price: levels::price(document, price, resolved.exponents, &mut texts)?,
            size: levels::size(document, size, resolved.exponents, &mut texts)?,
            side: if buyer_is_maker {
                Aggressor::Sell
            } else {
                Aggressor::Buy
            },
            id,
        };
        let time = match fields.trade_time.get() {
            Some(_) => self.time(document, fields.trade_time)?,
            None => self.time(document, fields.event_time)?,
        };
        // Futures report the operations of their insurance fund, deleveraging and settlement as
        // trades, some with a size of zero.
        let of_market = match fields.execution.get() {
            Some(pos) => document.text(pos)? == "MARKET",
            None => true,
        };
        if trade.size.is_zero() || !of_market {
            return Ok(Parsed::Nothing);
        }
        reader.out.trades.push(trade);
        Ok(Parsed::Trades { time })
    }

    #[inline]
    fn resolve<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
    ) -> Result<Resolved, Fault> {
        let resolved = symbol::resolve(self.pos, &self.fields, &self.stream, reader, instruments)?;
        self.fields.repeated.ensure_none()?;
        Ok(resolved)
    }

    #[inline]
    fn time(&self, document: &Document<'_, '_>, field: Field) -> Result<Option<Nanos>, Fault> {
        let Some(pos) = field.get() else {
            return Ok(None);
        };
        let time = document.unsigned(pos)?;
        let scale = if time < FIRST_MICROS { 1_000_000 } else { 1000 };
        match time.checked_mul(scale) {
            Some(nanos) if i64::try_from(nanos).is_ok() => Ok(Some(Nanos(nanos))),
            _ => Err(Fault::at(pos, ErrorKind::BadTime)),
        }
    }
}
