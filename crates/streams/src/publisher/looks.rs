use std::collections::VecDeque;
use std::time::Duration;

use market::Monotonic;

use crate::WatchId;
use crate::deadline::round_up;
use crate::growth::make_room;

/// When to look whether watched streams have gone quiet.
///
/// Looks of one kind are all the same time after what led to them, so that each queue stays in
/// order. A stream that speaks is looked at four times an interval, so that its first heartbeat is
/// at most a quarter late; one that is quiet only when its next heartbeat is due. Deadlines are
/// rounded up to a 64th of the interval, so that a publisher with a hundred thousand quiet streams
/// is woken 64 times an interval and not once for each.
#[derive(Debug)]
pub(super) struct Looks {
    interval: Duration,
    at_quiet: VecDeque<Look>,
    at_busy: VecDeque<Look>,
}

/// A look at a watch, told apart from an earlier one with the same id.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    due: Monotonic,
    pub(super) watch: WatchId,
    pub(super) generation: u32,
}

impl Looks {
    pub(super) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            at_quiet: VecDeque::new(),
            at_busy: VecDeque::new(),
        }
    }

    /// Whether a stream that spoke last at `last` has been quiet for an interval.
    pub(super) fn is_quiet(&self, last: Monotonic, now: Monotonic) -> bool {
        now.since(last) >= self.interval
    }

    /// The next look that is due; it is then gone.
    pub(super) fn next(&mut self, now: Monotonic) -> Option<Look> {
        let due = |look: &mut Look| look.due <= now;
        let quiet = self.at_quiet.pop_front_if(due);
        quiet.or_else(|| self.at_busy.pop_front_if(due))
    }

    /// When [`Looks::next`] has a look again.
    pub(super) fn next_due(&self) -> Option<Monotonic> {
        let first = [&self.at_quiet, &self.at_busy].map(VecDeque::front);
        first.into_iter().flatten().map(|look| look.due).min()
    }

    /// Returns whether the next look should have been made an eighth of an interval ago.
    pub(super) fn is_late(&self, now: Monotonic) -> bool {
        self.next_due()
            .is_some_and(|due| now.since(due) > self.interval / 8)
    }

    /// Looks at that watch again.
    pub(super) fn again(
        &mut self,
        watch: WatchId,
        generation: u32,
        is_quiet: bool,
        now: Monotonic,
    ) {
        let (queue, after) = if is_quiet {
            (&mut self.at_quiet, self.interval)
        } else {
            (&mut self.at_busy, self.interval / 4)
        };
        make_room(queue, 1);
        queue.push_back(Look {
            due: round_up(now, after, self.interval),
            watch,
            generation,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INTERVAL: Duration = Duration::from_micros(1);

    proptest! {
        #[test]
        fn a_quiet_stream_is_found_in_time_and_looked_at_no_more_than_that(
            steps in prop::collection::vec(
                (1_u64..300, prop::collection::vec(1_usize..4, 0..3)),
                1..300,
            ),
        ) {
            let mut looks = Looks::new(INTERVAL);
            let mut now = Monotonic(0);
            // The first one never speaks.
            let mut last = [now; 4];
            for watch in 0..4 {
                looks.again(WatchId(watch), 0, false, now);
            }
            let (mut looked, mut told) = (0, 0);
            for (step, speaking) in steps {
                now.0 += step;
                while let Some(look) = looks.next(now) {
                    let stream = look.watch.0 as usize;
                    let is_quiet = looks.is_quiet(last[stream], now);
                    looks.again(look.watch, look.generation, is_quiet, now);
                    looked += u32::from(stream == 0);
                    if is_quiet {
                        prop_assert!(now.since(last[stream]) >= INTERVAL);
                        last[stream] = now;
                        told += u32::from(stream == 0);
                    }
                }
                for last in last {
                    prop_assert!(now.since(last) <= INTERVAL + INTERVAL / 4 + INTERVAL / 64 * 2);
                }
                for stream in speaking {
                    last[stream] = now;
                }
            }
            // Four looks find that it is quiet; each later one is a heartbeat.
            prop_assert!(looked <= 4 + told, "{looked} looks for {told} heartbeats");
        }
    }
}
