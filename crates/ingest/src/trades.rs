//! What formats say of a trade beside its price and size.

use market::{Aggressor, Exponents, Level, Trade};

use crate::json::{Document, Fault, Field, TapePos, Texts};
use crate::record_reader::RecordReader;
use crate::{ErrorKind, Resolve, levels};

/// How many trades one record may have. A venue's largest sweep is some hundreds.
pub(crate) const MAX_TRADES: usize = 1 << 14;
/// The longest identifier of a trade that can be told.
const MAX_ID: usize = 255;

/// How a venue writes a list of trades: the names of their fields.
pub(crate) struct TradeList {
    pub(crate) symbol: &'static str,
    pub(crate) id: &'static str,
    pub(crate) price: &'static str,
    pub(crate) size: &'static str,
    pub(crate) side: &'static str,
    pub(crate) time: &'static str,
    /// What stands for a side where the taker bought, and where the taker sold.
    pub(crate) taker: [&'static str; 2],
}

impl TradeList {
    /// Reads the trades of an array, all of one instrument, and tells where the time of the last
    /// one stands; none when there is no trade.
    pub(crate) fn read<'a, R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, 'a, '_>,
        instruments: &mut R,
        array: TapePos,
    ) -> Result<Option<TapePos>, Fault> {
        let document = reader.document;
        let elements = document.elements_within(array, MAX_TRADES)?;
        let mut texts = Texts::new();
        let mut known: Option<(&str, Exponents)> = None;
        let mut last_time = None;
        for element in elements {
            let names = [
                self.symbol,
                self.id,
                self.price,
                self.size,
                self.side,
                self.time,
            ];
            let ([symbol, id, price, size, side, time], repeated) =
                document.fields(element, names)?;
            let symbol = symbol.needed(element, self.symbol)?;
            let name = document.text(symbol)?;
            let exponents = match known {
                Some((first, exponents)) if first == name => exponents,
                Some(_) => return Err(Fault::at(symbol, ErrorKind::OtherInstrument)),
                None => reader.resolve_symbol(instruments, symbol)?.exponents,
            };
            known = Some((name, exponents));
            repeated.none()?;
            let price = price.needed(element, self.price)?;
            let size = size.needed(element, self.size)?;
            let Level { price, size } =
                levels::level(&document, price, size, exponents, &mut texts)?;
            reader.out.trades.push(Trade {
                price,
                size,
                side: taker(&document, side.needed(element, self.side)?, self.taker)?,
                id: identifier(&document, id, &mut texts)?,
            });
            last_time = Some(time.needed(element, self.time)?);
        }
        Ok(last_time)
    }
}

/// Who took, by what stands for a side where the taker bought, and where the taker sold.
pub(crate) fn taker(
    document: &Document<'_, '_>,
    pos: TapePos,
    [bought, sold]: [&str; 2],
) -> Result<Aggressor, Fault> {
    match document.text(pos)? {
        side if side == bought => Ok(Aggressor::Buy),
        side if side == sold => Ok(Aggressor::Sell),
        _ => {
            let expected = "the side of a trade";
            Err(Fault::at(pos, ErrorKind::BadValue { expected }))
        }
    }
}

/// `"buy"` or `"sell"`: who took.
pub(crate) fn aggressor(document: &Document<'_, '_>, side: Field) -> Result<Aggressor, Fault> {
    let Some(pos) = side.not_null(document) else {
        return Ok(Aggressor::Unknown);
    };
    match document.text(pos)? {
        "buy" => Ok(Aggressor::Buy),
        "sell" => Ok(Aggressor::Sell),
        _ => {
            let expected = "\"buy\", \"sell\" or null";
            Err(Fault::at(pos, ErrorKind::BadValue { expected }))
        }
    }
}

/// A string or a number; empty when it is null or not there.
pub(crate) fn identifier<'a>(
    document: &Document<'_, 'a>,
    id: Field,
    texts: &mut Texts,
) -> Result<&'a str, Fault> {
    let Some(pos) = id.not_null(document) else {
        return Ok("");
    };
    let text = levels::decimal_text(document, pos, texts)?;
    if text.len() > MAX_ID {
        return Err(Fault::at(pos, ErrorKind::TooLong { limit: MAX_ID }));
    }
    Ok(std::str::from_utf8(text).unwrap_or_default())
}
