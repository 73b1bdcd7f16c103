//! What cryptofeed's Kafka backend writes: whole books, changes, trades, and kinds of data that
//! nothing here is made of. Numbers are strings or bare, as its user chose.

use market::{Nanos, Scope, SnapshotOrigin, Trade, decimal};

use crate::json::{Document, Fault, Field, Place, Repeated, Texts};
use crate::reading::{About, Reading, Said};
use crate::{ErrorKind, RawRecord, Resolve, Resolved, levels, trades};

/// The beginnings of the topics of data that nothing here is made of.
const OTHER_TOPICS: [&str; 8] = [
    "ticker",
    "funding",
    "open_interest",
    "liquidations",
    "candles",
    "index",
    "order_info",
    "fills",
];

/// What lists of levels stand under.
pub(super) const LISTS: &[&[&str]] = &[&["bid", "ask"]];

pub(super) fn read<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Said, Fault> {
    let document = reading.document;
    let fields = Fields::of(&document)?;
    if let Some(book) = fields.book.not_null(&document) {
        return read_book(reading, instruments, &fields, book);
    }
    if let Some(delta) = fields.delta.not_null(&document) {
        return read_delta(reading, instruments, &fields, delta);
    }
    let topic = topic_kind(&reading.source.topic);
    let whole_trade = fields.side.is_there() && fields.amount.is_there() && fields.price.is_there();
    if whole_trade || topic == "trades" {
        return read_trade(reading, instruments, &fields);
    }
    if topic == "book" {
        reading.about.scope = Scope::Book;
        resolve(reading, instruments, &fields)?;
        return Err(Fault::missing(Document::ROOT, "book"));
    }
    // Tickers, funding, open interest, liquidations, candles and indices, in this order.
    let other = (fields.bid.is_there() && fields.ask.is_there())
        || fields.rate.is_there()
        || fields.open_interest.is_there()
        || (fields.status.is_there() && fields.side.is_there())
        || (fields.interval.is_there() && fields.open.is_there())
        || (fields.price.is_there() && !fields.side.is_there() && !fields.amount.is_there())
        || OTHER_TOPICS.contains(&topic);
    if other {
        return Ok(Said::Nothing);
    }
    Err(Fault::at(Document::ROOT, ErrorKind::UnknownKind))
}

/// Whom a record is about by its topic, `book-KRAKEN-BTC-USD`. Its key says the kind of data only.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> About {
    let topic = &record.source.topic;
    let name = topic
        .split_once('-')
        .and_then(|(_, name)| name.split_once('-'));
    About {
        instrument: name.and_then(|(venue, symbol)| instruments.find(venue, symbol)),
        scope: match topic_kind(topic) {
            "book" => Scope::Book,
            "trades" => Scope::Trades,
            _ => Scope::Unknown,
        },
    }
}

/// The kind of data that a topic is named after.
fn topic_kind(topic: &str) -> &str {
    topic.split_once('-').map_or(topic, |(kind, _)| kind)
}

/// Where the fields of a record stand.
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
        for (key, value) in document.members(Document::ROOT)? {
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
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
    book: Place,
) -> Result<Said, Fault> {
    reading.about.scope = Scope::Book;
    let exponents = resolve(reading, instruments, fields)?.exponents;
    let Reading { document, out, .. } = reading;
    let (bids, asks) = sides(document, book)?;
    levels::members(document, bids, exponents, &mut out.bids)?;
    levels::members(document, asks, exponents, &mut out.asks)?;
    Ok(Said::Snapshot {
        seq: None,
        origin: SnapshotOrigin::InBand,
        time: time(document, fields)?,
    })
}

fn read_delta<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
    delta: Place,
) -> Result<Said, Fault> {
    reading.about.scope = Scope::Book;
    let exponents = resolve(reading, instruments, fields)?.exponents;
    let Reading { document, out, .. } = reading;
    let (bids, asks) = sides(document, delta)?;
    levels::pairs(document, bids, exponents, false, &mut out.bids)?;
    levels::pairs(document, asks, exponents, false, &mut out.asks)?;
    Ok(Said::Delta {
        link: None,
        origin: SnapshotOrigin::InBand,
        time: time(document, fields)?,
    })
}

fn read_trade<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
) -> Result<Said, Fault> {
    reading.about.scope = Scope::Trades;
    let exponents = resolve(reading, instruments, fields)?.exponents;
    let Reading { document, out, .. } = reading;
    let price = fields.price.needed(Document::ROOT, "price")?;
    let amount = fields.amount.needed(Document::ROOT, "amount")?;
    let mut texts = Texts::new();
    let trade = Trade {
        price: levels::price(document, price, exponents, &mut texts)?,
        size: levels::size(document, amount, exponents, &mut texts)?,
        // cryptofeed gives the taker's side.
        side: trades::aggressor(document, fields.side)?,
        id: trades::identifier(document, fields.id, &mut texts)?,
    };
    out.trades.push(trade);
    Ok(Said::Trades {
        time: time(document, fields)?,
    })
}

fn resolve<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
) -> Result<Resolved, Fault> {
    let exchange = fields.exchange.needed(Document::ROOT, "exchange")?;
    let symbol = fields.symbol.needed(Document::ROOT, "symbol")?;
    let name = (
        reading.document.text(exchange)?,
        reading.document.text(symbol)?,
    );
    let resolved = reading.resolve(instruments, name, symbol)?;
    fields.repeated.none()?;
    Ok(resolved)
}

/// Where the two sides of a book or a change stand.
fn sides(document: &Document<'_, '_>, place: Place) -> Result<(Place, Place), Fault> {
    let (mut bid, mut ask) = (Field::default(), Field::default());
    let mut repeated = Repeated::default();
    for (key, value) in document.members(place)? {
        match key {
            "bid" => repeated.note(&mut bid, value),
            "ask" => repeated.note(&mut ask, value),
            _ => {}
        }
    }
    repeated.none()?;
    Ok((bid.needed(place, "bid")?, ask.needed(place, "ask")?))
}

/// The venue's time in seconds, as exact decimals. When it is null the venue gave none, and the
/// time of receipt is not it.
fn time(document: &Document<'_, '_>, fields: &Fields) -> Result<Option<Nanos>, Fault> {
    const NANOS: i8 = -9;
    let Some(place) = fields.timestamp.not_null(document) else {
        return Ok(None);
    };
    let text = levels::decimal_text(document, place, &mut Texts::new())?;
    match decimal::parse(text, NANOS).map(u64::try_from) {
        Ok(Ok(nanos)) => Ok(Some(Nanos(nanos))),
        _ => Err(Fault::at(place, ErrorKind::BadTime)),
    }
}
