use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// Wakes the thread of a [`Consumer`](crate::Consumer), from any thread.
///
/// No wake-up is lost: a flag is set before the thread is unparked, and the thread checks it before
/// it parks.
#[derive(Debug, Clone, Default)]
pub struct Waker(Arc<Parking>);

#[derive(Debug, Default)]
struct Parking {
    woken: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Waker {
    /// Makes the consumer run soon, even if there is nothing to read.
    pub fn wake(&self) {
        if !self.0.woken.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.0.thread.get()
        {
            thread.unpark();
        }
    }

    /// Makes the calling thread the one to wake.
    pub(crate) fn adopt(&self) {
        // There is no second thread: `Consumer::run` takes the consumer by value.
        let _ = self.0.thread.set(thread::current());
    }

    /// Waits until woken, but at most this long. It consumes all wake-ups so far.
    pub(crate) fn park(&self, at_most: Duration) {
        if !self.0.woken.swap(false, Ordering::AcqRel) {
            thread::park_timeout(at_most);
            self.0.woken.swap(false, Ordering::AcqRel);
        }
    }
}

/// Stops all consumers. Clones are equivalent.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Stopping>);

#[derive(Debug, Default)]
struct Stopping {
    stopped: AtomicBool,
    wakers: std::sync::Mutex<Vec<Waker>>,
}

impl Stop {
    /// Makes every consumer return at the end of its current batch.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        if let Ok(wakers) = self.0.wakers.lock() {
            wakers.iter().for_each(Waker::wake);
        }
    }

    /// Returns whether the consumers are stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// Registers a waker to be woken by [`Stop::stop`].
    pub(crate) fn wakes(&self, waker: &Waker) {
        if let Ok(mut wakers) = self.0.wakers.lock() {
            wakers.push(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test may take.
    const FOREVER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_wake_up_before_the_park_is_not_lost() {
        let waker = Waker::default();
        waker.wake();
        waker.adopt();
        waker.park(FOREVER);
        waker.wake();
        waker.wake();
        waker.park(FOREVER);
    }

    #[test]
    fn a_wake_up_ends_a_park() {
        let (waker, stop) = (Waker::default(), Stop::default());
        stop.wakes(&waker);
        let parked = {
            let (waker, stop) = (waker.clone(), stop.clone());
            thread::spawn(move || {
                waker.adopt();
                while !stop.is_stopped() {
                    waker.park(FOREVER);
                }
            })
        };
        waker.wake();
        stop.stop();
        parked.join().unwrap();
    }
}
