//! Levels, prices and sizes as formats write them, into mantissas.

use market::{Exponents, Level, Price, Size, decimal};
use simd_json::StaticNode;
use simd_json::tape::Node;

use crate::ErrorKind;
use crate::json::{Document, Fault, Place, Texts};

/// How many levels a side of one record may have: 2 MiB of levels a side. The deepest books of
/// venues that send all of them have some 30,000.
pub(crate) const MAX_LEVELS: usize = 1 << 17;

/// How a level is written that has numbers without quotes, which have to be found in the source:
/// from where it begins to its price, from there to its size, and from there to where the next one
/// begins; each as nodes of the tape, and as brackets, commas, colons and beginnings of scalars in
/// the source.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    price: (usize, usize),
    size: (usize, usize),
    next: (usize, usize),
}

impl Shape {
    /// `[1,2],`
    const PAIR: Self = Self {
        price: (1, 1),
        size: (1, 2),
        next: (1, 3),
    };
    /// `["change",1,2],`
    pub(crate) const TRIPLE: Self = Self {
        price: (2, 3),
        size: (1, 2),
        next: (1, 3),
    };
    /// `{"price":1,"size":2},`
    const OBJECT: Self = Self {
        price: (2, 3),
        size: (2, 4),
        next: (1, 3),
    };

    /// The texts of the price and the size of the level at `element`, which is written like that.
    #[inline]
    pub(crate) fn texts<'a>(
        self,
        document: &Document<'_, 'a>,
        element: Place,
        texts: &mut Texts,
    ) -> Result<(&'a [u8], &'a [u8]), Fault> {
        texts.stand_at(document, element);
        let at = texts.jump(self.price);
        let price = decimal_text(document, at, texts)?;
        let at = texts.jump(self.size);
        let size = decimal_text(document, at, texts)?;
        texts.jump(self.next);
        Ok((price, size))
    }
}

/// Reads `[["price","size"],…]`, and only such pairs, unless `more` may follow in a pair.
pub(crate) fn pairs(
    document: &Document<'_, '_>,
    array: Place,
    exponents: Exponents,
    more: bool,
    levels: &mut Vec<Level>,
) -> Result<(), Fault> {
    levels.clear();
    let elements = document.elements_within(array, MAX_LEVELS)?;
    levels.reserve(elements.len());
    let mut texts = Texts::new();
    for element in elements {
        let level = match document.nodes_from(element) {
            // What string-typed feeds write, without a look at anything else.
            [
                Node::Array { len: 2, .. },
                Node::String(price),
                Node::String(size),
                ..,
            ] => Level {
                price: price_of(price.as_bytes(), element + 1, exponents)?,
                size: size_of(size.as_bytes(), element + 2, exponents)?,
            },
            [
                Node::Array { len: 2, .. },
                Node::Static(_),
                Node::Static(_),
                ..,
            ] => {
                let (price, size) = Shape::PAIR.texts(document, element, &mut texts)?;
                Level {
                    price: price_of(price, element + 1, exponents)?,
                    size: size_of(size, element + 2, exponents)?,
                }
            }
            [Node::Array { len, .. }, ..] if *len == 2 || (more && *len > 2) => Level {
                price: price(document, element + 1, exponents, &mut texts)?,
                size: size(document, element + 2, exponents, &mut texts)?,
            },
            [Node::Array { .. }, ..] => return Err(no_level(element)),
            _ => return Err(document.wrong_type(element, "an array of a price and a size")),
        };
        levels.push(level);
    }
    Ok(())
}

/// Reads `{"price":size,…}`.
pub(crate) fn members(
    document: &Document<'_, '_>,
    object: Place,
    exponents: Exponents,
    levels: &mut Vec<Level>,
) -> Result<(), Fault> {
    levels.clear();
    let mut texts = Texts::new();
    for (key, value) in document.members(object)? {
        if levels.len() == MAX_LEVELS {
            return Err(Fault::at(object, ErrorKind::TooMany { limit: MAX_LEVELS }));
        }
        // `"price":size,`
        texts.stand_at(document, value - 1);
        texts.jump((1, 2));
        levels.push(Level {
            price: price_of(key.as_bytes(), value - 1, exponents)?,
            size: size(document, value, exponents, &mut texts)?,
        });
        texts.jump((1, 2));
    }
    Ok(())
}

/// Reads `[{"price":…,"size":…},…]` under the names that a venue gives the two. `note` sees their
/// texts.
pub(crate) fn objects(
    document: &Document<'_, '_>,
    array: Place,
    names: [&str; 2],
    exponents: Exponents,
    levels: &mut Vec<Level>,
    mut note: impl FnMut(&[u8], &[u8]),
) -> Result<(), Fault> {
    levels.clear();
    let elements = document.elements_within(array, MAX_LEVELS)?;
    levels.reserve(elements.len());
    let mut texts = Texts::new();
    for element in elements {
        let (price_at, size_at, (price_text, size_text)) = match document.nodes_from(element) {
            // In the order in which venues write them, without a look at anything else.
            [
                Node::Object { len: 2, .. },
                Node::String(first),
                price @ (Node::String(_) | Node::Static(_)),
                Node::String(second),
                size @ (Node::String(_) | Node::Static(_)),
                ..,
            ] if [*first, *second] == names => {
                let both = match (price, size) {
                    (Node::String(price), Node::String(size)) => {
                        (price.as_bytes(), size.as_bytes())
                    }
                    _ => Shape::OBJECT.texts(document, element, &mut texts)?,
                };
                (element + 2, element + 4, both)
            }
            _ => {
                let ([price, size], repeated) = document.fields(element, names)?;
                repeated.none()?;
                let price = price.get().ok_or(no_level(element))?;
                let size = size.get().ok_or(no_level(element))?;
                let both = both_texts(document, price, size, &mut texts)?;
                (price, size, both)
            }
        };
        note(price_text, size_text);
        levels.push(Level {
            price: price_of(price_text, price_at, exponents)?,
            size: size_of(size_text, size_at, exponents)?,
        });
    }
    Ok(())
}

/// The texts of a price and a size, asked for in the order in which they stand.
#[inline]
pub(crate) fn both_texts<'a>(
    document: &Document<'_, 'a>,
    price: Place,
    size: Place,
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

/// The level, or a trade's share of it, whose price and size stand there in any order.
#[inline]
pub(crate) fn level(
    document: &Document<'_, '_>,
    price: Place,
    size: Place,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Level, Fault> {
    let (price_text, size_text) = both_texts(document, price, size, texts)?;
    Ok(Level {
        price: price_of(price_text, price, exponents)?,
        size: size_of(size_text, size, exponents)?,
    })
}

/// A level that is not a price and a size.
#[cold]
pub(crate) const fn no_level(place: Place) -> Fault {
    let expected = "a price and a size";
    Fault::at(place, ErrorKind::BadValue { expected })
}

/// Reads a price: a string or a number.
pub(crate) fn price(
    document: &Document<'_, '_>,
    place: Place,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Price, Fault> {
    price_of(decimal_text(document, place, texts)?, place, exponents)
}

/// Reads a size: a string or a number, not below zero.
pub(crate) fn size(
    document: &Document<'_, '_>,
    place: Place,
    exponents: Exponents,
    texts: &mut Texts,
) -> Result<Size, Fault> {
    size_of(decimal_text(document, place, texts)?, place, exponents)
}

/// The text of a string or a number.
#[inline]
pub(crate) fn decimal_text<'a>(
    document: &Document<'_, 'a>,
    place: Place,
    texts: &mut Texts,
) -> Result<&'a [u8], Fault> {
    match document.node(place) {
        Node::String(text) => Ok(text.as_bytes()),
        Node::Static(StaticNode::U64(_) | StaticNode::I64(_) | StaticNode::F64(_)) => {
            Ok(texts.number(document, place))
        }
        _ => Err(document.wrong_type(place, "a number, or a string that holds one")),
    }
}

#[inline]
pub(crate) fn price_of(text: &[u8], place: Place, exponents: Exponents) -> Result<Price, Fault> {
    match decimal::parse(text, exponents.price) {
        Ok(mantissa) => Ok(Price(mantissa)),
        Err(error) => Err(Fault::at(place, ErrorKind::BadDecimal(error))),
    }
}

#[inline]
pub(crate) fn size_of(text: &[u8], place: Place, exponents: Exponents) -> Result<Size, Fault> {
    match decimal::parse(text, exponents.size) {
        Ok(mantissa) if mantissa >= 0 => Ok(Size(mantissa)),
        Ok(_) => Err(Fault::at(place, ErrorKind::NegativeSize)),
        Err(error) => Err(Fault::at(place, ErrorKind::BadDecimal(error))),
    }
}
