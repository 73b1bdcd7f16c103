use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that goes up and down but never below zero.
///
/// One writer, as for [`Counter`](crate::Counter).
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets the number.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Subtracts one.
    #[inline]
    pub fn dec(&self) {
        self.sub(1);
    }

    /// Adds `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        self.set(self.get().saturating_add(n));
    }

    /// Subtracts `n`, stopping at 0.
    #[inline]
    pub fn sub(&self, n: u64) {
        self.set(self.get().saturating_sub(n));
    }

    /// The current number.
    #[must_use]
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A duration that goes up and down: kept in nanoseconds, exported in seconds.
///
/// One writer, as for [`Counter`](crate::Counter).
#[derive(Debug, Default)]
pub struct DurationGauge(Gauge);

impl DurationGauge {
    /// Sets the duration, in nanoseconds.
    #[inline]
    pub fn set_ns(&self, ns: u64) {
        self.0.set(ns);
    }

    /// Sets the duration.
    pub fn set(&self, span: Duration) {
        self.set_ns(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The duration in nanoseconds.
    #[must_use]
    pub fn get_ns(&self) -> u64 {
        self.0.get()
    }
}
