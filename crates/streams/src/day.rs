use std::collections::VecDeque;

use market::{Nanos, Price, Trade};
use wire::Ticker;

use crate::candle::Candle;

/// The length of a bucket, in nanoseconds: the step in which the window moves. With five minutes, a
/// day has 288 buckets of 96 bytes: 27 KiB for an instrument that never stops trading.
const BUCKET: u64 = 300_000_000_000;
/// The number of buckets in the window, including the current one.
const BUCKETS: u64 = 288;

/// The trades of the last 24 hours.
///
/// Time is that of the trades, so the statistics are a function of the log alone: they are as of
/// the last trade, and do not change while nobody trades. A trade that comes late counts toward the
/// current bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Day {
    /// The buckets that have trades, oldest first.
    buckets: VecDeque<DayBucket>,
    /// The total of all buckets; its number means nothing.
    total: Option<DayBucket>,
}

/// The trades of five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayBucket {
    /// The bucket's number, counted in five minutes since 1970.
    pub number: u64,
    /// The summary of its trades.
    pub candle: Candle,
    /// The sum of price × size; `None` if it exceeds 128 bits.
    pub notional: Option<i128>,
}

impl Day {
    /// Adds the trades of one record.
    pub(crate) fn add(&mut self, time: Nanos, trades: &[Trade<'_>]) {
        let Some(candle) = Candle::of(trades) else {
            return;
        };
        let mut products = trades
            .iter()
            .map(|trade| i128::from(trade.price.0) * i128::from(trade.size.0));
        let number = time.0 / BUCKET;
        let added = DayBucket {
            number,
            candle,
            notional: products.try_fold(0, i128::checked_add),
        };
        match self.buckets.back_mut() {
            Some(bucket) if bucket.number >= number => bucket.add(&added),
            _ => self.buckets.push_back(added),
        }
        let newest = self.buckets.back().map_or(number, |bucket| bucket.number);
        let oldest = newest.saturating_sub(BUCKETS - 1);
        let mut moved = false;
        while self
            .buckets
            .pop_front_if(|bucket| bucket.number < oldest)
            .is_some()
        {
            moved = true;
        }
        if moved {
            self.sum_up();
        } else {
            match &mut self.total {
                Some(total) => total.add(&added),
                None => self.total = Some(added),
            }
        }
    }

    pub(crate) fn save(&self) -> Vec<DayBucket> {
        self.buckets.iter().copied().collect()
    }

    pub(crate) fn restored(saved: &[DayBucket]) -> Self {
        let mut day = Self {
            buckets: saved.iter().copied().collect(),
            total: None,
        };
        day.sum_up();
        day
    }

    fn sum_up(&mut self) {
        let all = self.buckets.iter().copied();
        self.total = all.reduce(|mut total, bucket| {
            total.add(&bucket);
            total
        });
    }

    /// The statistics; all null if there are no trades.
    pub(crate) fn ticker(&self) -> Ticker {
        let candle = self.total.map(|total| total.candle);
        Ticker {
            open: candle.map(|candle| candle.open),
            high: candle.map(|candle| candle.high),
            low: candle.map(|candle| candle.low),
            last: candle.map(|candle| candle.close),
            volume: candle.and_then(|candle| candle.size()),
            vwap: self.total.and_then(|total| total.mean()),
            change: candle.and_then(|candle| candle.close.0.checked_sub(candle.open.0).map(Price)),
            trades: candle.map_or(0, |candle| candle.trades),
        }
    }

    /// The allocated memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.buckets.capacity() * size_of::<DayBucket>()
    }
}

impl DayBucket {
    fn add(&mut self, later: &Self) {
        self.candle.add(&later.candle);
        let (mine, its) = (self.notional, later.notional);
        self.notional = mine.zip(its).and_then(|(mine, its)| mine.checked_add(its));
    }

    /// The mean price weighted by size, rounded to the nearest mantissa, halves up.
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
                (0u64..3 * BUCKET, proptest::collection::vec((-50i64..50, 0i64..9), 1..4), 0u64..60), 1..80,
            ),
        ) {
            let mut day = Day::default();
            let (mut clock, mut all) = (1_000 * BUCKET, Vec::<(u64, i64, i64)>::new());
            for (step, trades, leap) in records {
                // Now and then hours go by, and sometimes a trade comes late.
                clock += step + if leap == 0 { 200 * BUCKET } else { 0 };
                let time = if leap == 1 { clock - BUCKET } else { clock };
                let made: Vec<_> = trades.iter().map(|(price, size)| trade(*price, *size)).collect();
                day.add(Nanos(time), &made);
                let bucket = all.last().map_or(0, |(bucket, ..)| *bucket).max(time / BUCKET);
                all.extend(trades.iter().map(|(price, size)| (bucket, *price, *size)));
                let window: Vec<_> = all.iter().filter(|(its, ..)| *its + BUCKETS > bucket).collect();
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
                prop_assert!(day.buckets.len() as u64 <= BUCKETS);
            }
        }
    }

    #[test]
    fn what_no_mantissa_holds_is_null_and_not_wrong() {
        let mut day = Day::default();
        day.add(
            Nanos(0),
            &[trade(i64::MIN, i64::MAX), trade(i64::MAX, i64::MAX)],
        );
        let ticker = day.ticker();
        assert_eq!((ticker.volume, ticker.change), (None, None));
        assert_eq!(ticker.vwap, Some(Price(0)), "-0.5 rounded up");
        for _ in 0..4 {
            day.add(Nanos(0), &[trade(i64::MAX, i64::MAX)]);
        }
        assert_eq!(day.ticker().vwap, None, "the sum is beyond 128 bits");
        assert_eq!(day.ticker().high, Some(Price(i64::MAX)));
        day.add(Nanos(BUCKET * BUCKETS), &[trade(3, 2)]);
        assert_eq!(
            day.ticker().vwap,
            Some(Price(3)),
            "what left the window spoils nothing"
        );
    }
}
