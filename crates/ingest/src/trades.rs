//! Trades, as formats write them.

use market::{Aggressor, Exponents, Level, Trade};

use crate::json::{Document, Fault, Field, Repeated, TapePos, Texts};
use crate::record_reader::{Parsed, RecordReader};
use crate::{ErrorKind, Resolve, levels, times};

/// The maximum number of trades of one record. The largest sweeps of venues have some hundreds.
pub(crate) const MAX_TRADES: usize = 1 << 14;
/// The longest identifier of a trade that the wire can carry, in bytes.
const MAX_ID: usize = 255;

/// How a venue writes a list of trades: the names of their fields.
pub(crate) struct TradeList {
    pub(crate) symbol: &'static str,
    pub(crate) id: &'static str,
    pub(crate) price: &'static str,
    pub(crate) size: &'static str,
    pub(crate) side: &'static str,
    pub(crate) time: &'static str,
    pub(crate) time_format: TimeFormat,
    /// The values of the side if the taker bought, and if the taker sold.
    pub(crate) taker: [&'static str; 2],
}

/// How a venue writes the time of a trade.
pub(crate) enum TimeFormat {
    /// Whole milliseconds since 1970.
    Millis,
    /// `2019-08-01T00:00:03.816Z`.
    Date,
}

impl TradeList {
    /// Reads a record that is an array of trades, all of one instrument; `repeated` are those of
    /// the fields around the array.
    pub(crate) fn read<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, '_, '_>,
        instruments: &mut R,
        array: TapePos,
        repeated: &[Repeated],
    ) -> Result<Parsed, Fault> {
        let document = reader.document;
        let Some(time) = self.read_trades(reader, instruments, array)? else {
            return Ok(Parsed::Nothing);
        };
        for repeated in repeated {
            repeated.ensure_none()?;
        }
        let time = match self.time_format {
            TimeFormat::Millis => times::millis(&document, time)?,
            TimeFormat::Date => times::date(&document, time)?,
        };
        Ok(Parsed::Trades { time: Some(time) })
    }

    /// Reads the trades. Returns the position of the time of the last one; `None` if there are
    /// none.
    fn read_trades<R: Resolve>(
        &self,
        reader: &mut RecordReader<'_, '_, '_>,
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
            repeated.ensure_none()?;
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

/// Reads the taker's side, given its values if the taker bought and sold.
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

/// Reads the taker's side, which is `"buy"`, `"sell"`, null or absent.
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

/// Reads an identifier, which is a string or a number; empty if it is null or absent.
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
