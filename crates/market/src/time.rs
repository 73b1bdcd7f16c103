//! The two kinds of time, which the compiler keeps apart.

use std::ops::Add;
use std::time::Duration;

/// A timestamp: wall-clock time, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// For messages and log lines. A wall clock is set by people and by NTP, so it may jump by hours in
/// either direction: nothing may be scheduled by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// From whole milliseconds, as Kafka and most venues give them; times out of range saturate.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// How long after `earlier` this is, in nanoseconds; zero when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A point on a monotonic clock, in nanoseconds since an arbitrary start.
///
/// For scheduling: what is due, late, quiet or expired. It never goes back. It may halt, as a
/// stopped process or a paused virtual machine does, and then appears to leap forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// How long after `earlier` this is; zero when it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The same in nanoseconds, for what is measured once a message.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    /// Saturates, 584 years after the start.
    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// The present by both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Now {
    /// What scheduling goes by.
    pub monotonic: Monotonic,
    /// What messages are stamped with.
    pub wall: Nanos,
}
