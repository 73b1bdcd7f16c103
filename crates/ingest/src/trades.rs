//! What formats say of a trade beside its price and size.

use market::Aggressor;

use crate::json::{Document, Fault, Field, Texts};
use crate::{ErrorKind, levels};

/// How many trades one record may have. A venue's largest sweep is some hundreds.
pub(crate) const MAX_TRADES: usize = 1 << 14;
/// The longest identifier of a trade that can be told.
const MAX_ID: usize = 255;

/// `"buy"` or `"sell"`: who took.
pub(crate) fn aggressor(document: &Document<'_, '_>, side: Field) -> Result<Aggressor, Fault> {
    let Some(place) = side.not_null(document) else {
        return Ok(Aggressor::Unknown);
    };
    match document.text(place)? {
        "buy" => Ok(Aggressor::Buy),
        "sell" => Ok(Aggressor::Sell),
        _ => {
            let expected = "\"buy\", \"sell\" or null";
            Err(Fault::at(place, ErrorKind::BadValue { expected }))
        }
    }
}

/// A string or a number; empty when it is null or not there.
pub(crate) fn identifier<'a>(
    document: &Document<'_, 'a>,
    id: Field,
    texts: &mut Texts,
) -> Result<&'a str, Fault> {
    let Some(place) = id.not_null(document) else {
        return Ok("");
    };
    let text = levels::decimal_text(document, place, texts)?;
    if text.len() > MAX_ID {
        return Err(Fault::at(place, ErrorKind::TooLong { limit: MAX_ID }));
    }
    Ok(std::str::from_utf8(text).unwrap_or_default())
}
