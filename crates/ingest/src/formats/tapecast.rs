//! Our own JSON: one object a record, keyed by the instrument's name.

use market::{
    Definition, Exponents, NameError, Nanos, Scope, SnapshotOrigin, State, Trade, decimal,
};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, Place, Repeated, Texts};
use crate::reading::{About, Reading, Said, link};
use crate::trades::{self, MAX_TRADES};
use crate::{ErrorKind, RawRecord, Resolve, Resolved, levels};

/// What lists of levels stand under.
pub(super) const LISTS: &[&[&str]] = &[&["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Said, Fault> {
    const ROOT: Place = Document::ROOT;
    let document = reading.document;
    let fields = Fields::of(&document)?;
    let kind = fields.kind.needed(ROOT, "type")?;
    let kind_text = document.text(kind)?;
    reading.about.scope = match kind_text {
        "snapshot" | "delta" => Scope::Book,
        "trade" => Scope::Trades,
        _ => Scope::Unknown,
    };
    let resolved = resolve(reading, instruments, &fields)?;
    match kind_text {
        "snapshot" => read_snapshot(reading, &fields, resolved),
        "delta" => read_delta(reading, &fields, resolved),
        "trade" => read_trades(reading, &fields, resolved),
        "status" => read_status(&document, &fields),
        "instrument" => read_definition(&document, &fields),
        _ => Err(Fault::at(kind, ErrorKind::UnknownKind)),
    }
}

/// Whom a record is about by its key, the instrument's name.
pub(super) fn hint<R: Resolve>(record: &RawRecord<'_>, instruments: &mut R) -> About {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
    let name = key.and_then(|key| key.split_once(':'));
    About {
        instrument: name.and_then(|(venue, symbol)| instruments.find(venue, symbol)),
        scope: Scope::Unknown,
    }
}

/// Where the fields of a record stand.
#[derive(Default)]
struct Fields {
    kind: Field,
    symbol: Field,
    time: Field,
    seq: Field,
    prev_seq: Field,
    bids: Field,
    asks: Field,
    trades: Field,
    state: Field,
    price_exponent: Field,
    size_exponent: Field,
    tick_size: Field,
    lot_size: Field,
    repeated: Repeated,
}

impl Fields {
    fn of(document: &Document<'_, '_>) -> Result<Self, Fault> {
        let mut fields = Self::default();
        let mut repeated = Repeated::default();
        for (key, value) in document.members(Document::ROOT)? {
            let field = match key {
                "type" => &mut fields.kind,
                "symbol" => &mut fields.symbol,
                "time" => &mut fields.time,
                "seq" => &mut fields.seq,
                "prev_seq" => &mut fields.prev_seq,
                "bids" => &mut fields.bids,
                "asks" => &mut fields.asks,
                "trades" => &mut fields.trades,
                "state" => &mut fields.state,
                "price_exponent" => &mut fields.price_exponent,
                "size_exponent" => &mut fields.size_exponent,
                "tick_size" => &mut fields.tick_size,
                "lot_size" => &mut fields.lot_size,
                _ => continue,
            };
            repeated.note(field, value);
        }
        fields.repeated = repeated;
        Ok(fields)
    }
}

fn resolve<R: Resolve>(
    reading: &mut Reading<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
) -> Result<Resolved, Fault> {
    let place = fields.symbol.needed(Document::ROOT, "symbol")?;
    let name = reading.document.text(place)?;
    let name = name
        .split_once(':')
        .ok_or(Fault::at(place, ErrorKind::BadName(NameError::NoColon)))?;
    let resolved = reading.resolve(instruments, name, place)?;
    fields.repeated.none()?;
    Ok(resolved)
}

fn read_snapshot(
    reading: &mut Reading<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<Said, Fault> {
    let document = reading.document;
    let seq = match fields.seq.not_null(&document) {
        Some(place) => Some(document.unsigned(place)?),
        None => None,
    };
    read_levels(reading, fields, resolved)?;
    Ok(Said::Snapshot {
        seq,
        origin: SnapshotOrigin::InBand,
        time: time(&document, fields)?,
    })
}

fn read_delta(
    reading: &mut Reading<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<Said, Fault> {
    let document = reading.document;
    let prev = document.unsigned(fields.prev_seq.needed(Document::ROOT, "prev_seq")?)?;
    let seq_place = fields.seq.needed(Document::ROOT, "seq")?;
    let link = link(seq_place, prev, document.unsigned(seq_place)?)?;
    read_levels(reading, fields, resolved)?;
    Ok(Said::Delta {
        link,
        origin: SnapshotOrigin::InBand,
        time: time(&document, fields)?,
    })
}

fn read_levels(
    reading: &mut Reading<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<(), Fault> {
    let Reading { document, out, .. } = reading;
    let bids = fields.bids.needed(Document::ROOT, "bids")?;
    let asks = fields.asks.needed(Document::ROOT, "asks")?;
    levels::pairs(document, bids, resolved.exponents, false, &mut out.bids)?;
    levels::pairs(document, asks, resolved.exponents, false, &mut out.asks)
}

fn read_trades(
    reading: &mut Reading<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<Said, Fault> {
    let Reading { document, out, .. } = reading;
    let array = fields.trades.needed(Document::ROOT, "trades")?;
    let elements = document.elements_within(array, MAX_TRADES)?;
    let mut texts = Texts::new();
    for element in elements {
        let trade = read_trade(document, element, resolved.exponents, &mut texts)?;
        out.trades.push(trade);
    }
    let time = time(document, fields)?;
    if out.trades.is_empty() {
        return Ok(Said::Nothing);
    }
    Ok(Said::Trades { time })
}

fn read_trade<'a>(
    document: &Document<'_, 'a>,
    object: Place,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Trade<'a>, Fault> {
    let [mut price, mut size, mut side, mut id] = [Field::default(); 4];
    let mut repeated = Repeated::default();
    for (key, value) in document.members(object)? {
        match key {
            "price" => repeated.note(&mut price, value),
            "size" => repeated.note(&mut size, value),
            "side" => repeated.note(&mut side, value),
            "id" => repeated.note(&mut id, value),
            _ => {}
        }
    }
    repeated.none()?;
    let price = price.needed(object, "price")?;
    let size = size.needed(object, "size")?;
    Ok(Trade {
        price: levels::price(document, price, exponents, texts)?,
        size: levels::size(document, size, exponents, texts)?,
        side: trades::aggressor(document, side)?,
        id: trades::identifier(document, id, texts)?,
    })
}

fn read_status(document: &Document<'_, '_>, fields: &Fields) -> Result<Said, Fault> {
    let place = fields.state.needed(Document::ROOT, "state")?;
    let state = match document.text(place)? {
        "LIVE" => State::Live,
        "HALTED" => State::Halted,
        _ => {
            let expected = "\"LIVE\" or \"HALTED\"";
            return Err(Fault::at(place, ErrorKind::BadValue { expected }));
        }
    };
    let time = time(document, fields)?;
    Ok(Said::Status { time, state })
}

fn read_definition(document: &Document<'_, '_>, fields: &Fields) -> Result<Said, Fault> {
    let exponents = Exponents {
        price: exponent(document, fields.price_exponent, "price_exponent")?,
        size: exponent(document, fields.size_exponent, "size_exponent")?,
    };
    let definition = Definition {
        exponents,
        tick_size: step(document, fields.tick_size, exponents.price)?,
        lot_size: step(document, fields.lot_size, exponents.size)?,
    };
    let time = time(document, fields)?;
    Ok(Said::Definition { time, definition })
}

fn exponent(document: &Document<'_, '_>, field: Field, name: &'static str) -> Result<i8, Fault> {
    let place = field.needed(Document::ROOT, name)?;
    let expected = "a whole number from -18 to 9";
    let number = match document.node(place) {
        Node::Static(StaticNode::I64(number)) => i8::try_from(number),
        Node::Static(StaticNode::U64(number)) => i8::try_from(number),
        _ => return Err(document.wrong_type(place, expected)),
    };
    number
        .ok()
        .filter(|number| Exponents::RANGE.contains(number))
        .ok_or(Fault::at(place, ErrorKind::BadValue { expected }))
}

/// A tick or lot: above zero, when it is given.
fn step(document: &Document<'_, '_>, field: Field, exponent: i8) -> Result<Option<i64>, Fault> {
    let Some(place) = field.not_null(document) else {
        return Ok(None);
    };
    let text = levels::decimal_text(document, place, &mut Texts::new())?;
    match decimal::parse(text, exponent) {
        Ok(mantissa) if mantissa > 0 => Ok(Some(mantissa)),
        Ok(_) => {
            let expected = "a number above zero";
            Err(Fault::at(place, ErrorKind::BadValue { expected }))
        }
        Err(error) => Err(Fault::at(place, ErrorKind::BadDecimal(error))),
    }
}

fn time(document: &Document<'_, '_>, fields: &Fields) -> Result<Option<Nanos>, Fault> {
    match fields.time.not_null(document) {
        Some(place) => Ok(Some(Nanos(document.unsigned(place)?))),
        None => Ok(None),
    }
}
