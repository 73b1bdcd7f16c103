use market::{Aggressor, Exponents, Level, Trade};

use super::mapping::Mapping;
use super::tree::Found;
use super::{find, time, word};
use crate::ErrorKind;
use crate::json::{Document, Fault, Field, Place, Texts};
use crate::levels;
use crate::reading::{Reading, Said};
use crate::trades::{MAX_TRADES, identifier};

/// Reads the trades of a list, or the one that the message is.
pub(super) fn read(
    reading: &mut Reading<'_, '_, '_>,
    mapping: &Mapping,
    found: &Found,
    exponents: Exponents,
) -> Result<Said, Fault> {
    let document = reading.document;
    let mut when = found.time;
    let Some(tree) = &mapping.trade else {
        let trade = read_trade(&document, mapping, found, Document::ROOT, exponents)?;
        reading.out.trades.push(trade);
        if found.trade_time.is_there() {
            when = found.trade_time;
        }
        let time = time(&document, mapping.time_unit, when)?;
        return Ok(Said::Trades { time });
    };
    let list = found.trades.needed(Document::ROOT, "trades")?;
    for element in document.elements_within(list, MAX_TRADES)? {
        let found = tree.find_from(&document, element);
        found.none_twice()?;
        let trade = read_trade(&document, mapping, &found, element, exponents)?;
        reading.out.trades.push(trade);
        if found.trade_time.is_there() {
            when = found.trade_time;
        }
    }
    if reading.out.trades.is_empty() {
        return Ok(Said::Nothing);
    }
    let time = time(&document, mapping.time_unit, when)?;
    Ok(Said::Trades { time })
}

fn read_trade<'a>(
    document: &Document<'_, 'a>,
    mapping: &Mapping,
    found: &Found,
    object: Place,
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

/// Who took, by the mapping's words; unknown where nothing is said.
fn side(
    document: &Document<'_, '_>,
    mapping: &Mapping,
    field: Field,
    texts: &mut Texts,
) -> Result<Aggressor, Fault> {
    let Some(place) = field.not_null(document) else {
        return Ok(Aggressor::Unknown);
    };
    let known = word(document, place, texts).and_then(|word| find(&mapping.takers, word));
    let expected = "one of the mapping's words for who took";
    known
        .copied()
        .ok_or(Fault::at(place, ErrorKind::BadValue { expected }))
}
