use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that goes up and down and is never negative.
///
/// One writer, as for [`Counter`](crate::Counter).
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces the number.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One more.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// One less.
    #[inline]
    pub fn dec(&self) {
        self.sub(1);
    }

    /// `n` more.
    #[inline]
    pub fn add(&self, n: u64) {
        self.set(self.get().saturating_add(n));
    }

    /// `n` less; stays at 0 when it would go below.
    #[inline]
    pub fn sub(&self, n: u64) {
        self.set(self.get().saturating_sub(n));
    }

    /// The number now.
    #[must_use]
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A time span that goes up and down: kept in nanoseconds, exported in seconds.
///
/// One writer, as for [`Counter`](crate::Counter).
#[derive(Debug, Default)]
pub struct DurationGauge(Gauge);

impl DurationGauge {
    /// Replaces the span, given in nanoseconds.
    #[inline]
    pub fn set_ns(&self, ns: u64) {
        self.0.set(ns);
    }

    /// Replaces the span.
    pub fn set(&self, span: Duration) {
        self.set_ns(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The span in nanoseconds.
    #[must_use]
    pub fn get_ns(&self) -> u64 {
        self.0.get()
    }
}
