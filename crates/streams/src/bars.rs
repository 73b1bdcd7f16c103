use std::collections::VecDeque;

use market::{Nanos, Seq, Size};
use wire::{Bar, BarInterval};

use crate::candle::Candle;

/// How many closed bars of an interval are retained, for clients that subscribe or resume: 15
/// intervals of 30 bars of 96 bytes are 42 KiB per instrument.
const KEPT: usize = 30;

/// The bars of one interval: the running one and the latest closed ones.
///
/// Time is that of the trades, and a bar is closed by the first trade after it, so bars are a
/// function of the log alone. A trade that comes late counts toward the running bar, and an
/// interval without trades has no bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bars {
    interval: BarInterval,
    running: Option<TimedCandle>,
    closed: VecDeque<ClosedBar>,
    /// The record that closed the last bar that is no longer retained.
    forgotten: Seq,
}

/// A bar, running or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedCandle {
    /// When its interval starts: a multiple of the interval.
    pub open_time: Nanos,
    /// The summary of its trades.
    pub candle: Candle,
}

/// A closed bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedBar {
    /// The bar.
    pub bar: TimedCandle,
    /// The record that closed it.
    pub closed_by: Seq,
}

/// The bars of one interval, as a checkpoint keeps them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedBars {
    /// The interval.
    pub interval: BarInterval,
    /// The record that closed the last bar that is no longer retained.
    pub forgotten: Seq,
    /// The retained closed bars, oldest first.
    pub closed: Vec<ClosedBar>,
    /// The running bar.
    pub running: Option<TimedCandle>,
}

impl Bars {
    pub(crate) const fn new(interval: BarInterval) -> Self {
        Self {
            interval,
            running: None,
            closed: VecDeque::new(),
            forgotten: Seq::NONE,
        }
    }

    pub(crate) const fn interval(&self) -> BarInterval {
        self.interval
    }

    /// Adds the trades of the record at `seq`. Returns whether they closed a bar.
    pub(crate) fn add(&mut self, time: Nanos, candle: &Candle, seq: Seq) -> bool {
        let length = u64::from(self.interval.seconds()) * 1_000_000_000;
        let open_time = Nanos(time.0 - time.0 % length);
        match &mut self.running {
            Some(running) if running.open_time >= open_time => {
                running.candle.add(candle);
                return false;
            }
            _ => {}
        }
        let next = TimedCandle {
            open_time,
            candle: *candle,
        };
        let Some(bar) = self.running.replace(next) else {
            return false;
        };
        if self.closed.len() >= KEPT
            && let Some(oldest) = self.closed.pop_front()
        {
            self.forgotten = oldest.closed_by;
        }
        self.closed.push_back(ClosedBar {
            bar,
            closed_by: seq,
        });
        true
    }

    pub(crate) const fn running(&self) -> Option<TimedCandle> {
        self.running
    }

    /// The message of the bar that was closed last.
    pub(crate) fn last_closed(&self) -> Option<Bar> {
        let last = self.closed.back();
        last.map(|closed| self.message(&closed.bar, true))
    }

    /// The messages of the retained bars that were closed after `seq`, oldest first.
    pub(crate) fn closed_since(&self, seq: Seq) -> impl Iterator<Item = Bar> {
        let first = self.closed.partition_point(|bar| bar.closed_by <= seq);
        let closed = self.closed.range(first..);
        closed.map(|closed| self.message(&closed.bar, true))
    }

    /// The record up to which closed bars are no longer retained.
    pub(crate) const fn forgotten(&self) -> Seq {
        self.forgotten
    }

    /// The message of a running bar.
    pub(crate) fn running_message(&self, bar: &TimedCandle) -> Bar {
        self.message(bar, false)
    }

    fn message(&self, TimedCandle { open_time, candle }: &TimedCandle, closed: bool) -> Bar {
        Bar {
            interval: self.interval.seconds(),
            open_time: *open_time,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.size().unwrap_or(Size(i64::MAX)),
            trades: candle.trades,
            closed,
        }
    }

    pub(crate) fn save(&self) -> SavedBars {
        SavedBars {
            interval: self.interval,
            forgotten: self.forgotten,
            closed: self.closed.iter().copied().collect(),
            running: self.running,
        }
    }

    pub(crate) fn restored(saved: &SavedBars) -> Self {
        Self {
            interval: saved.interval,
            running: saved.running,
            closed: saved.closed.iter().copied().collect(),
            forgotten: saved.forgotten,
        }
    }

    /// The allocated memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.closed.capacity() * size_of::<ClosedBar>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Aggressor, Price, Trade};
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn candle(price: i64, size: i64) -> Candle {
        let trade = Trade {
            price: Price(price),
            size: Size(size),
            side: Aggressor::Buy,
            id: "",
        };
        Candle::of(&[trade]).unwrap()
    }

    proptest! {
        #[test]
        fn bars_equal_the_trades_of_their_intervals(
            trades in proptest::collection::vec((0u64..4 * SECOND, 1i64..50, 0i64..9), 1..200),
            interval in prop::sample::select(vec![BarInterval::S1, BarInterval::S5, BarInterval::S15]),
        ) {
            let mut bars = Bars::new(interval);
            let (mut clock, mut all, mut sent) = (0, Vec::new(), Vec::new());
            for (seq, (step, price, size)) in (0..).zip(&trades) {
                clock += step;
                let number = clock / (u64::from(interval.seconds()) * SECOND);
                all.push((number, *price, *size));
                if bars.add(Nanos(clock), &candle(*price, *size), Seq(seq)) {
                    sent.push(bars.last_closed().unwrap());
                }
                prop_assert!(bars.closed.len() <= KEPT);
            }
            sent.extend(bars.running().map(|bar| bars.running_message(&bar)));
            let mut expected: Vec<Vec<(u64, i64, i64)>> = Vec::new();
            for one in all {
                match expected.last_mut() {
                    Some(bar) if bar[0].0 == one.0 => bar.push(one),
                    _ => expected.push(vec![one]),
                }
            }
            prop_assert_eq!(sent.len(), expected.len());
            for (index, (bar, trades)) in sent.iter().zip(&expected).enumerate() {
                let prices = || trades.iter().map(|trade| Price(trade.1));
                prop_assert_eq!(bar.open_time.0, trades[0].0 * u64::from(interval.seconds()) * SECOND);
                prop_assert_eq!((Some(bar.open), Some(bar.close)), (prices().next(), prices().next_back()));
                prop_assert_eq!((Some(bar.high), Some(bar.low)), (prices().max(), prices().min()));
                prop_assert_eq!(bar.volume.0, trades.iter().map(|trade| trade.2).sum::<i64>());
                prop_assert_eq!(bar.closed, index + 1 < expected.len());
            }
            let kept: Vec<_> = bars.closed_since(bars.forgotten()).collect();
            let from = sent.len() - 1 - kept.len();
            prop_assert_eq!(&kept[..], &sent[from..sent.len() - 1]);
        }
    }

    #[test]
    fn a_late_trade_counts_to_the_running_bar() {
        let mut bars = Bars::new(BarInterval::S1);
        assert!(!bars.add(Nanos(5 * SECOND), &candle(1, 1), Seq(0)));
        assert!(!bars.add(Nanos(4 * SECOND), &candle(9, 1), Seq(1)));
        assert!(bars.add(Nanos(7 * SECOND), &candle(2, 1), Seq(2)));
        let closed = bars.last_closed().unwrap();
        assert_eq!(
            (closed.open_time, closed.high),
            (Nanos(5 * SECOND), Price(9))
        );
    }
}
