//! The trades of a record.

use market::{Aggressor, Price, Size, Trade};

use super::bits::{BitReader, BitWriter};
use super::codes::{unzigzag, zigzag};
use super::golomb_order::GolombOrder;
use super::levels::{COUNT_ORDER, count, order};
use super::power::{POWERS, shared_power};
use crate::OwnedTrade;
use crate::codes::Code;
use crate::sbe::{DecodeError, Fault, MAX_TRADES, TradeEntries};

/// Prices and ids are below this, so that no difference overflows a code.
const MAX_VALUE: u64 = 1 << 61;

pub(super) fn append(bits: &mut BitWriter<'_>, trades: TradeEntries<'_>) {
    bits.golomb(trades.len() as u64, COUNT_ORDER);
    if trades.len() == 0 {
        return;
    }
    let is_regular = trades
        .into_iter()
        .all(|trade| trade.price.0.unsigned_abs() < MAX_VALUE && trade.size.0 >= 0);
    let has_numbers = trades.into_iter().all(|trade| number(trade.id).is_some());
    bits.bit(!is_regular);
    bits.bit(!has_numbers);
    let mut scale = is_regular.then(|| Scale::of(trades));
    if let Some(scale) = &scale {
        bits.bits(scale.step_power as u64, 4);
        bits.bits(scale.lot_power as u64, 4);
        bits.bits(u64::from(scale.prices), 6);
        bits.bits(u64::from(scale.sizes), 6);
    }
    let mut id_before = None;
    for trade in trades {
        match &mut scale {
            Some(scale) => scale.append(bits, &trade),
            None => {
                bits.bits(trade.price.0.cast_unsigned(), 64);
                bits.bits(trade.size.0.cast_unsigned(), 64);
            }
        }
        bits.bits(u64::from(trade.side.code()), 2);
        if !has_numbers {
            bits.text(trade.id);
            continue;
        }
        let id = number(trade.id).unwrap_or_default();
        match id_before {
            None => bits.wide(id.unsigned_abs()),
            Some(before) => bits.golomb(zigzag(id - before - 1), 0),
        }
        id_before = Some(id);
    }
}

/// The number that an id is, if it is written in the usual way.
fn number(id: &str) -> Option<i64> {
    let is_canonical =
        id.bytes().all(|byte| byte.is_ascii_digit()) && (id.len() == 1 || !id.starts_with('0'));
    let number: i64 = is_canonical.then(|| id.parse().ok())??;
    (number.unsigned_abs() < MAX_VALUE).then_some(number)
}

/// How the prices and sizes of regular trades are written.
struct Scale {
    step_power: usize,
    lot_power: usize,
    prices: u32,
    sizes: u32,
    /// The price of the previous trade, in steps.
    before: Option<i64>,
}

impl Scale {
    fn of(trades: TradeEntries<'_>) -> Self {
        let step_power = shared_power(trades.into_iter().map(|trade| trade.price.0));
        let lot_power = shared_power(trades.into_iter().map(|trade| trade.size.0));
        let (mut prices, mut sizes) = (GolombOrder::new(), GolombOrder::new());
        let mut before = None;
        for trade in trades {
            let price = trade.price.0 / POWERS[step_power];
            if let Some(before) = before {
                prices.add(zigzag(price - before));
            }
            before = Some(price);
            sizes.add((trade.size.0 / POWERS[lot_power]).unsigned_abs());
        }
        Self {
            step_power,
            lot_power,
            prices: prices.best(),
            sizes: sizes.best(),
            before: None,
        }
    }

    fn append(&mut self, bits: &mut BitWriter<'_>, trade: &Trade<'_>) {
        let price = trade.price.0 / POWERS[self.step_power];
        match self.before {
            None => bits.wide(zigzag(price)),
            Some(before) => bits.golomb(zigzag(price - before), self.prices),
        }
        self.before = Some(price);
        let lots = trade.size.0 / POWERS[self.lot_power];
        bits.golomb(lots.unsigned_abs(), self.sizes);
    }
}

/// Reads the trades. An unknown side, or an id that is not UTF-8, is reported after all are read, so that the
/// offset of the next message is known.
pub(super) fn read(
    bits: &mut BitReader<'_>,
    wrong: &mut Option<DecodeError>,
) -> Result<Vec<OwnedTrade>, DecodeError> {
    let count = count(bits, "trades", MAX_TRADES)?;
    let mut trades = Vec::new();
    if count == 0 {
        return Ok(trades);
    }
    let is_regular = !bits.bit("trades")?;
    let has_numbers = !bits.bit("trades")?;
    let mut rule = if is_regular {
        Some(Rule {
            step: bits.power("price")?,
            lot: bits.power("size")?,
            prices: order(bits, "price")?,
            sizes: order(bits, "size")?,
            before: None,
        })
    } else {
        None
    };
    let mut id_before = None;
    for _ in 0..count {
        let (price, size) = match &mut rule {
            Some(rule) => rule.read(bits)?,
            None => (
                bits.bits("price", 64)?.cast_signed(),
                bits.bits("size", 64)?.cast_signed(),
            ),
        };
        let at = bits.error("side", Fault::Reserved);
        let code = bits.bits("side", 2)?.to_le_bytes()[0];
        let side = Aggressor::from_code(code).unwrap_or_else(|| {
            let fault = Fault::UnknownValue(code);
            wrong.get_or_insert(DecodeError { fault, ..at });
            Aggressor::default()
        });
        let id = if has_numbers {
            read_number(bits, &mut id_before)?.to_string()
        } else {
            let at = bits.error("tradeId", Fault::NotUtf8);
            String::from_utf8(bits.text("tradeId")?).unwrap_or_else(|_| {
                wrong.get_or_insert(at);
                String::new()
            })
        };
        trades.push(OwnedTrade {
            price: Price(price),
            size: Size(size),
            side,
            id,
        });
    }
    Ok(trades)
}

fn read_number(bits: &mut BitReader<'_>, before: &mut Option<i64>) -> Result<i64, DecodeError> {
    let id = match *before {
        None => i64::try_from(bits.wide("tradeId")?).ok(),
        Some(before) => unzigzag(bits.golomb("tradeId", 0)?)
            .checked_add(1)
            .and_then(|more| before.checked_add(more)),
    };
    let id = id
        .filter(|id| *id >= 0)
        .ok_or_else(|| bits.error("tradeId", Fault::TooLarge))?;
    *before = Some(id);
    Ok(id)
}

/// How the prices and sizes of regular trades are read.
struct Rule {
    step: i64,
    lot: i64,
    prices: u32,
    sizes: u32,
    before: Option<i64>,
}

impl Rule {
    fn read(&mut self, bits: &mut BitReader<'_>) -> Result<(i64, i64), DecodeError> {
        let price = match self.before {
            None => Some(unzigzag(bits.wide("price")?)),
            Some(before) => unzigzag(bits.golomb("price", self.prices)?).checked_add(before),
        };
        let mantissa = price.and_then(|price| price.checked_mul(self.step));
        let mantissa = mantissa.ok_or_else(|| bits.error("price", Fault::TooLarge))?;
        self.before = price;
        let lots = i64::try_from(bits.golomb("size", self.sizes)?).ok();
        let size = lots.and_then(|lots| lots.checked_mul(self.lot));
        let size = size.ok_or_else(|| bits.error("size", Fault::TooLarge))?;
        Ok((mantissa, size))
    }
}
