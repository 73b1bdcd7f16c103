//! The encoding of an instrument's bars. There are hundreds of them, so each is encoded by its
//! differences from the one before, as numbers of variable length.

use market::{Nanos, Price, Seq};
use wire::BarInterval;

use super::fields::{put_count, put_stamp, stamp};
use super::reader::Reader;
use super::{BarsPart, CheckpointError};
use crate::bars::{ClosedBar, SavedBars, TimedCandle};
use crate::candle::Candle;

/// In nanoseconds.
const SECOND: u64 = 1_000_000_000;
/// The size of a closed bar whose numbers take a byte each.
const LEAST_BAR: usize = 8;
/// The size of an interval without bars.
const LEAST_INTERVAL: usize = 4 + 8 + 4 + 1;

/// What the next bar is encoded relative to.
#[derive(Clone, Copy)]
struct Previous {
    number: u64,
    close: Price,
    by: Seq,
}

impl Previous {
    const NOTHING: Self = Self {
        number: 0,
        close: Price(0),
        by: Seq(0),
    };
}

pub(super) fn put(out: &mut Vec<u8>, part: &BarsPart) {
    put_stamp(out, &part.at);
    put_count(out, part.intervals.len());
    for bars in &part.intervals {
        let seconds = bars.interval.seconds();
        out.extend_from_slice(&seconds.to_le_bytes());
        out.extend_from_slice(&bars.forgotten.0.to_le_bytes());
        put_count(out, bars.closed.len());
        let mut before = Previous::NOTHING;
        for closed in &bars.closed {
            before = put_bar(out, seconds, &closed.bar, before);
            put_signed(
                out,
                i128::from(closed.closed_by.0.wrapping_sub(before.by.0)),
            );
            before.by = closed.closed_by;
        }
        out.push(u8::from(bars.running.is_some()));
        if let Some(running) = &bars.running {
            put_bar(out, seconds, running, before);
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<BarsPart, CheckpointError> {
    let at = stamp(reader)?;
    let mut intervals = Vec::new();
    for _ in 0..reader.count(LEAST_INTERVAL)? {
        let seconds = reader.u32()?;
        let mut all = BarInterval::ALL.into_iter();
        let interval = all
            .find(|interval| interval.seconds() == seconds)
            .ok_or(CheckpointError::Value("interval"))?;
        let forgotten = Seq(reader.i64()?);
        let mut before = Previous::NOTHING;
        let mut closed = Vec::new();
        for _ in 0..reader.count(LEAST_BAR)? {
            let bar = bar(reader, seconds, &mut before)?;
            let by = before
                .by
                .0
                .wrapping_add(difference(reader, "bar closed by")?);
            before.by = Seq(by);
            closed.push(ClosedBar {
                bar,
                closed_by: Seq(by),
            });
        }
        let running = reader.option("running bar", |reader| bar(reader, seconds, &mut before))?;
        intervals.push(SavedBars {
            interval,
            forgotten,
            closed,
            running,
        });
    }
    Ok(BarsPart { at, intervals })
}

fn put_bar(out: &mut Vec<u8>, seconds: u32, bar: &TimedCandle, before: Previous) -> Previous {
    let number = bar.open_time.0 / (u64::from(seconds) * SECOND);
    let candle = &bar.candle;
    put_varint(out, u128::from(number.wrapping_sub(before.number)));
    for (price, against) in [
        (candle.open, before.close),
        (candle.high, candle.open),
        (candle.low, candle.open),
        (candle.close, candle.open),
    ] {
        put_signed(out, i128::from(price.0.wrapping_sub(against.0)));
    }
    put_signed(out, candle.volume);
    put_varint(out, u128::from(candle.trades));
    Previous {
        number,
        close: candle.close,
        ..before
    }
}

fn bar(
    reader: &mut Reader<'_>,
    seconds: u32,
    before: &mut Previous,
) -> Result<TimedCandle, CheckpointError> {
    const WRONG: CheckpointError = CheckpointError::Value("time of a bar");
    let step = u64::try_from(reader.varint("time of a bar")?).map_err(|_| WRONG)?;
    let number = before.number.wrapping_add(step);
    let open_time = number
        .checked_mul(u64::from(seconds) * SECOND)
        .ok_or(WRONG)?;
    let mut price = |against: Price| {
        let difference = difference(reader, "price of a bar")?;
        Ok(Price(against.0.wrapping_add(difference)))
    };
    let open = price(before.close)?;
    let (high, low, close) = (price(open)?, price(open)?, price(open)?);
    let volume = signed(reader.varint("volume of a bar")?);
    let trades = u32::try_from(reader.varint("trades of a bar")?)
        .map_err(|_| CheckpointError::Value("trades of a bar"))?;
    (before.number, before.close) = (number, close);
    Ok(TimedCandle {
        open_time: Nanos(open_time),
        candle: Candle {
            open,
            high,
            low,
            close,
            volume,
            trades,
        },
    })
}

fn difference(reader: &mut Reader<'_>, field: &'static str) -> Result<i64, CheckpointError> {
    let difference = signed(reader.varint(field)?);
    i64::try_from(difference).map_err(|_| CheckpointError::Value(field))
}

/// Zigzag encoding, in which small numbers of either sign stay small: 0, -1, 1, -2 and so on.
fn put_signed(out: &mut Vec<u8>, value: i128) {
    put_varint(out, ((value << 1) ^ (value >> 127)).cast_unsigned());
}

const fn signed(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Seven bits per byte, lowest first; all bytes but the last have the highest bit set.
fn put_varint(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::SavedStamp;
    use proptest::prelude::*;

    fn one_bar(seconds: u32) -> impl Strategy<Value = TimedCandle> {
        let longest = u64::MAX / (u64::from(seconds) * SECOND);
        let number = prop_oneof![0..100u64, 0..=longest];
        (number, any::<[i64; 4]>(), any::<i128>(), any::<u32>()).prop_map(
            move |(number, prices, volume, trades)| TimedCandle {
                open_time: Nanos(number * u64::from(seconds) * SECOND),
                candle: Candle {
                    open: Price(prices[0]),
                    high: Price(prices[1]),
                    low: Price(prices[2]),
                    close: Price(prices[3]),
                    volume,
                    trades,
                },
            },
        )
    }

    fn saved_bars() -> impl Strategy<Value = SavedBars> {
        prop::sample::select(BarInterval::ALL.to_vec()).prop_flat_map(|interval| {
            let seconds = interval.seconds();
            let closed = (one_bar(seconds), any::<i64>()).prop_map(|(bar, by)| ClosedBar {
                bar,
                closed_by: Seq(by),
            });
            let closed = proptest::collection::vec(closed, 0..5);
            let running = proptest::option::of(one_bar(seconds));
            (any::<i64>(), closed, running).prop_map(move |(forgotten, closed, running)| {
                SavedBars {
                    interval,
                    forgotten: Seq(forgotten),
                    closed,
                    running,
                }
            })
        })
    }

    proptest! {
        #[test]
        fn whatever_bars_there_are_are_read_as_they_were_written(
            intervals in proptest::collection::vec(saved_bars(), 0..4),
        ) {
            let at = SavedStamp { seq: Seq(-1), event_time: None, log_time: Nanos(7) };
            let part = BarsPart { at, intervals };
            let mut bytes = Vec::new();
            put(&mut bytes, &part);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(read(&mut reader).unwrap(), part);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn numbers_that_no_one_wrote_are_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _error = read(&mut Reader::new(&bytes));
            let mut endless = vec![0xff; 19];
            endless.push(1);
            prop_assert!(Reader::new(&endless).varint("a number").is_err());
        }
    }
}
