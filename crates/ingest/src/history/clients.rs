//! The Kafka clients that all history readers share.
//!
//! A client takes some 10 MiB and four threads, so there are few and the readers take turns: a
//! reader whose turn is over, or that waits for its own consumer, gives its client to the next.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

use crate::IngestConfig;
use crate::client::{self, KafkaConsumer};

/// How long a reader may keep a client that others wait for. A change takes a fetch, some 10 ms.
const TURN: Duration = Duration::from_millis(100);
/// The same, while the broker has not sent a record yet.
const FIRST_RECORD_TURN: Duration = Duration::from_secs(5);

/// A bounded pool of Kafka clients for history readers. They exist while there are readers.
pub struct HistoryClients {
    pub(super) config: IngestConfig,
    queue_bytes: usize,
    pool: Pool<KafkaConsumer>,
}

/// Identifies a reader in the queue, and as the owner of a client's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UserId(u64);

/// A client in use.
pub(super) struct Lease<T> {
    pub(super) client: T,
    /// The user that the client was last positioned for.
    pub(super) positioned_for: Option<UserId>,
    since: Instant,
}

/// A bounded pool. Each client is used by one user at a time.
///
/// Invariants:
/// - `count` is the number of clients, in use or idle, and at most `max`.
/// - Waiting users get a client in the order in which they came.
/// - Without users no client is kept.
struct Pool<T> {
    max: usize,
    shared: Mutex<PoolState<T>>,
    freed: Condvar,
}

struct PoolState<T> {
    idle: VecDeque<(T, Option<UserId>)>,
    count: usize,
    waiting: VecDeque<UserId>,
    users: usize,
    last_user: u64,
}

impl HistoryClients {
    /// Creates a pool of at most `max` clients, each with a queue of `queue_bytes`.
    #[must_use]
    pub fn new(config: IngestConfig, max: usize, queue_bytes: usize) -> Self {
        Self {
            config,
            queue_bytes,
            pool: Pool::new(max),
        }
    }

    /// The current number of clients.
    #[must_use]
    pub fn clients(&self) -> usize {
        self.pool.lock().count
    }

    pub(super) fn enter(&self) -> UserId {
        self.pool.enter()
    }

    pub(super) fn leave(&self, user: UserId) {
        self.pool.leave(user);
    }

    /// Leases a client if one is available within `wait`.
    pub(super) fn lease(
        &self,
        user: UserId,
        wait: Duration,
    ) -> Result<Option<Lease<KafkaConsumer>>, KafkaError> {
        let make = || client::for_history(&self.config, self.queue_bytes);
        self.pool.lease(user, wait, make)
    }

    pub(super) fn give_back(&self, lease: Lease<KafkaConsumer>) {
        self.pool.give_back(lease);
    }

    /// Removes a user from the queue.
    pub(super) fn stop_waiting(&self, user: UserId) {
        self.pool.stop_waiting(user);
    }

    /// Returns whether a turn is over and others wait. Without a record yet, a turn lasts longer,
    /// so that every reader makes progress even with slow brokers.
    pub(super) fn must_yield<T>(&self, lease: &Lease<T>, has_records: bool) -> bool {
        let turn = if has_records { TURN } else { FIRST_RECORD_TURN };
        lease.since.elapsed() >= turn && !self.pool.lock().waiting.is_empty()
    }
}

impl<T> Pool<T> {
    fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            shared: Mutex::new(PoolState {
                idle: VecDeque::new(),
                count: 0,
                waiting: VecDeque::new(),
                users: 0,
                last_user: 0,
            }),
            freed: Condvar::new(),
        }
    }

    fn enter(&self) -> UserId {
        let mut shared = self.lock();
        shared.users += 1;
        shared.last_user += 1;
        UserId(shared.last_user)
    }

    fn leave(&self, user: UserId) {
        let mut shared = self.lock();
        shared.waiting.retain(|waiting| *waiting != user);
        shared.users -= 1;
        let mut unused = VecDeque::new();
        if shared.users == 0 {
            unused = std::mem::take(&mut shared.idle);
            shared.count -= unused.len();
        }
        drop(shared);
        self.freed.notify_all();
        // Dropped without the lock, since closing a client takes a while.
        drop(unused);
    }

    fn lease<E>(
        &self,
        user: UserId,
        wait: Duration,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Option<Lease<T>>, E> {
        let until = Instant::now() + wait;
        let mut shared = self.lock();
        loop {
            let is_next = shared.waiting.front().is_none_or(|first| *first == user);
            let may_make = shared.count < self.max;
            if is_next && (may_make || !shared.idle.is_empty()) {
                shared.waiting.retain(|waiting| *waiting != user);
                break;
            }
            if !shared.waiting.contains(&user) {
                shared.waiting.push_back(user);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // It keeps its place in the queue.
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
        let is_own = |(_, of): &(T, Option<UserId>)| *of == Some(user);
        let own = shared.idle.iter().position(is_own);
        let idle = match own {
            Some(own) => shared.idle.remove(own),
            None if shared.count < self.max => None,
            None => shared.idle.pop_front(),
        };
        if let Some((client, of)) = idle {
            return Ok(Some(lease(client, of)));
        }
        shared.count += 1;
        drop(shared);
        match make() {
            Ok(client) => Ok(Some(lease(client, None))),
            Err(error) => {
                self.lock().count -= 1;
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

    fn stop_waiting(&self, user: UserId) {
        let mut shared = self.lock();
        let before = shared.waiting.len();
        shared.waiting.retain(|waiting| *waiting != user);
        let has_left = shared.waiting.len() < before;
        drop(shared);
        if has_left {
            self.freed.notify_all();
        }
    }

    /// A panic of another thread leaves the state consistent.
    fn lock(&self) -> MutexGuard<'_, PoolState<T>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    /// A pool of numbers, and how many were created.
    struct Numbers {
        pool: Pool<u32>,
        count: Cell<u32>,
    }

    impl Numbers {
        fn new(max: usize) -> Self {
            Self {
                pool: Pool::new(max),
                count: Cell::new(0),
            }
        }

        fn lease(&self, user: UserId) -> Option<Lease<u32>> {
            let make = || {
                self.count.set(self.count.get() + 1);
                Ok::<_, Infallible>(self.count.get())
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
        assert_eq!(numbers.count.get(), 2);
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
        assert_eq!((shared.count, shared.idle.len(), shared.users), (0, 0, 0));
    }
}
