//! The two kinds of time, as types that the compiler keeps apart.

use std::ops::Add;
use std::time::Duration;

/// A timestamp: wall-clock time, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// For messages and log lines only. People and NTP set the wall clock, so it may jump by hours in
/// either direction; nothing may be scheduled by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Converts whole milliseconds, as used by Kafka and most venues. Saturates if out of range.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The nanoseconds since `earlier`; zero if this time precedes it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A point on a monotonic clock, in nanoseconds since an arbitrary start.
///
/// For scheduling: what is due, late, quiet or expired. It never goes back. It may stop with its
/// process or virtual machine, and then appears to leap forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The time since `earlier`; zero if this time precedes it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.nanos_since(earlier))
    }

    /// The nanoseconds since `earlier`, for what is measured once per message.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Monotonic {
    type Output = Self;

    /// Adds a duration. Saturates 584 years after the start of the clock.
    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// The current time by both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Now {
    /// The time to schedule by.
    pub monotonic: Monotonic,
    /// The time to stamp messages with.
    pub wall: Nanos,
}
