use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

/// Wakes a [`Consumer`](crate::Consumer)'s thread, from any thread.
///
/// No wake-up is lost: it is remembered in a flag before the thread is unparked, and the thread
/// looks at the flag before it parks.
#[derive(Debug, Clone, Default)]
pub struct Waker(Arc<Parking>);

#[derive(Debug, Default)]
struct Parking {
    woken: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Waker {
    /// Makes the consumer take a turn soon, also when there is nothing to read.
    pub fn wake(&self) {
        if !self.0.woken.swap(true, Ordering::AcqRel)
            && let Some(thread) = self.0.thread.get()
        {
            thread.unpark();
        }
    }

    /// The calling thread is the one to be woken from here on.
    pub(crate) fn adopt(&self) {
        // A second thread cannot come: a consumer is run once, by value.
        let _ = self.0.thread.set(thread::current());
    }

    /// Waits until woken, or for `at_most`. One call takes all wake-ups so far.
    pub(crate) fn park(&self, at_most: Duration) {
        if !self.0.woken.swap(false, Ordering::AcqRel) {
            thread::park_timeout(at_most);
            self.0.woken.swap(false, Ordering::AcqRel);
        }
    }
}

/// Ends consumers; every clone speaks of the same.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Stopping>);

#[derive(Debug, Default)]
struct Stopping {
    stopped: AtomicBool,
    wakers: std::sync::Mutex<Vec<Waker>>,
}

impl Stop {
    /// Makes every consumer return from its run, at the end of the batch that it is in.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        if let Ok(wakers) = self.0.wakers.lock() {
            wakers.iter().for_each(Waker::wake);
        }
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Acquire)
    }

    /// This one is woken when all are to stop.
    pub(crate) fn wakes(&self, waker: &Waker) {
        if let Ok(mut wakers) = self.0.wakers.lock() {
            wakers.push(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than a test may take: who waits so long was not woken.
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
