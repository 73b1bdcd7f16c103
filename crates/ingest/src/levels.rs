//! Parses levels, prices and sizes to mantissas: from the tape or, if a list was cut out before the
//! tape was made, from their text by [`Scan`].

mod scan;

pub(crate) use scan::{Found, Scan};

use std::borrow::Cow;

use market::{Decimals, Exponents, Level, Price, Size, decimal};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::ErrorKind;
use crate::json::{Document, Fault, TapePos, Texts};

/// The maximum number of levels per side of a record: 2 MiB. The deepest books of venues that send them in full
/// have some 30,000.
pub(crate) const MAX_LEVELS: usize = 1 << 17;

/// Reads a list that was cut out, element by element. If it is not as expected, the whole record is
/// parsed again, which gives an exact error.
#[inline]
pub(crate) fn scanned<'a>(
    list: TapePos,
    text: &'a [u8],
    element: impl FnMut(&mut Scan<'a>) -> Option<()>,
) -> Result<(), Fault> {
    Scan::list(text, element).ok_or(no_level(list))
}

/// Appends a level; `None` if there are too many.
#[inline]
pub(crate) fn put(levels: &mut Vec<Level>, price: Found, size: Found) -> Option<()> {
    if levels.len() == MAX_LEVELS {
        return None;
    }
    levels.push(Level {
        price: Price(price.mantissa),
        size: Size(size.mantissa),
    });
    Some(())
}

/// Reads `[["price","size"],…]`. With `more`, further values may follow in each pair.
pub(crate) fn pairs(
    document: &Document<'_, '_>,
    array: TapePos,
    exponents: Exponents,
    more: bool,
    levels: &mut Vec<Level>,
) -> Result<(), Fault> {
    levels.clear();
    if let Some(text) = document.cut(array) {
        return scanned(array, text, |scan| {
            scan.pass(b'[')?;
            let price = scan.price(exponents)?;
            scan.pass(b',')?;
            let size = scan.size(exponents)?;
            while more && scan.pass(b',').is_some() {
                scan.word()?;
            }
            scan.pass(b']')?;
            put(levels, price, size)
        });
    }
    let elements = document.elements_within(array, MAX_LEVELS)?;
    levels.reserve(elements.len());
    let mut texts = Texts::new();
    for element in elements {
        match document.node(element) {
            Node::Array { len, .. } if len == 2 || (more && len > 2) => {}
            Node::Array { .. } => return Err(no_level(element)),
            _ => return Err(document.wrong_type(element, "an array of a price and a size")),
        }
        levels.push(level(
            document,
            element + 1,
            element + 2,
            exponents,
            &mut texts,
        )?);
    }
    Ok(())
}

/// Reads `{"price":size,…}`.
pub(crate) fn members(
    document: &Document<'_, '_>,
    object: TapePos,
    exponents: Exponents,
    levels: &mut Vec<Level>,
) -> Result<(), Fault> {
    levels.clear();
    if let Some(text) = document.cut(object) {
        return scanned(object, text, |scan| {
            let price = scan.key_price(exponents)?;
            scan.pass(b':')?;
            let size = scan.size(exponents)?;
            put(levels, price, size)
        });
    }
    let mut texts = Texts::new();
    for (key, value) in document.members(object)? {
        if levels.len() == MAX_LEVELS {
            return Err(Fault::at(object, ErrorKind::TooMany { limit: MAX_LEVELS }));
        }
        levels.push(Level {
            price: price_of(key.as_bytes(), value - 1, exponents)?,
            size: size(document, value, exponents, &mut texts)?,
        });
    }
    Ok(())
}

/// The names of the price and the size in levels that are objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LevelNames {
    price: Cow<'static, str>,
    size: Cow<'static, str>,
    /// The text before the price and between the price and the size, as venues write it.
    begin: Cow<'static, [u8]>,
    between: Cow<'static, [u8]>,
}

impl LevelNames {
    /// Kraken's names.
    pub(crate) const QTY: Self = Self {
        price: Cow::Borrowed("price"),
        size: Cow::Borrowed("qty"),
        begin: Cow::Borrowed(br#"{"price":"#),
        between: Cow::Borrowed(br#","qty":"#),
    };
    /// Tardis's names.
    pub(crate) const AMOUNT: Self = Self {
        price: Cow::Borrowed("price"),
        size: Cow::Borrowed("amount"),
        begin: Cow::Borrowed(br#"{"price":"#),
        between: Cow::Borrowed(br#","amount":"#),
    };

    /// Names from a configuration.
    pub(crate) fn new(price: &str, size: &str) -> Self {
        Self {
            price: price.to_owned().into(),
            size: size.to_owned().into(),
            begin: format!("{{\"{price}\":").into_bytes().into(),
            between: format!(",\"{size}\":").into_bytes().into(),
        }
    }
}

/// Reads `[{"price":…,"size":…},…]`, with a venue's names of the two. `note` gets the number of
/// decimals of each.
#[inline(always)]
pub(crate) fn objects(
    document: &Document<'_, '_>,
    array: TapePos,
    names: &LevelNames,
    exponents: Exponents,
    levels: &mut Vec<Level>,
    mut note: impl FnMut(Decimals),
) -> Result<(), Fault> {
    levels.clear();
    if let Some(text) = document.cut(array) {
        return scanned(array, text, |scan| {
            scan.pass_text(&names.begin)?;
            let price = scan.price(exponents)?;
            scan.pass_text(&names.between)?;
            let size = scan.size(exponents)?;
            scan.pass(b'}')?;
            note(Decimals {
                price: price.decimals,
                size: size.decimals,
            });
            put(levels, price, size)
        });
    }
    objects_of_tape(document, array, names, exponents, levels, note)
}

fn objects_of_tape(
    document: &Document<'_, '_>,
    array: TapePos,
    names: &LevelNames,
    exponents: Exponents,
    levels: &mut Vec<Level>,
    mut note: impl FnMut(Decimals),
) -> Result<(), Fault> {
    let elements = document.elements_within(array, MAX_LEVELS)?;
    levels.reserve(elements.len());
    let mut texts = Texts::new();
    for element in elements {
        let ([price, size], repeated) = document.fields(element, [&names.price, &names.size])?;
        repeated.ensure_none()?;
        let price = price.get().ok_or(no_level(element))?;
        let size = size.get().ok_or(no_level(element))?;
        let (price_text, size_text) = both_texts(document, price, size, &mut texts)?;
        note(decimals_of(price_text, size_text));
        levels.push(Level {
            price: price_of(price_text, price, exponents)?,
            size: size_of(size_text, size, exponents)?,
        });
    }
    Ok(())
}

/// Gets the texts of a price and a size in their order in the record, since [`Texts`] only moves
/// forward.
#[inline]
pub(crate) fn both_texts<'a>(
    document: &Document<'_, 'a>,
    price: TapePos,
    size: TapePos,
    texts: &mut Texts,
) -> Result<(&'a [u8], &'a [u8]), Fault> {
    if price < size {
        let price = decimal_text(document, price, texts)?;
        Ok((price, decimal_text(document, size, texts)?))
    } else {
        let size = decimal_text(document, size, texts)?;
        Ok((decimal_text(document, price, texts)?, size))
    }
}

/// Reads a level, or the price and size of a trade, whichever of the two comes first in the record.
#[inline]
pub(crate) fn level(
    document: &Document<'_, '_>,
    price: TapePos,
    size: TapePos,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Level, Fault> {
    let (price_text, size_text) = both_texts(document, price, size, texts)?;
    Ok(Level {
        price: price_of(price_text, price, exponents)?,
        size: size_of(size_text, size, exponents)?,
    })
}

/// The number of decimals that a price and a size are written with.
pub(crate) fn decimals_of(price: &[u8], size: &[u8]) -> Decimals {
    Decimals {
        price: count_decimals(price),
        size: count_decimals(size),
    }
}

/// The number of digits after the decimal point.
#[inline]
fn count_decimals(text: &[u8]) -> u8 {
    let Some(dot) = text.iter().position(|byte| *byte == b'.') else {
        return 0;
    };
    let decimals = &text[dot + 1..];
    let digits = decimals.iter().take_while(|byte| byte.is_ascii_digit());
    u8::try_from(digits.count()).unwrap_or(u8::MAX)
}

/// The error of a level that is not a price and a size.
#[cold]
pub(crate) const fn no_level(pos: TapePos) -> Fault {
    let expected = "a price and a size";
    Fault::at(pos, ErrorKind::BadValue { expected })
}

/// Reads a price, which is a string or a number.
pub(crate) fn price(
    document: &Document<'_, '_>,
    pos: TapePos,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Price, Fault> {
    price_of(decimal_text(document, pos, texts)?, pos, exponents)
}

/// Reads a size, which is a string or a number and not negative.
pub(crate) fn size(
    document: &Document<'_, '_>,
    pos: TapePos,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Size, Fault> {
    size_of(decimal_text(document, pos, texts)?, pos, exponents)
}

/// Gets the text of a string or a number.
#[inline]
pub(crate) fn decimal_text<'a>(
    document: &Document<'_, 'a>,
    pos: TapePos,
    texts: &mut Texts,
) -> Result<&'a [u8], Fault> {
    match document.node(pos) {
        Node::String(text) => Ok(text.as_bytes()),
        Node::Static(StaticNode::U64(_) | StaticNode::I64(_) | StaticNode::F64(_)) => {
            Ok(texts.number(document, pos))
        }
        _ => Err(document.wrong_type(pos, "a number, or a string that holds one")),
    }
}

#[inline]
pub(crate) fn price_of(text: &[u8], pos: TapePos, exponents: Exponents) -> Result<Price, Fault> {
    match decimal::parse(text, exponents.price) {
        Ok(mantissa) => Ok(Price(mantissa)),
        Err(error) => Err(Fault::at(pos, ErrorKind::BadDecimal(error))),
    }
}

#[inline]
pub(crate) fn size_of(text: &[u8], pos: TapePos, exponents: Exponents) -> Result<Size, Fault> {
    match decimal::parse(text, exponents.size) {
        Ok(mantissa) if mantissa >= 0 => Ok(Size(mantissa)),
        Ok(_) => Err(Fault::at(pos, ErrorKind::NegativeSize)),
        Err(error) => Err(Fault::at(pos, ErrorKind::BadDecimal(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_counted_as_they_are_written() {
        for (text, decimals) in [("1", 0), ("0.5", 1), ("0.00100000", 8), ("1.50e3", 2)] {
            assert_eq!(count_decimals(text.as_bytes()), decimals, "{text}");
        }
    }
}
