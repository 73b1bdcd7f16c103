//! Tapecast's own JSON: one object per record, keyed by the instrument's name.

use market::{
    Definition, Exponents, NameError, Nanos, Scope, SnapshotOrigin, State, Trade, decimal,
};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::json::{Document, Fault, Field, ROOT, Repeated, TapePos, Texts};
use crate::record_reader::{Parsed, RecordReader, link};
use crate::trades::{self, MAX_TRADES};
use crate::{ErrorKind, Resolve, Resolved, levels};

/// The keys of lists of levels.
pub(super) const LISTS: &[&[&str]] = &[&["bids", "asks"]];

pub(super) fn read<R: Resolve>(
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let fields = Fields::of(&document)?;
    let kind = fields.kind.needed(ROOT, "type")?;
    let kind_text = document.text(kind)?;
    reader.subject.scope = match kind_text {
        "snapshot" | "delta" => Scope::Book,
        "trade" => Scope::Trades,
        _ => Scope::Unknown,
    };
    let resolved = resolve(reader, instruments, &fields)?;
    match kind_text {
        "snapshot" => read_snapshot(reader, &fields, resolved),
        "delta" => read_delta(reader, &fields, resolved),
        "trade" => read_trades(reader, &fields, resolved),
        "status" => read_status(&document, &fields),
        "instrument" => read_definition(&document, &fields),
        _ => Err(Fault::at(kind, ErrorKind::UnknownKind)),
    }
}

/// The fields of a record.
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
        for (key, value) in document.members(ROOT)? {
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
    reader: &mut RecordReader<'_, '_, '_>,
    instruments: &mut R,
    fields: &Fields,
) -> Result<Resolved, Fault> {
    let pos = fields.symbol.needed(ROOT, "symbol")?;
    let name = reader.document.text(pos)?;
    let name = name
        .split_once(':')
        .ok_or(Fault::at(pos, ErrorKind::BadName(NameError::NoColon)))?;
    let resolved = reader.resolve(instruments, name, pos)?;
    fields.repeated.ensure_none()?;
    Ok(resolved)
}

fn read_snapshot(
    reader: &mut RecordReader<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let seq = match fields.seq.not_null(&document) {
        Some(pos) => Some(document.unsigned(pos)?),
        None => None,
    };
    read_levels(reader, fields, resolved)?;
    Ok(Parsed::Snapshot {
        seq,
        origin: SnapshotOrigin::InBand,
        time: time(&document, fields)?,
    })
}

fn read_delta(
    reader: &mut RecordReader<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let prev = document.unsigned(fields.prev_seq.needed(ROOT, "prev_seq")?)?;
    let seq_pos = fields.seq.needed(ROOT, "seq")?;
    let link = link(seq_pos, prev, document.unsigned(seq_pos)?)?;
    read_levels(reader, fields, resolved)?;
    Ok(Parsed::Delta {
        link,
        origin: SnapshotOrigin::InBand,
        time: time(&document, fields)?,
    })
}

fn read_levels(
    reader: &mut RecordReader<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<(), Fault> {
    let RecordReader { document, out, .. } = reader;
    let bids = fields.bids.needed(ROOT, "bids")?;
    let asks = fields.asks.needed(ROOT, "asks")?;
    levels::pairs_of_sides(document, [bids, asks], resolved.exponents, false, out)
}

fn read_trades(
    reader: &mut RecordReader<'_, '_, '_>,
    fields: &Fields,
    resolved: Resolved,
) -> Result<Parsed, Fault> {
    let RecordReader { document, out, .. } = reader;
    let array = fields.trades.needed(ROOT, "trades")?;
    let elements = document.elements_within(array, MAX_TRADES)?;
    let mut texts = Texts::new();
    for element in elements {
        let trade = read_trade(document, element, resolved.exponents, &mut texts)?;
        out.trades.push(trade);
    }
    let time = time(document, fields)?;
    if out.trades.is_empty() {
        return Ok(Parsed::Nothing);
    }
    Ok(Parsed::Trades { time })
}

fn read_trade<'a>(
    document: &Document<'_, 'a>,
    object: TapePos,
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
    repeated.ensure_none()?;
    let price = price.needed(object, "price")?;
    let size = size.needed(object, "size")?;
    Ok(Trade {
        price: levels::price(document, price, exponents, texts)?,
        size: levels::size(document, size, exponents, texts)?,
        side: trades::aggressor(document, side)?,
        id: trades::identifier(document, id, texts)?,
    })
}

fn read_status(document: &Document<'_, '_>, fields: &Fields) -> Result<Parsed, Fault> {
    let pos = fields.state.needed(ROOT, "state")?;
    let state = match document.text(pos)? {
        "LIVE" => State::Live,
        "HALTED" => State::Halted,
        _ => {
            let expected = "\"LIVE\" or \"HALTED\"";
            return Err(Fault::at(pos, ErrorKind::BadValue { expected }));
        }
    };
    let time = time(document, fields)?;
    Ok(Parsed::Status { time, state })
}

fn read_definition(document: &Document<'_, '_>, fields: &Fields) -> Result<Parsed, Fault> {
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
    Ok(Parsed::Definition { time, definition })
}

fn exponent(document: &Document<'_, '_>, field: Field, name: &'static str) -> Result<i8, Fault> {
    let pos = field.needed(ROOT, name)?;
    let expected = "a whole number from -18 to 9";
    let number = match document.node(pos) {
        Node::Static(StaticNode::I64(number)) => i8::try_from(number),
        Node::Static(StaticNode::U64(number)) => i8::try_from(number),
        _ => return Err(document.wrong_type(pos, expected)),
    };
    number
        .ok()
        .filter(|number| Exponents::RANGE.contains(number))
        .ok_or(Fault::at(pos, ErrorKind::BadValue { expected }))
}

/// Reads an optional tick or lot size, which must be positive.
fn step(document: &Document<'_, '_>, field: Field, exponent: i8) -> Result<Option<i64>, Fault> {
    let Some(pos) = field.not_null(document) else {
        return Ok(None);
    };
    let text = levels::decimal_text(document, pos, &mut Texts::new())?;
    match decimal::parse(text, exponent) {
        Ok(mantissa) if mantissa > 0 => Ok(Some(mantissa)),
        Ok(_) => {
            let expected = "a number above zero";
            Err(Fault::at(pos, ErrorKind::BadValue { expected }))
        }
        Err(error) => Err(Fault::at(pos, ErrorKind::BadDecimal(error))),
    }
}

fn time(document: &Document<'_, '_>, fields: &Fields) -> Result<Option<Nanos>, Fault> {
    match fields.time.not_null(document) {
        Some(pos) => Ok(Some(Nanos(document.unsigned(pos)?))),
        None => Ok(None),
    }
}
