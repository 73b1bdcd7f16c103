use market::{Exponents, Level};
use simd_json::tape::Node;

use super::mapping::{LevelStep, Mapping, Side};
use super::tree::Found;
use super::{find, word};
use crate::ErrorKind;
use crate::json::{Document, Fault, ROOT, TapePos, Texts};
use crate::levels::{self, MAX_LEVELS};
use crate::record_reader::{Out, RecordReader};

/// Reads both sides of a snapshot or a delta, from a list each or from one list.
pub(super) fn read(
    reader: &mut RecordReader<'_, '_, '_>,
    mapping: &Mapping,
    found: &Found,
    exponents: Exponents,
) -> Result<(), Fault> {
    let document = reader.document;
    let out = &mut *reader.out;
    if mapping.has_one_list {
        let list = found.levels.needed(ROOT, "levels")?;
        return read_list(&document, mapping, list, exponents, out);
    }
    let bids = found.bids.not_null(&document);
    let asks = found.asks.not_null(&document);
    if bids.is_none() && asks.is_none() {
        return Err(Fault::missing(ROOT, "bids"));
    }
    // Some venues omit a side without changes.
    if let Some(bids) = bids {
        read_side(&document, mapping, bids, exponents, &mut out.bids)?;
    }
    if let Some(asks) = asks {
        read_side(&document, mapping, asks, exponents, &mut out.asks)?;
    }
    Ok(())
}

fn read_side(
    document: &Document<'_, '_>,
    mapping: &Mapping,
    side: TapePos,
    exponents: Exponents,
    out: &mut Vec<Level>,
) -> Result<(), Fault> {
    if let Node::Object { .. } = document.node(side) {
        return levels::members(document, side, exponents, out);
    }
    match (&mapping.level_price, &mapping.level_size) {
        (LevelStep::Index(0), LevelStep::Index(1)) => {
            levels::pairs(document, side, exponents, true, out)
        }
        (LevelStep::Name(_), LevelStep::Name(_)) => {
            levels::objects(document, side, &mapping.level_names, exponents, out, |_| {})
        }
        (price, size) => {
            out.clear();
            let elements = document.elements_within(side, MAX_LEVELS)?;
            out.reserve(elements.len());
            let mut texts = Texts::new();
            for element in elements {
                let price = field(document, element, price)?.ok_or(levels::no_level(element))?;
                let size = field(document, element, size)?.ok_or(levels::no_level(element))?;
                out.push(levels::level(document, price, size, exponents, &mut texts)?);
            }
            Ok(())
        }
    }
}

/// Reads one list of levels that name their side.
fn read_list(
    document: &Document<'_, '_>,
    mapping: &Mapping,
    list: TapePos,
    exponents: Exponents,
    out: &mut Out<'_>,
) -> Result<(), Fault> {
    let mut texts = Texts::new();
    for element in document.elements_within(list, MAX_LEVELS)? {
        let no_level = || levels::no_level(element);
        let price = field(document, element, &mapping.level_price)?.ok_or_else(no_level)?;
        let size = field(document, element, &mapping.level_size)?.ok_or_else(no_level)?;
        let side = match &mapping.level_side {
            Some(step) => field(document, element, step)?.ok_or_else(no_level)?,
            None => return Err(no_level()),
        };
        let level = levels::level(document, price, size, exponents, &mut texts)?;
        let known = word(document, side, &mut texts).and_then(|word| find(&mapping.sides, word));
        match known {
            Some(Side::Bid) => out.bids.push(level),
            Some(Side::Ask) => out.asks.push(level),
            None => {
                let expected = "one of the mapping's values for bid and ask";
                return Err(Fault::at(side, ErrorKind::BadValue { expected }));
            }
        }
    }
    Ok(())
}

/// Finds a field of a level.
fn field(
    document: &Document<'_, '_>,
    level: TapePos,
    step: &LevelStep,
) -> Result<Option<TapePos>, Fault> {
    match step {
        LevelStep::Index(at) => Ok(document.elements(level)?.nth(*at)),
        LevelStep::Name(name) => {
            let ([field], repeated) = document.fields(level, [name.as_str()])?;
            repeated.ensure_none()?;
            Ok(field.get())
        }
    }
}
