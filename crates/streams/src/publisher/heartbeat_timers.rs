use std::collections::VecDeque;
use std::time::Duration;

use market::Monotonic;

use crate::StreamId;
use crate::deadline::round_up;
use crate::growth::make_room;

/// When to check whether open streams have gone quiet and are due a heartbeat.
///
/// Timers of one kind all run equally long, so each queue stays in order. A busy stream is checked
/// four times per interval, so that its first heartbeat is at most a quarter late; a quiet one only
/// when its next heartbeat is due. Deadlines are rounded up to a 64th of the interval, so that a
/// publisher with a hundred thousand quiet streams is woken 64 times per interval instead of once
/// for each.
#[derive(Debug)]
pub(super) struct HeartbeatTimers {
    interval: Duration,
    quiet: VecDeque<HeartbeatTimer>,
    busy: VecDeque<HeartbeatTimer>,
}

/// The timer of an open stream; `generation` distinguishes it from earlier ones with the same id.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeartbeatTimer {
    due: Monotonic,
    pub(super) stream: StreamId,
    pub(super) generation: u32,
}

impl HeartbeatTimers {
    pub(super) const fn new(interval: Duration) -> Self {
        Self {
            interval,
            quiet: VecDeque::new(),
            busy: VecDeque::new(),
        }
    }

    /// Returns whether a stream whose last message was at `last` has been quiet for an interval.
    pub(super) fn is_quiet(&self, last: Monotonic, now: Monotonic) -> bool {
        now.since(last) >= self.interval
    }

    /// Takes the next timer that is due.
    pub(super) fn next(&mut self, now: Monotonic) -> Option<HeartbeatTimer> {
        let due = |timer: &mut HeartbeatTimer| timer.due <= now;
        let quiet = self.quiet.pop_front_if(due);
        quiet.or_else(|| self.busy.pop_front_if(due))
    }

    /// When the next timer is due.
    pub(super) fn next_due(&self) -> Option<Monotonic> {
        let first = [&self.quiet, &self.busy].map(VecDeque::front);
        first.into_iter().flatten().map(|timer| timer.due).min()
    }

    /// Returns whether the next timer is late by more than an eighth of the interval.
    pub(super) fn is_late(&self, now: Monotonic) -> bool {
        self.next_due()
            .is_some_and(|due| now.since(due) > self.interval / 8)
    }

    /// Starts a stream's next timer.
    pub(super) fn schedule(
        &mut self,
        stream: StreamId,
        generation: u32,
        is_quiet: bool,
        now: Monotonic,
    ) {
        let (queue, after) = if is_quiet {
            (&mut self.quiet, self.interval)
        } else {
            (&mut self.busy, self.interval / 4)
        };
        make_room(queue, 1);
        queue.push_back(HeartbeatTimer {
            due: round_up(now, after, self.interval),
            stream,
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
        fn a_quiet_stream_is_found_in_time_and_checked_no_more_than_that(
            steps in prop::collection::vec(
                (1_u64..300, prop::collection::vec(1_usize..4, 0..3)),
                1..300,
            ),
        ) {
            let mut timers = HeartbeatTimers::new(INTERVAL);
            let mut now = Monotonic(0);
            // The first one never publishes.
            let mut last = [now; 4];
            for stream in 0..4 {
                timers.schedule(StreamId(stream), 0, false, now);
            }
            let (mut checked, mut sent) = (0, 0);
            for (step, publishing) in steps {
                now.0 += step;
                while let Some(timer) = timers.next(now) {
                    let stream = timer.stream.0 as usize;
                    let is_quiet = timers.is_quiet(last[stream], now);
                    timers.schedule(timer.stream, timer.generation, is_quiet, now);
                    checked += u32::from(stream == 0);
                    if is_quiet {
                        prop_assert!(now.since(last[stream]) >= INTERVAL);
                        last[stream] = now;
                        sent += u32::from(stream == 0);
                    }
                }
                for last in last {
                    prop_assert!(now.since(last) <= INTERVAL + INTERVAL / 4 + INTERVAL / 64 * 2);
                }
                for stream in publishing {
                    last[stream] = now;
                }
            }
            // Four checks find that it is quiet; each later one is a heartbeat.
            prop_assert!(checked <= 4 + sent, "{checked} checks for {sent} heartbeats");
        }
    }
}
