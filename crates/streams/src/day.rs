use std::collections::VecDeque;

use market::{Nanos, Price, Trade};
use wire::Ticker;

use crate::candle::Candle;
use crate::checkpoint::DayPart;

/// How fine the window moves: with five minutes, a day is 288 parts of 96 bytes, 27 KiB for an
/// instrument that never rests.
const PART: u64 = 300_000_000_000;
/// How many parts the window has, the one that is under way included.
const PARTS: u64 = 288;

/// The trades of the last 24 hours.
///
/// Time is that of the trades, so that the statistics are a function of the log alone: they stand
/// as of the last trade, and a quiet market's do not move. A trade that comes late counts to the
/// part that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Day {
    /// Those parts in which there were trades, oldest first.
    parts: VecDeque<Part>,
    /// Over all parts.
    sum: Option<Sum>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    /// Counted from 1970.
    number: u64,
    sum: Sum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sum {
    candle: Candle,
    /// The sum of price × size; none when it is too large for 128 bits.
    notional: Option<i128>,
}

impl Day {
    /// Adds the trades of one record.
    pub(crate) fn take(&mut self, time: Nanos, trades: &[Trade<'_>]) {
        let Some(candle) = Candle::of(trades) else {
            return;
        };
        let mut products = trades
            .iter()
            .map(|trade| i128::from(trade.price.0) * i128::from(trade.size.0));
        let sum = Sum {
            candle,
            notional: products.try_fold(0, i128::checked_add),
        };
        let number = time.0 / PART;
        match self.parts.back_mut() {
            Some(part) if part.number >= number => part.sum.add(&sum),
            _ => self.parts.push_back(Part { number, sum }),
        }
        let newest = self.parts.back().map_or(number, |part| part.number);
        let oldest = newest.saturating_sub(PARTS - 1);
        let mut moved = false;
        while self
            .parts
            .pop_front_if(|part| part.number < oldest)
            .is_some()
        {
            moved = true;
        }
        if moved {
            self.sum_up();
        } else {
            match &mut self.sum {
                Some(all) => all.add(&sum),
                None => self.sum = Some(sum),
            }
        }
    }

    /// Its parts, oldest first.
    pub(crate) fn save(&self) -> Vec<DayPart> {
        let saved = self.parts.iter().map(|part| DayPart {
            number: part.number,
            candle: part.sum.candle,
            notional: part.sum.notional,
        });
        saved.collect()
    }

    /// The window whose parts were saved.
    pub(crate) fn restored(saved: &[DayPart]) -> Self {
        let parts = saved.iter().map(|part| Part {
            number: part.number,
            sum: Sum {
                candle: part.candle,
                notional: part.notional,
            },
        });
        let mut day = Self {
            parts: parts.collect(),
            sum: None,
        };
        day.sum_up();
        day
    }

    fn sum_up(&mut self) {
        self.sum = self.parts.iter().fold(None, |all: Option<Sum>, part| {
            Some(all.map_or(part.sum, |mut all| {
                all.add(&part.sum);
                all
            }))
        });
    }

    /// The statistics; all null where there was no trade.
    pub(crate) fn ticker(&self) -> Ticker {
        let candle = self.sum.map(|sum| sum.candle);
        Ticker {
            open: candle.map(|candle| candle.open),
            high: candle.map(|candle| candle.high),
            low: candle.map(|candle| candle.low),
            last: candle.map(|candle| candle.close),
            volume: candle.and_then(|candle| candle.size()),
            vwap: self.sum.and_then(|sum| sum.mean()),
            change: candle.and_then(|candle| candle.close.0.checked_sub(candle.open.0).map(Price)),
            trades: candle.map_or(0, |candle| candle.trades),
        }
    }

    /// Bytes that it holds.
    pub(crate) fn size(&self) -> usize {
        self.parts.capacity() * size_of::<Part>()
    }
}

impl Sum {
    fn add(&mut self, later: &Self) {
        self.candle.add(&later.candle);
        let (mine, its) = (self.notional, later.notional);
        self.notional = mine.zip(its).and_then(|(mine, its)| mine.checked_add(its));
    }

    /// The mean price weighted by size, to the nearest mantissa, halves up.
    fn mean(&self) -> Option<Price> {
        let (notional, volume) = (self.notional?, self.candle.volume);
        if volume <= 0 {
            return None;
        }
        let (mean, rest) = (notional.div_euclid(volume), notional.rem_euclid(volume));
        let mean = mean + i128::from(rest >= volume - rest);
        i64::try_from(mean).ok().map(Price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Aggressor, Size};
    use proptest::prelude::*;

    fn trade(price: i64, size: i64) -> Trade<'static> {
        Trade {
            price: Price(price),
            size: Size(size),
            side: Aggressor::Unknown,
            id: "",
        }
    }

    proptest! {
        #[test]
        fn the_statistics_equal_those_of_all_trades_in_the_window(
            records in proptest::collection::vec(
                (0u64..3 * PART, proptest::collection::vec((-50i64..50, 0i64..9), 1..4), 0u64..60), 1..80,
            ),
        ) {
            let mut day = Day::default();
            let (mut clock, mut all) = (1_000 * PART, Vec::<(u64, i64, i64)>::new());
            for (step, trades, leap) in records {
                // Now and then hours go by, and sometimes a trade comes late.
                clock += step + if leap == 0 { 200 * PART } else { 0 };
                let time = if leap == 1 { clock - PART } else { clock };
                let said: Vec<_> = trades.iter().map(|(price, size)| trade(*price, *size)).collect();
                day.take(Nanos(time), &said);
                let part = all.last().map_or(0, |(part, ..)| *part).max(time / PART);
                all.extend(trades.iter().map(|(price, size)| (part, *price, *size)));
                let window: Vec<_> = all.iter().filter(|(its, ..)| *its + PARTS > part).collect();
                let ticker = day.ticker();
                let prices = || window.iter().map(|(_, price, _)| *price);
                prop_assert_eq!(ticker.open, prices().next().map(Price));
                prop_assert_eq!(ticker.last, prices().next_back().map(Price));
                prop_assert_eq!(ticker.high, prices().max().map(Price));
                prop_assert_eq!(ticker.low, prices().min().map(Price));
                prop_assert_eq!(u64::from(ticker.trades), window.len() as u64);
                let volume: i64 = window.iter().map(|(.., size)| size).sum();
                let notional: i64 = window.iter().map(|(_, price, size)| price * size).sum();
                prop_assert_eq!(ticker.volume, Some(Size(volume)));
                let mean = (volume > 0).then(|| Price((2 * notional + volume).div_euclid(2 * volume)));
                prop_assert_eq!(ticker.vwap, mean);
                prop_assert!(day.parts.len() as u64 <= PARTS);
            }
        }
    }

    #[test]
    fn what_no_mantissa_holds_is_null_and_not_wrong() {
        let mut day = Day::default();
        day.take(
            Nanos(0),
            &[trade(i64::MIN, i64::MAX), trade(i64::MAX, i64::MAX)],
        );
        let ticker = day.ticker();
        assert_eq!((ticker.volume, ticker.change), (None, None));
        assert_eq!(ticker.vwap, Some(Price(0)), "-0.5 rounded up");
        for _ in 0..4 {
            day.take(Nanos(0), &[trade(i64::MAX, i64::MAX)]);
        }
        assert_eq!(day.ticker().vwap, None, "the sum is beyond 128 bits");
        assert_eq!(day.ticker().high, Some(Price(i64::MAX)));
        day.take(Nanos(PART * PARTS), &[trade(3, 2)]);
        assert_eq!(
            day.ticker().vwap,
            Some(Price(3)),
            "what left the window spoils nothing"
        );
    }
}
