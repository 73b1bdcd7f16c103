//! The Kafka clients that all readers of the past share.
//!
//! A client costs some 10 MiB and four threads, so there are few, and those who read take turns: one that has
//! had its time, or waits for its own client, leaves its place to the next.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

use crate::IngestConfig;
use crate::client::{self, KafkaConsumer};

/// How long one may keep a client that others wait for. Changing takes a fetch, some 10 ms.
const TURN: Duration = Duration::from_millis(100);
/// The same where the broker has not answered yet.
const FRUITLESS_TURN: Duration = Duration::from_secs(5);

/// The Kafka clients with which the past is read, as many as there may be; they exist while somebody reads.
pub struct PastReaders {
    pub(super) config: IngestConfig,
    queue_bytes: usize,
    pool: Pool<KafkaConsumer>,
}

/// Whoever reads; its place in the queue and its clients are known by this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct User(u64);

/// A client that somebody uses.
pub(super) struct Lease<T> {
    pub(super) client: T,
    /// Whose position the client has.
    pub(super) positioned_for: Option<User>,
    since: Instant,
}

/// A bounded number of things of which each is used by one user at a time.
///
/// Invariants:
/// - `made` is how many there are, in use or idle, and at most `most`.
/// - Those who wait get one in the order in which they came.
/// - Without a user nothing is kept.
struct Pool<T> {
    most: usize,
    shared: Mutex<Shared<T>>,
    freed: Condvar,
}

struct Shared<T> {
    idle: VecDeque<(T, Option<User>)>,
    made: usize,
    waiting: VecDeque<User>,
    users: usize,
    last_user: u64,
}

impl PastReaders {
    /// At most so many clients, each of which fetches `queue_bytes` ahead.
    #[must_use]
    pub fn new(config: IngestConfig, most: usize, queue_bytes: usize) -> Self {
        Self {
            config,
            queue_bytes,
            pool: Pool::new(most),
        }
    }

    /// How many clients there are.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.pool.lock().made
    }

    pub(super) fn enter(&self) -> User {
        self.pool.enter()
    }

    pub(super) fn leave(&self, user: User) {
        self.pool.leave(user);
    }

    /// A client, if one can be had within that time.
    pub(super) fn lease(
        &self,
        user: User,
        wait: Duration,
    ) -> Result<Option<Lease<KafkaConsumer>>, KafkaError> {
        let make = || client::past(&self.config, self.queue_bytes);
        self.pool.lease(user, wait, make)
    }

    pub(super) fn give_back(&self, lease: Lease<KafkaConsumer>) {
        self.pool.give_back(lease);
    }

    /// The user no longer waits.
    pub(super) fn stop_waiting(&self, user: User) {
        self.pool.stop_waiting(user);
    }

    /// Returns whether a client is to be given back, since others wait. A turn that has yielded nothing yet lasts
    /// longer, so that each makes progress however slow the brokers are.
    pub(super) fn is_over<T>(&self, lease: &Lease<T>, has_yielded: bool) -> bool {
        let turn = if has_yielded { TURN } else { FRUITLESS_TURN };
        lease.since.elapsed() >= turn && !self.pool.lock().waiting.is_empty()
    }
}

impl<T> Pool<T> {
    fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            shared: Mutex::new(Shared {
                idle: VecDeque::new(),
                made: 0,
                waiting: VecDeque::new(),
                users: 0,
                last_user: 0,
            }),
            freed: Condvar::new(),
        }
    }

    fn enter(&self) -> User {
        let mut shared = self.lock();
        shared.users += 1;
        shared.last_user += 1;
        User(shared.last_user)
    }

    fn leave(&self, user: User) {
        let mut shared = self.lock();
        shared.waiting.retain(|waiting| *waiting != user);
        shared.users -= 1;
        let mut unused = VecDeque::new();
        if shared.users == 0 {
            unused = std::mem::take(&mut shared.idle);
            shared.made -= unused.len();
        }
        drop(shared);
        self.freed.notify_all();
        // Closing takes a while.
        drop(unused);
    }

    fn lease<E>(
        &self,
        user: User,
        wait: Duration,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Option<Lease<T>>, E> {
        let until = Instant::now() + wait;
        let mut shared = self.lock();
        loop {
            let is_next = shared.waiting.front().is_none_or(|first| *first == user);
            let may_make = shared.made < self.most;
            if is_next && (may_make || !shared.idle.is_empty()) {
                shared.waiting.retain(|waiting| *waiting != user);
                break;
            }
            if !shared.waiting.contains(&user) {
                shared.waiting.push_back(user);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // It keeps its place until it asks again or stops waiting.
                return Ok(None);
            }
            let waited = self.freed.wait_timeout(shared, left);
            shared = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let lease = |client, positioned_for| Lease {
            client,
            positioned_for,
            since: Instant::now(),
        };
        let is_own = |(_, of): &(T, Option<User>)| *of == Some(user);
        let own = shared.idle.iter().position(is_own);
        let idle = match own {
            Some(own) => shared.idle.remove(own),
            None if shared.made < self.most => None,
            None => shared.idle.pop_front(),
        };
        if let Some((client, of)) = idle {
            return Ok(Some(lease(client, of)));
        }
        shared.made += 1;
        drop(shared);
        match make() {
            Ok(client) => Ok(Some(lease(client, None))),
            Err(error) => {
                self.lock().made -= 1;
                self.freed.notify_all();
                Err(error)
            }
        }
    }

    fn give_back(&self, lease: Lease<T>) {
        let mut shared = self.lock();
        shared.idle.push_back((lease.client, lease.positioned_for));
        drop(shared);
        self.freed.notify_all();
    }

    fn stop_waiting(&self, user: User) {
        let mut shared = self.lock();
        let before = shared.waiting.len();
        shared.waiting.retain(|waiting| *waiting != user);
        let has_left = shared.waiting.len() < before;
        drop(shared);
        if has_left {
            self.freed.notify_all();
        }
    }

    /// A panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Shared<T>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    /// A pool of numbers, and how many were made.
    struct Numbers {
        pool: Pool<u32>,
        made: Cell<u32>,
    }

    impl Numbers {
        fn new(most: usize) -> Self {
            Self {
                pool: Pool::new(most),
                made: Cell::new(0),
            }
        }

        fn lease(&self, user: User) -> Option<Lease<u32>> {
            let make = || {
                self.made.set(self.made.get() + 1);
                Ok::<_, Infallible>(self.made.get())
            };
            self.pool.lease(user, Duration::ZERO, make).unwrap()
        }
    }

    #[test]
    fn there_are_never_more_than_may_be_and_those_who_wait_get_one_in_their_order() {
        let numbers = Numbers::new(2);
        let users: Vec<_> = (0..6).map(|_| numbers.pool.enter()).collect();
        let first = numbers.lease(users[0]).unwrap();
        let second = numbers.lease(users[1]).unwrap();
        assert!(users[2..].iter().all(|user| numbers.lease(*user).is_none()));
        numbers.pool.give_back(first);
        assert!(
            numbers.lease(users[3]).is_none(),
            "another was there before"
        );
        assert!(numbers.lease(users[0]).is_none(), "nor has it priority");
        let third = numbers.lease(users[2]).unwrap();
        numbers.pool.stop_waiting(users[3]);
        numbers.pool.give_back(second);
        assert!(numbers.lease(users[5]).is_none());
        let fourth = numbers.lease(users[4]).unwrap();
        assert_eq!(numbers.made.get(), 2);
        numbers.pool.give_back(third);
        numbers.pool.give_back(fourth);
    }

    #[test]
    fn who_comes_back_before_others_goes_on_where_it_was() {
        let numbers = Numbers::new(2);
        let [one, other, third] = [(); 3].map(|()| numbers.pool.enter());
        for user in [one, other] {
            let mut lease = numbers.lease(user).unwrap();
            assert_eq!(lease.positioned_for, None);
            lease.positioned_for = Some(user);
            numbers.pool.give_back(lease);
        }
        let lease = numbers.lease(other).unwrap();
        assert_eq!(lease.positioned_for, Some(other));
        assert_eq!(numbers.lease(third).unwrap().positioned_for, Some(one));
    }

    #[test]
    fn nothing_is_kept_when_nobody_reads_and_a_client_that_cannot_be_made_takes_no_place() {
        let numbers = Numbers::new(1);
        let user = numbers.pool.enter();
        let failed = numbers.pool.lease(user, Duration::ZERO, || Err(()));
        assert!(failed.is_err());
        let lease = numbers.lease(user).unwrap();
        numbers.pool.give_back(lease);
        numbers.pool.leave(user);
        let shared = numbers.pool.lock();
        assert_eq!((shared.made, shared.idle.len(), shared.users), (0, 0, 0));
    }
}
