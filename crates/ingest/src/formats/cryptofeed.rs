//! The JSON of cryptofeed's Kafka backend: snapshots, deltas, trades, and data that is ignored.
//! Numbers are quoted or bare, as its user chose.

use market::{Nanos, Scope, SnapshotOrigin, Trade, decimal};

use crate::json::{Document, Fault, Field, ROOT, Repeated, TapePos, Texts};
use crate::record_reader::{Parsed, RecordReader, Subject};
use crate::{ErrorKind, RawRecord, Resolve, Resolved, levels, trades};

/// The prefixes of topics that are ignored.
const IGNORED_TOPICS: [&str; 8] = [
    "ticker",
    "funding",
    "open_interest",
    "liquidations",
    "candles",
    "index",
    "order_info",
    "fills",
];

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["bid", "ask"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let fields = Fields::of(&document)?;
    if let Some(book) = fields.book.not_null(&document) {
        return read_book(reader, instruments, &fields, book);
    }
    if let Some(delta) = fields.delta.not_null(&document) {
        return read_delta(reader, instruments, &fields, delta);
    }
    let topic = topic_kind(&reader.source.topic);
    let whole_trade =
        fields.side.is_present() && fields.amount.is_present() && fields.price.is_present();
    if whole_trade || topic == "trades" {
        return read_trade(reader, instruments, &fields);
    }
    if topic == "book" {
        reader.subject.scope = Scope::Book;
        resolve(reader, instruments, &fields)?;
        return Err(Fault::missing(ROOT, "book"));
    }
    // Tickers, funding, open interest, liquidations, candles and indices, in this order.
    let other = (fields.bid.is_present() && fields.ask.is_present())
        || fields.rate.is_present()
        || fields.open_interest.is_present()
        || (fields.status.is_present() && fields.side.is_present())
        || (fields.interval.is_present() && fields.open.is_present())
        || (fields.price.is_present() && !fields.side.is_present() && !fields.amount.is_present())
        || IGNORED_TOPICS.contains(&topic);
    if other {
        return Ok(Parsed::Nothing);
    }
    Err(Fault::at(ROOT, ErrorKind::UnknownKind))
}

/// Finds the subject of a record by its topic, `book-KRAKEN-BTC-USD`. Its key has only the kind of
/// data.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> Subject {
    let topic = &record.source.topic;
    let name = topic
        .split_once('-')
        .and_then(|(_, name)| name.split_once('-'));
    Subject {
        instrument: name.and_then(|(venue, symbol)| instruments.find(venue, symbol)),
        scope: match topic_kind(topic) {
            "book" => Scope::Book,
            "trades" => Scope::Trades,
            _ => Scope::Unknown,
        },
    }
}

/// The kind of data in a topic's name.
fn topic_kind(topic: &str) -> &str {
    topic.split_once('-').map_or(topic, |(kind, _)| kind)
}

/// The fields of a record.
#[derive(Default)]
struct Fields {
    exchange: Field,
    symbol: Field,
    timestamp: Field,
    book: Field,
    delta: Field,
    side: Field,
    amount: Field,
    price: Field,
    id: Field,
    bid: Field,
    ask: Field,
    rate: Field,
    open_interest: Field,
    status: Field,
    interval: Field,
    open: Field,
    repeated: Repeated,
}

impl Fields {
    fn of(document: &Document<'_, '_>) -> Result<Self, Fault> {
        let mut fields = Self::default();
        let mut repeated = Repeated::default();
        for (key, value) in document.members(ROOT)? {
            let field = match key {
                "exchange" => &mut fields.exchange,
                "symbol" => &mut fields.symbol,
                "timestamp" => &mut fields.timestamp,
                "book" => &mut fields.book,
                "delta" => &mut fields.delta,
                "side" => &mut fields.side,
                "amount" => &mut fields.amount,
                "price" => &mut fields.price,
                "id" => &mut fields.id,
                "bid" => &mut fields.bid,
                "ask" => &mut fields.ask,
                "rate" => &mut fields.rate,
                "open_interest" => &mut fields.open_interest,
                "status" => &mut fields.status,
                "interval" => &mut fields.interval,
                "open" => &mut fields.open,
                _ => continue,
            };
            repeated.note(field, value);
        }
        fields.repeated = repeated;
        Ok(fields)
    }
}

fn read_book<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
    book: TapePos,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let exponents = resolve(reader, instruments, fields)?.exponents;
    let RecordReader { document, out, .. } = reader;
    let (bids, asks) = sides(document, book)?;
    levels::members(document, bids, exponents, &mut out.bids)?;
    levels::members(document, asks, exponents, &mut out.asks)?;
    Ok(Parsed::Snapshot {
        seq: None,
        origin: SnapshotOrigin::InBand,
        time: time(document, fields)?,
    })
}

fn read_delta<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
    delta: TapePos,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Book;
    let exponents = resolve(reader, instruments, fields)?.exponents;
    let RecordReader { document, out, .. } = reader;
    let (bids, asks) = sides(document, delta)?;
    levels::pairs_of_sides(document, [bids, asks], exponents, false, out)?;
    Ok(Parsed::Delta {
        link: None,
        origin: SnapshotOrigin::InBand,
        time: time(document, fields)?,
    })
}

fn read_trade<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
) -> Result<Parsed, Fault> {
    reader.subject.scope = Scope::Trades;
    let exponents = resolve(reader, instruments, fields)?.exponents;
    let RecordReader { document, out, .. } = reader;
    let price = fields.price.needed(ROOT, "price")?;
    let amount = fields.amount.needed(ROOT, "amount")?;
    let mut texts = Texts::new();
    let trade = Trade {
        price: levels::price(document, price, exponents, &mut texts)?,
        size: levels::size(document, amount, exponents, &mut texts)?,
        // cryptofeed gives the taker's side.
        side: trades::aggressor(document, fields.side)?,
        id: trades::identifier(document, fields.id, &mut texts)?,
    };
    out.trades.push(trade);
    Ok(Parsed::Trades {
        time: time(document, fields)?,
    })
}

fn resolve<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
) -> Result<Resolved, Fault> {
    let exchange = fields.exchange.needed(ROOT, "exchange")?;
    let symbol = fields.symbol.needed(ROOT, "symbol")?;
    let name = (
        reader.document.text(exchange)?,
        reader.document.text(symbol)?,
    );
    let resolved = reader.resolve(instruments, name, symbol)?;
    fields.repeated.ensure_none()?;
    Ok(resolved)
}

/// The two sides of a snapshot or a delta.
fn sides(document: &Document<'_, '_>, pos: TapePos) -> Result<(TapePos, TapePos), Fault> {
    let (mut bid, mut ask) = (Field::default(), Field::default());
    let mut repeated = Repeated::default();
    for (key, value) in document.members(pos)? {
        match key {
            "bid" => repeated.note(&mut bid, value),
            "ask" => repeated.note(&mut ask, value),
            _ => {}
        }
    }
    repeated.ensure_none()?;
    Ok((bid.needed(pos, "bid")?, ask.needed(pos, "ask")?))
}

/// The venue's time in seconds, as exact decimals. If it is null the venue gave none, and the time
/// of receipt is no substitute.
fn time(document: &Document<'_, '_>, fields: &Fields) -> Result<Option<Nanos>, Fault> {
    const NANOS: i8 = -9;
    let Some(pos) = fields.timestamp.not_null(document) else {
        return Ok(None);
    };
    let text = levels::decimal_text(document, pos, &mut Texts::new())?;
    match decimal::parse(text, NANOS).map(u64::try_from) {
        Ok(Ok(nanos)) => Ok(Some(Nanos(nanos))),
        _ => Err(Fault::at(pos, ErrorKind::BadTime)),
    }
}
