use market::{Aggressor, Exponents, Level, Trade};

use super::mapping::Mapping;
use super::tree::Found;
use super::{find, time, word};
use crate::ErrorKind;
use crate::json::{Document, Fault, Field, ROOT, TapePos, Texts};
use crate::levels;
use crate::record_reader::{Parsed, RecordReader};
use crate::trades::{MAX_TRADES, identifier};

/// Reads a list of trades, or the one trade of a message.
pub(super) fn read(
    reader: &mut RecordReader<'_, '_, '_>,
    mapping: &Mapping,
    found: &Found,
    exponents: Exponents,
) -> Result<Parsed, Fault> {
    let document = reader.document;
    let mut when = found.time;
    let Some(tree) = &mapping.trade else {
        let trade = read_trade(&document, mapping, found, ROOT, exponents)?;
        reader.out.trades.push(trade);
        if found.trade_time.is_present() {
            when = found.trade_time;
        }
        let time = time(&document, mapping.time_unit, when)?;
        return Ok(Parsed::Trades { time });
    };
    let list = found.trades.needed(ROOT, "trades")?;
    for element in document.elements_within(list, MAX_TRADES)? {
        let found = tree.find_from(&document, element);
        found.ensure_unique()?;
        let trade = read_trade(&document, mapping, &found, element, exponents)?;
        reader.out.trades.push(trade);
        if found.trade_time.is_present() {
            when = found.trade_time;
        }
    }
    if reader.out.trades.is_empty() {
        return Ok(Parsed::Nothing);
    }
    let time = time(&document, mapping.time_unit, when)?;
    Ok(Parsed::Trades { time })
}

fn read_trade<'a>(
    document: &Document<'_, 'a>,
    mapping: &Mapping,
    found: &Found,
    object: TapePos,
    exponents: Exponents,
) -> Result<Trade<'a>, Fault> {
    let mut texts = Texts::new();
    let price = found.trade_price.needed(object, "trade_price")?;
    let size = found.trade_size.needed(object, "trade_size")?;
    let Level { price, size } = levels::level(document, price, size, exponents, &mut texts)?;
    Ok(Trade {
        price,
        size,
        side: side(document, mapping, found.trade_side, &mut texts)?,
        id: identifier(document, found.trade_id, &mut texts)?,
    })
}

/// Reads the taker's side, which is unknown if the message has none.
fn side(
    document: &Document<'_, '_>,
    mapping: &Mapping,
    field: Field,
    texts: &mut Texts,
) -> Result<Aggressor, Fault> {
    let Some(pos) = field.not_null(document) else {
        return Ok(Aggressor::Unknown);
    };
    let known = word(document, pos, texts).and_then(|word| find(&mapping.takers, word));
    let expected = "one of the mapping's values for buy and sell";
    known
        .copied()
        .ok_or(Fault::at(pos, ErrorKind::BadValue { expected }))
}
