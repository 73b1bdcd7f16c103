//! The bodies that consist of a few numbers: `Bbo`, `Ticker`, `Bar`.
//!
//! A price is written as its difference from the one before it in the message, since the two are close;
//! overflow wraps, and wraps back when read.

use market::{Bbo, Level, Nanos, Price, Size};

use super::bits::{BitReader, BitWriter};
use super::power::POWERS;
use crate::sbe::{DecodeError, Fault};
use crate::{Bar, Ticker};

pub(super) fn append_bbo(bits: &mut BitWriter<'_>, bbo: &Bbo) {
    bits.bit(bbo.bid.is_some());
    bits.bit(bbo.ask.is_some());
    let mut before = 0;
    for level in [bbo.bid, bbo.ask].into_iter().flatten() {
        append_price(bits, &mut before, level.price);
        bits.number(level.size.0);
    }
}

pub(super) fn read_bbo(bits: &mut BitReader<'_>) -> Result<Bbo, DecodeError> {
    let has_bid = bits.bit("bidPrice")?;
    let has_ask = bits.bit("askPrice")?;
    let mut before = 0;
    let mut side = |there: bool, price, size| -> Result<Option<Level>, DecodeError> {
        if !there {
            return Ok(None);
        }
        let mantissas = (read_price(bits, price, &mut before)?.0, bits.number(size)?);
        Ok(Some(Level::new(
            not_null(bits, price, mantissas.0)?,
            not_null(bits, size, mantissas.1)?,
        )))
    };
    Ok(Bbo {
        bid: side(has_bid, "bidPrice", "bidSize")?,
        ask: side(has_ask, "askPrice", "askSize")?,
    })
}

pub(super) fn append_ticker(bits: &mut BitWriter<'_>, ticker: &Ticker) {
    let prices = [
        ticker.open,
        ticker.high,
        ticker.low,
        ticker.last,
        ticker.vwap,
    ];
    let mut before = 0;
    for price in prices {
        bits.bit(price.is_some());
        if let Some(price) = price {
            append_price(bits, &mut before, price);
        }
    }
    append_optional(bits, ticker.volume.map(|size| size.0));
    append_optional(bits, ticker.change.map(|price| price.0));
    bits.wide(u64::from(ticker.trades));
}

pub(super) fn read_ticker(bits: &mut BitReader<'_>) -> Result<Ticker, DecodeError> {
    let mut before = 0;
    let mut price = |bits: &mut BitReader<'_>, field| -> Result<Option<Price>, DecodeError> {
        if !bits.bit(field)? {
            return Ok(None);
        }
        let price = read_price(bits, field, &mut before)?;
        Ok(Some(not_null(bits, field, price.0).map(Price)?))
    };
    let open = price(bits, "open")?;
    let high = price(bits, "high")?;
    let low = price(bits, "low")?;
    let last = price(bits, "last")?;
    let vwap = price(bits, "vwap")?;
    let volume = read_optional(bits, "volume")?.map(Size);
    let change = read_optional(bits, "change")?.map(Price);
    Ok(Ticker {
        open,
        high,
        low,
        last,
        volume,
        vwap,
        change,
        trades: read_u32(bits, "trades")?,
    })
}

pub(super) fn append_bar(bits: &mut BitWriter<'_>, bar: &Bar) {
    bits.wide(u64::from(bar.interval));
    append_nanos(bits, bar.open_time);
    let mut before = 0;
    for price in [bar.open, bar.high, bar.low, bar.close] {
        append_price(bits, &mut before, price);
    }
    bits.number(bar.volume.0);
    bits.wide(u64::from(bar.trades));
    bits.bit(bar.closed);
}

pub(super) fn read_bar(bits: &mut BitReader<'_>) -> Result<Bar, DecodeError> {
    let interval = read_u32(bits, "interval")?;
    let open_time = read_nanos(bits, "openTime")?;
    let mut before = 0;
    Ok(Bar {
        interval,
        open_time,
        open: read_price(bits, "open", &mut before)?,
        high: read_price(bits, "high", &mut before)?,
        low: read_price(bits, "low", &mut before)?,
        close: read_price(bits, "close", &mut before)?,
        volume: Size(bits.number("volume")?),
        trades: read_u32(bits, "trades")?,
        closed: bits.bit("closed")?,
    })
}

fn append_price(bits: &mut BitWriter<'_>, before: &mut i64, price: Price) {
    bits.number(price.0.wrapping_sub(*before));
    *before = price.0;
}

fn read_price(
    bits: &mut BitReader<'_>,
    field: &'static str,
    before: &mut i64,
) -> Result<Price, DecodeError> {
    *before = before.wrapping_add(bits.number(field)?);
    Ok(Price(*before))
}

/// A presence bit, and a number where it is 1.
pub(super) fn append_optional(bits: &mut BitWriter<'_>, value: Option<i64>) {
    bits.bit(value.is_some());
    if let Some(value) = value {
        bits.number(value);
    }
}

/// Reads what [`append_optional`] wrote.
pub(super) fn read_optional(
    bits: &mut BitReader<'_>,
    field: &'static str,
) -> Result<Option<i64>, DecodeError> {
    if !bits.bit(field)? {
        return Ok(None);
    }
    let value = bits.number(field)?;
    not_null(bits, field, value).map(Some)
}

/// The null of SBE is not a value: absence has a bit of its own here.
fn not_null(bits: &BitReader<'_>, field: &'static str, value: i64) -> Result<i64, DecodeError> {
    if value == i64::MIN {
        return Err(bits.error(field, Fault::Reserved));
    }
    Ok(value)
}

/// A time: 4 bits for the power of ten, then the rest.
fn append_nanos(bits: &mut BitWriter<'_>, time: Nanos) {
    let power = (1..POWERS.len())
        .take_while(|power| time.0 != 0 && time.0.is_multiple_of(POWERS[*power].unsigned_abs()))
        .count();
    bits.bits(power as u64, 4);
    bits.wide(time.0 / POWERS[power].unsigned_abs());
}

fn read_nanos(bits: &mut BitReader<'_>, field: &'static str) -> Result<Nanos, DecodeError> {
    let power = bits.power(field)?.unsigned_abs();
    let value = bits.wide(field)?.checked_mul(power);
    value
        .map(Nanos)
        .ok_or_else(|| bits.error(field, Fault::TooLarge))
}

/// Reads a wide number of at most 32 bits.
pub(super) fn read_u32(bits: &mut BitReader<'_>, field: &'static str) -> Result<u32, DecodeError> {
    let value = bits.wide(field)?;
    u32::try_from(value).map_err(|_| bits.error(field, Fault::TooLarge))
}
