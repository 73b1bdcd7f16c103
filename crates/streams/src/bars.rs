use std::collections::VecDeque;

use market::{Nanos, Seq, Size};
use wire::{Bar, BarInterval};

use crate::candle::Candle;
use crate::checkpoint::SavedBars;

/// How many bars of an interval are kept after they were closed, for those who begin or come back:
/// 15 intervals of 30 bars of 96 bytes are 42 KiB an instrument.
const KEPT: usize = 30;

/// The bars of one interval: the running one, and the last ones that were closed.
///
/// Time is that of the trades, and a bar is closed by the first trade behind it: so bars are a
/// function of the log alone. A trade that comes late counts to the running bar, and an interval
/// without a trade has no bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bars {
    interval: BarInterval,
    running: Option<OneBar>,
    closed: VecDeque<ClosedBar>,
    /// The record that closed the last bar that is not kept any more.
    forgotten: Seq,
}

/// A bar, closed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneBar {
    /// When it began, a multiple of its interval.
    pub open_time: Nanos,
    /// Its trades.
    pub candle: Candle,
}

/// A bar to which nothing is added any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedBar {
    /// The bar.
    pub bar: OneBar,
    /// The record that closed it.
    pub by: Seq,
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

    /// Adds what the record at `seq` traded; whether it closed a bar.
    pub(crate) fn take(&mut self, time: Nanos, candle: &Candle, seq: Seq) -> bool {
        let long = u64::from(self.interval.seconds()) * 1_000_000_000;
        let open_time = Nanos(time.0 - time.0 % long);
        match &mut self.running {
            Some(running) if running.open_time >= open_time => {
                running.candle.add(candle);
                return false;
            }
            _ => {}
        }
        let next = OneBar {
            open_time,
            candle: *candle,
        };
        let Some(bar) = self.running.replace(next) else {
            return false;
        };
        if self.closed.len() >= KEPT
            && let Some(oldest) = self.closed.pop_front()
        {
            self.forgotten = oldest.by;
        }
        self.closed.push_back(ClosedBar { bar, by: seq });
        true
    }

    /// The running bar.
    pub(crate) const fn running(&self) -> Option<OneBar> {
        self.running
    }

    /// The bar that was closed last.
    pub(crate) fn last_closed(&self) -> Option<Bar> {
        self.closed.back().map(|one| self.told(&one.bar, true))
    }

    /// Those that were closed behind `seq` and are kept, oldest first.
    pub(crate) fn closed_since(&self, seq: Seq) -> impl Iterator<Item = Bar> {
        let first = self.closed.partition_point(|one| one.by <= seq);
        let closed = self.closed.range(first..);
        closed.map(|one| self.told(&one.bar, true))
    }

    /// The record up to which closed bars are not kept any more.
    pub(crate) const fn forgotten(&self) -> Seq {
        self.forgotten
    }

    /// A bar that runs, as it is told.
    pub(crate) fn told_running(&self, bar: &OneBar) -> Bar {
        self.told(bar, false)
    }

    fn told(&self, OneBar { open_time, candle }: &OneBar, closed: bool) -> Bar {
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

    /// What it knows.
    pub(crate) fn save(&self) -> SavedBars {
        SavedBars {
            interval: self.interval,
            forgotten: self.forgotten,
            closed: self.closed.iter().copied().collect(),
            running: self.running,
        }
    }

    /// The bars that were saved.
    pub(crate) fn restored(saved: &SavedBars) -> Self {
        Self {
            interval: saved.interval,
            running: saved.running,
            closed: saved.closed.iter().copied().collect(),
            forgotten: saved.forgotten,
        }
    }

    /// Bytes that it holds.
    pub(crate) fn size(&self) -> usize {
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
            let (mut clock, mut all, mut told) = (0, Vec::new(), Vec::new());
            for (seq, (step, price, size)) in (0..).zip(&trades) {
                clock += step;
                let number = clock / (u64::from(interval.seconds()) * SECOND);
                all.push((number, *price, *size));
                if bars.take(Nanos(clock), &candle(*price, *size), Seq(seq)) {
                    told.push(bars.last_closed().unwrap());
                }
                prop_assert!(bars.closed.len() <= KEPT);
            }
            told.extend(bars.running().map(|bar| bars.told_running(&bar)));
            let mut expected: Vec<Vec<(u64, i64, i64)>> = Vec::new();
            for one in all {
                match expected.last_mut() {
                    Some(bar) if bar[0].0 == one.0 => bar.push(one),
                    _ => expected.push(vec![one]),
                }
            }
            prop_assert_eq!(told.len(), expected.len());
            for (index, (bar, trades)) in told.iter().zip(&expected).enumerate() {
                let prices = || trades.iter().map(|trade| Price(trade.1));
                prop_assert_eq!(bar.open_time.0, trades[0].0 * u64::from(interval.seconds()) * SECOND);
                prop_assert_eq!((Some(bar.open), Some(bar.close)), (prices().next(), prices().next_back()));
                prop_assert_eq!((Some(bar.high), Some(bar.low)), (prices().max(), prices().min()));
                prop_assert_eq!(bar.volume.0, trades.iter().map(|trade| trade.2).sum::<i64>());
                prop_assert_eq!(bar.closed, index + 1 < expected.len());
            }
            let kept: Vec<_> = bars.closed_since(bars.forgotten()).collect();
            let from = told.len() - 1 - kept.len();
            prop_assert_eq!(&kept[..], &told[from..told.len() - 1]);
        }
    }

    #[test]
    fn a_late_trade_counts_to_the_running_bar() {
        let mut bars = Bars::new(BarInterval::S1);
        assert!(!bars.take(Nanos(5 * SECOND), &candle(1, 1), Seq(0)));
        assert!(!bars.take(Nanos(4 * SECOND), &candle(9, 1), Seq(1)));
        assert!(bars.take(Nanos(7 * SECOND), &candle(2, 1), Seq(2)));
        let closed = bars.last_closed().unwrap();
        assert_eq!(
            (closed.open_time, closed.high),
            (Nanos(5 * SECOND), Price(9))
        );
    }
}
