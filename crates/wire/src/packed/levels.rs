//! The two sides of a book message.

use market::Level;

use super::bits::{BitReader, BitWriter};
use super::codes::{bit_length, unzigzag, zigzag};
use super::golomb_order::GolombOrder;
use super::power::{POWERS, power_of_ten, shared_power};
use crate::sbe::{DecodeError, Fault};

/// Prices and their differences are below this, so that no code overflows; others are written raw.
const MAX_PRICE: u64 = 1 << 61;

/// The largest power of ten of prices that is written.
const MAX_PRICE_POWER: usize = 14;
/// Instead of the power of prices: the levels are raw.
const RAW: u64 = 15;
/// The order of the code for the number of levels.
pub(super) const COUNT_ORDER: u32 = 1;

/// A level to be written: the distance of its price from the one before, in steps, and its size in lots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packed {
    gap: u64,
    lots: u64,
}

/// Bids and asks, best first.
type Sides = (Vec<Level>, Vec<Level>);

/// Appends the two sides of a book. `scratch` is reused memory.
pub(super) fn append<I>(bits: &mut BitWriter<'_>, scratch: &mut Vec<Packed>, bids: I, asks: I)
where
    I: ExactSizeIterator<Item = Level> + Clone,
{
    bits.golomb(bids.len() as u64, COUNT_ORDER);
    bits.golomb(asks.len() as u64, COUNT_ORDER);
    if bids.len() + asks.len() == 0 {
        return;
    }
    let is_regular = is_sorted(bids.clone(), true) && is_sorted(asks.clone(), false);
    if !is_regular {
        bits.bits(RAW, 4);
        for level in bids.chain(asks) {
            bits.bits(level.price.0.cast_unsigned(), 64);
            bits.bits(level.size.0.cast_unsigned(), 64);
        }
        return;
    }
    let all = || bids.clone().chain(asks.clone());
    let price_power = shared_power(all().map(|level| level.price.0)).min(MAX_PRICE_POWER);
    let size_power = shared_power(all().map(|level| level.size.0));
    let (step, lot) = (POWERS[price_power], POWERS[size_power]);
    let mut base = None;
    scratch.clear();
    measure(scratch, &mut base, bids.clone(), (step, lot));
    measure(scratch, &mut base, asks, (step, lot));
    let deletes = scratch.iter().any(|level| level.lots == 0);
    let mut lots = GolombOrder::new();
    for level in &*scratch {
        if let Some(more) = level.lots.checked_sub(1) {
            lots.add(more);
        }
    }
    // Half of it is written: the next even order costs hardly more.
    let half = lots.best() / 2;
    let lots = 2 * half;
    let mut gaps = GapOrder::new();
    bits.bits(price_power as u64, 4);
    bits.bits(size_power as u64, 4);
    bits.bit(deletes);
    bits.bits(u64::from(half), 5);
    for (i, level) in scratch.iter().enumerate() {
        if i == 0 {
            bits.wide(level.gap);
        } else {
            bits.golomb(level.gap, gaps.order());
            gaps.follow(level.gap);
        }
        if deletes {
            bits.bit(level.lots != 0);
        }
        if let Some(more) = level.lots.checked_sub(1) {
            bits.golomb(more, lots);
        }
    }
}

/// The order of the next gap's code, which adapts to the gaps before it, a bit at a time.
struct GapOrder(u32);

impl GapOrder {
    const fn new() -> Self {
        Self(3)
    }

    const fn order(&self) -> u32 {
        self.0
    }

    #[inline]
    const fn follow(&mut self, gap: u64) {
        let length = bit_length(gap);
        if length > self.0 + 1 {
            self.0 += 1;
        } else if length < self.0 {
            self.0 -= 1;
        }
    }
}

/// Returns whether each price is worse than the one before, and all prices and sizes are within bounds.
fn is_sorted(levels: impl Iterator<Item = Level>, is_bid: bool) -> bool {
    let mut before: Option<i64> = None;
    for level in levels {
        let price = level.price.0;
        let follows = before.is_none_or(|before| {
            if is_bid {
                price < before
            } else {
                price > before
            }
        });
        if !follows || price.unsigned_abs() >= MAX_PRICE || level.size.0 < 0 {
            return false;
        }
        before = Some(price);
    }
    true
}

/// The first price of all is written as it is, the first one of the other side relative to it, every other one
/// as the number of steps between it and the one before.
fn measure(
    out: &mut Vec<Packed>,
    base: &mut Option<i64>,
    levels: impl Iterator<Item = Level>,
    (step, lot): (i64, i64),
) {
    let mut before = None;
    for level in levels {
        let price = level.price.0 / step;
        let gap = match (before, *base) {
            (Some(before), _) => price.abs_diff(before) - 1,
            (None, Some(base)) => zigzag(price - base),
            (None, None) => zigzag(price),
        };
        base.get_or_insert(price);
        before = Some(price);
        out.push(Packed {
            gap,
            lots: (level.size.0 / lot).unsigned_abs(),
        });
    }
}

/// Reads the two sides of a book; at most `max` levels per side.
pub(super) fn read(bits: &mut BitReader<'_>, max: usize) -> Result<Sides, DecodeError> {
    let (mut bids, mut asks) = Sides::default();
    let bid_count = count(bits, "bids", max)?;
    let ask_count = count(bits, "asks", max)?;
    if bid_count + ask_count == 0 {
        return Ok((bids, asks));
    }
    let power = bits.bits("bids", 4)?;
    if power == RAW {
        read_raw(bits, "bids", bid_count, &mut bids)?;
        read_raw(bits, "asks", ask_count, &mut asks)?;
        return Ok((bids, asks));
    }
    let mut scale = Scale {
        step: power_of_ten(power),
        lot: bits.power("bids")?,
        deletes: bits.bit("bids")?,
        gaps: GapOrder::new(),
        lots: 2 * u32::from(bits.bits("bids", 5)?.to_le_bytes()[0]),
        base: None,
    };
    scale.read_side(bits, "bids", bid_count, -1, &mut bids)?;
    scale.read_side(bits, "asks", ask_count, 1, &mut asks)?;
    Ok((bids, asks))
}

/// The number of entries of a group: at most `max`, as in SBE, so that a short message cannot expand without bound.
pub(super) fn count(
    bits: &mut BitReader<'_>,
    field: &'static str,
    max: usize,
) -> Result<usize, DecodeError> {
    let count = bits.golomb(field, COUNT_ORDER)?;
    usize::try_from(count)
        .ok()
        .filter(|count| *count <= max)
        .ok_or_else(|| bits.error(field, Fault::TooMany { len: count, max }))
}

/// The order of a code, in 6 bits.
pub(super) fn order(bits: &mut BitReader<'_>, field: &'static str) -> Result<u32, DecodeError> {
    Ok(u32::from(bits.bits(field, 6)?.to_le_bytes()[0]))
}

fn read_raw(
    bits: &mut BitReader<'_>,
    field: &'static str,
    count: usize,
    out: &mut Vec<Level>,
) -> Result<(), DecodeError> {
    for _ in 0..count {
        let price = bits.bits(field, 64)?.cast_signed();
        out.push(Level::new(price, bits.bits(field, 64)?.cast_signed()));
    }
    Ok(())
}

/// How the levels of a message are written.
struct Scale {
    step: i64,
    lot: i64,
    deletes: bool,
    gaps: GapOrder,
    lots: u32,
    /// The first price of all, in steps.
    base: Option<i64>,
}

impl Scale {
    fn read_side(
        &mut self,
        bits: &mut BitReader<'_>,
        field: &'static str,
        count: usize,
        direction: i64,
        out: &mut Vec<Level>,
    ) -> Result<(), DecodeError> {
        let mut before = None;
        for _ in 0..count {
            let price = match (before, self.base) {
                (Some(before), _) => signed(self.gap(bits, field)?)
                    .and_then(|gap| gap.checked_add(1)?.checked_mul(direction))
                    .and_then(|gap| gap.checked_add(before)),
                (None, Some(base)) => unzigzag(self.gap(bits, field)?).checked_add(base),
                (None, None) => Some(unzigzag(bits.wide(field)?)),
            };
            let mantissa = price.and_then(|price| price.checked_mul(self.step));
            let (Some(price), Some(mantissa)) = (price, mantissa) else {
                return Err(bits.error(field, Fault::TooLarge));
            };
            self.base.get_or_insert(price);
            before = Some(price);
            let size = self.read_size(bits, field)?;
            out.push(Level::new(mantissa, size));
        }
        Ok(())
    }

    fn gap(&mut self, bits: &mut BitReader<'_>, field: &'static str) -> Result<u64, DecodeError> {
        let gap = bits.golomb(field, self.gaps.order())?;
        self.gaps.follow(gap);
        Ok(gap)
    }

    fn read_size(&self, bits: &mut BitReader<'_>, field: &'static str) -> Result<i64, DecodeError> {
        if self.deletes && !bits.bit(field)? {
            return Ok(0);
        }
        let more = bits.golomb(field, self.lots)?;
        signed(more)
            .and_then(|more| more.checked_add(1)?.checked_mul(self.lot))
            .ok_or_else(|| bits.error(field, Fault::TooLarge))
    }
}

fn signed(value: u64) -> Option<i64> {
    (bit_length(value) < 64).then_some(value.cast_signed())
}
