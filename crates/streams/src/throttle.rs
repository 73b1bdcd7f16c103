use std::collections::VecDeque;

use market::{Channel, Handle, Monotonic};
use wire::{Speed, ViewParams};

/// Limits how often a stream publishes: once per update interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttle {
    speed: Speed,
    /// Distinguishes the stream from an earlier one with the same parameters.
    serial: u64,
    /// Whether the stream has published and its interval is not over.
    is_waiting: bool,
}

/// The streams that have published, each until its interval is over.
#[derive(Debug, Default)]
pub(crate) struct Throttles {
    /// By speed, soonest first: all streams in one queue wait equally long.
    queues: [VecDeque<ThrottledStream>; Speed::ALL.len()],
    serial: u64,
}

/// A stream that waits for the end of its interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThrottledStream {
    until: Monotonic,
    serial: u64,
    pub(crate) handle: Handle,
    pub(crate) channel: Channel,
    pub(crate) params: ViewParams,
}

impl Throttle {
    /// Returns whether the stream may publish now.
    pub(crate) const fn is_open(&self) -> bool {
        !self.is_waiting
    }

    /// Returns whether this is the throttle of that stream.
    pub(crate) const fn is_of(&self, stream: &ThrottledStream) -> bool {
        self.serial == stream.serial
    }

    /// Lets the stream publish again, because its interval is over.
    pub(crate) const fn release(&mut self) {
        self.is_waiting = false;
    }
}

impl Throttles {
    /// Creates the throttle of a new stream.
    pub(crate) const fn start(&mut self, speed: Speed) -> Throttle {
        self.serial += 1;
        Throttle {
            speed,
            serial: self.serial,
            is_waiting: false,
        }
    }

    /// Starts the interval of a stream that publishes now. If it is waiting already, but has to
    /// publish nevertheless, its interval ends as planned.
    pub(crate) fn published(
        &mut self,
        throttle: &mut Throttle,
        (handle, channel, params): (Handle, Channel, ViewParams),
        now: Monotonic,
    ) {
        let Some(interval) = throttle.speed.interval() else {
            return;
        };
        if std::mem::replace(&mut throttle.is_waiting, true) {
            return;
        }
        self.queues[throttle.speed.code() as usize].push_back(ThrottledStream {
            until: now + interval,
            serial: throttle.serial,
            handle,
            channel,
            params,
        });
    }

    /// Takes the next stream whose interval is over.
    pub(crate) fn next(&mut self, now: Monotonic) -> Option<ThrottledStream> {
        let mut queues = self.queues.iter_mut();
        queues.find_map(|queue| queue.pop_front_if(|stream| stream.until <= now))
    }

    /// When the next interval is over.
    pub(crate) fn next_due(&self) -> Option<Monotonic> {
        let first = self.queues.iter().filter_map(VecDeque::front);
        first.map(|stream| stream.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_stream_speaks_at_once_and_then_at_most_once_an_interval() {
        let mut throttles = Throttles::default();
        let what = (Handle(7), Channel::Book, ViewParams::default());
        let mut fast = throttles.start(Speed::Ms10);
        let mut slow = throttles.start(Speed::S1);
        let mut raw = throttles.start(Speed::Raw);
        for throttle in [&mut fast, &mut slow, &mut raw] {
            assert!(throttle.is_open());
            throttles.published(throttle, what, Monotonic(0));
        }
        assert!(raw.is_open() && !fast.is_open() && !slow.is_open());
        assert_eq!(throttles.next_due(), Some(Monotonic(10 * MS)));
        assert_eq!(throttles.next(Monotonic(10 * MS - 1)), None);
        let due = throttles.next(Monotonic(10 * MS)).unwrap();
        assert!(fast.is_of(&due) && !slow.is_of(&due));
        fast.release();
        assert!(fast.is_open());
        assert_eq!(throttles.next_due(), Some(Monotonic(1_000 * MS)));
    }

    #[test]
    fn who_must_speak_while_it_rests_is_due_no_later_and_once() {
        let mut throttles = Throttles::default();
        let what = (Handle(7), Channel::Book, ViewParams::default());
        let mut throttle = throttles.start(Speed::Ms100);
        throttles.published(&mut throttle, what, Monotonic(0));
        throttles.published(&mut throttle, what, Monotonic(60 * MS));
        assert!(throttles.next(Monotonic(100 * MS)).is_some());
        assert!(throttles.next(Monotonic(1_000 * MS)).is_none());
    }
}
