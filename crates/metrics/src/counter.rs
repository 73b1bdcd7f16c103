use std::sync::atomic::{AtomicU64, Ordering};

/// A count that only grows.
///
/// Written by one thread and read by any: an update is a relaxed load and a relaxed store, as cheap
/// as a plain integer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    #[inline]
    pub fn inc(&self) {
        self.add(1);
    }

    /// Counts `n`.
    #[inline]
    pub fn add(&self, n: u64) {
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(n), Ordering::Relaxed);
    }

    /// Sets the total of what is counted elsewhere.
    #[inline]
    pub fn set_total(&self, total: u64) {
        self.0.store(total, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A sum of durations: kept in nanoseconds, exported in seconds.
///
/// One writer, as for [`Counter`].
#[derive(Debug, Default)]
pub struct DurationCounter(Counter);

impl DurationCounter {
    /// Adds a duration in nanoseconds.
    #[inline]
    pub fn add_ns(&self, ns: u64) {
        self.0.add(ns);
    }

    /// The sum in nanoseconds.
    #[must_use]
    pub fn get_ns(&self) -> u64 {
        self.0.get()
    }
}
