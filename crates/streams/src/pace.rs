use std::collections::VecDeque;

use market::{Channel, Handle, Monotonic};
use wire::{Speed, ViewParams};

/// Whether a stream that speaks at most so often may speak now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    speed: Speed,
    /// Tells it from an earlier stream of the same kind.
    serial: u64,
    /// It has spoken, and its interval is not over.
    rests: bool,
}

/// The streams that rest, each until its interval is over.
#[derive(Debug, Default)]
pub(crate) struct Paces {
    /// By speed, soonest first: all that is in one queue rests equally long.
    queues: [VecDeque<Resting>; Speed::ALL.len()],
    serial: u64,
}

/// A stream that spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resting {
    until: Monotonic,
    serial: u64,
    pub(crate) handle: Handle,
    pub(crate) channel: Channel,
    pub(crate) params: ViewParams,
}

impl Pace {
    /// Whether it may speak.
    pub(crate) const fn may_speak(&self) -> bool {
        !self.rests
    }

    /// Whether this is the stream that rested.
    pub(crate) const fn is(&self, resting: &Resting) -> bool {
        self.serial == resting.serial
    }

    /// Its interval is over.
    pub(crate) const fn wake(&mut self) {
        self.rests = false;
    }
}

impl Paces {
    /// The pace of a new stream.
    pub(crate) const fn begin(&mut self, speed: Speed) -> Pace {
        self.serial += 1;
        Pace {
            speed,
            serial: self.serial,
            rests: false,
        }
    }

    /// The stream speaks now. One that rests already, and speaks since it must, rests no longer
    /// for that.
    pub(crate) fn speaks(
        &mut self,
        pace: &mut Pace,
        (handle, channel, params): (Handle, Channel, ViewParams),
        now: Monotonic,
    ) {
        let Some(interval) = pace.speed.interval() else {
            return;
        };
        if std::mem::replace(&mut pace.rests, true) {
            return;
        }
        self.queues[pace.speed.code() as usize].push_back(Resting {
            until: now + interval,
            serial: pace.serial,
            handle,
            channel,
            params,
        });
    }

    /// The next stream whose interval is over.
    pub(crate) fn next(&mut self, now: Monotonic) -> Option<Resting> {
        let mut queues = self.queues.iter_mut();
        queues.find_map(|queue| queue.pop_front_if(|resting| resting.until <= now))
    }

    /// When the next interval is over.
    pub(crate) fn next_due(&self) -> Option<Monotonic> {
        let first = self.queues.iter().filter_map(VecDeque::front);
        first.map(|resting| resting.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_stream_speaks_at_once_and_then_at_most_once_an_interval() {
        let mut paces = Paces::default();
        let what = (Handle(7), Channel::Book, ViewParams::default());
        let mut fast = paces.begin(Speed::Ms10);
        let mut slow = paces.begin(Speed::S1);
        let mut raw = paces.begin(Speed::Raw);
        for pace in [&mut fast, &mut slow, &mut raw] {
            assert!(pace.may_speak());
            paces.speaks(pace, what, Monotonic(0));
        }
        assert!(raw.may_speak() && !fast.may_speak() && !slow.may_speak());
        assert_eq!(paces.next_due(), Some(Monotonic(10 * MS)));
        assert_eq!(paces.next(Monotonic(10 * MS - 1)), None);
        let due = paces.next(Monotonic(10 * MS)).unwrap();
        assert!(fast.is(&due) && !slow.is(&due));
        fast.wake();
        assert!(fast.may_speak());
        assert_eq!(paces.next_due(), Some(Monotonic(1_000 * MS)));
    }

    #[test]
    fn who_must_speak_while_it_rests_is_due_no_later_and_once() {
        let mut paces = Paces::default();
        let what = (Handle(7), Channel::Book, ViewParams::default());
        let mut pace = paces.begin(Speed::Ms100);
        paces.speaks(&mut pace, what, Monotonic(0));
        paces.speaks(&mut pace, what, Monotonic(60 * MS));
        assert!(paces.next(Monotonic(100 * MS)).is_some());
        assert!(paces.next(Monotonic(1_000 * MS)).is_none());
    }
}
