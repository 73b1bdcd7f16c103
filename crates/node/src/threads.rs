//! The threads of a node, and what it means if one ends.
//!
//! Every thread of a node is started here, so that none ends unnoticed. The end of an essential thread stops
//! the node: `/healthz` and `/readyz` fail at once, and the process drains and exits with 1, so that its
//! supervisor restarts it. The end of any other thread is counted and logged.

pub(crate) mod failure;

use std::any::Any;
use std::fmt::Display;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use metrics::Registry;
use metrics::label::ThreadKind;
use tokio::sync::watch;

use crate::readiness::Readiness;

use failure::ThreadFailure;

/// Starts threads and notices when they end.
#[derive(Clone)]
pub(crate) struct Threads(Arc<Shared>);

struct Shared {
    registry: Arc<Registry>,
    readiness: Arc<Readiness>,
    /// The node is stopping, and so are its threads.
    stopping: AtomicBool,
    /// The first failure of an essential thread.
    failure: watch::Sender<Option<ThreadFailure>>,
    /// Counters have a single writer; ending threads take turns.
    counting: Mutex<()>,
}

impl Threads {
    pub(crate) fn new(registry: Arc<Registry>, readiness: Arc<Readiness>) -> Self {
        Self(Arc::new(Shared {
            registry,
            readiness,
            stopping: AtomicBool::new(false),
            failure: watch::channel(None).0,
            counting: Mutex::new(()),
        }))
    }

    /// Starts a thread. It fails if it panics or returns an error, or if it is essential and returns while the
    /// node is running.
    pub(crate) fn spawn<E: Display>(
        &self,
        kind: ThreadKind,
        name: impl Into<String>,
        body: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let name = name.into();
        let threads = self.clone();
        let thread = std::thread::Builder::new().name(name.clone());
        thread.spawn(move || {
            // Unwind-safe: what the thread owned is dropped.
            let cause = match catch_unwind(AssertUnwindSafe(body)) {
                Ok(Ok(())) if threads.may_end(kind) => return,
                Ok(Ok(())) => "it returned".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(panic) => format!("panicked: {}", message(&*panic)),
            };
            threads.failed(
                kind,
                ThreadFailure {
                    thread: name,
                    cause,
                },
            );
        })
    }

    /// Allows all threads to end from now on.
    pub(crate) fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }

    /// The first failure of an essential thread, if any.
    pub(crate) fn failure(&self) -> Option<ThreadFailure> {
        self.0.failure.borrow().clone()
    }

    /// Waits for the failure of an essential thread.
    pub(crate) async fn wait_for_failure(&self) -> ThreadFailure {
        let mut failure = self.0.failure.subscribe();
        loop {
            if let Some(failure) = &*failure.borrow_and_update() {
                return failure.clone();
            }
            // Cannot fail: `self` has the sender.
            let _changed = failure.changed().await;
        }
    }

    fn may_end(&self, kind: ThreadKind) -> bool {
        !is_essential(kind) || self.0.stopping.load(Ordering::SeqCst)
    }

    fn failed(&self, kind: ThreadKind, failure: ThreadFailure) {
        let shared = &self.0;
        let turn = shared
            .counting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shared.registry.node().threads_failed[kind].inc();
        drop(turn);
        let ThreadFailure { thread, cause } = &failure;
        if is_essential(kind) {
            tracing::error!(
                thread,
                kind = kind.name(),
                cause,
                "a thread has ended; the node cannot serve without it and is stopping"
            );
            shared.readiness.thread_failed(failure.clone());
            shared.failure.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(failure);
                is_first
            });
        } else {
            tracing::error!(
                thread,
                kind = kind.name(),
                cause,
                "a thread has ended; the node continues without it"
            );
        }
    }
}

/// Returns whether the node cannot serve without such a thread.
const fn is_essential(kind: ThreadKind) -> bool {
    match kind {
        // Without it, part of the market or of the listeners is missing, or new topics are never found.
        ThreadKind::Publisher | ThreadKind::Shard | ThreadKind::Http | ThreadKind::Scout => true,
        // Checkpoints are only a shortcut, and other nodes write them too; traces are optional; a replay affects
        // one stream.
        ThreadKind::Checkpoints | ThreadKind::Traces | ThreadKind::Replay => false,
    }
}

/// The message of a panic, if it is a text.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use metrics::BuildInfo;

    use super::*;

    fn threads() -> Threads {
        let build = BuildInfo {
            version: "0",
            revision: "test",
        };
        Threads::new(Arc::new(Registry::new(build)), Readiness::new())
    }

    fn failures(threads: &Threads, kind: ThreadKind) -> u64 {
        threads.0.registry.node().threads_failed[kind].get()
    }

    fn panics() -> Result<(), Infallible> {
        panic!("index {} out of range", 7)
    }

    #[tokio::test]
    async fn a_panic_of_a_thread_that_is_needed_ends_the_node() {
        let threads = threads();
        let shard = threads.spawn(ThreadKind::Shard, "shard-3", panics).unwrap();
        let failure = threads.wait_for_failure().await;
        assert_eq!(
            failure.to_string(),
            "thread shard-3 has ended: panicked: index 7 out of range"
        );
        shard.join().unwrap();
        let report = threads.0.readiness.report();
        assert!(!report.ready);
        assert_eq!(report.failed, [failure]);
        assert_eq!(failures(&threads, ThreadKind::Shard), 1);
    }

    #[tokio::test]
    async fn an_error_and_an_early_return_end_the_node_too() {
        for (body, cause) in [
            (Err("the disk is full"), "the disk is full"),
            (Ok(()), "it returned"),
        ] {
            let threads = threads();
            let thread = threads.spawn(ThreadKind::Publisher, "publisher-0", move || body);
            assert_eq!(threads.wait_for_failure().await.cause, cause);
            thread.unwrap().join().unwrap();
        }
    }

    #[test]
    fn a_thread_may_end_once_the_node_stops() {
        let threads = threads();
        threads.stop();
        let body = || Ok::<_, Infallible>(());
        let thread = threads.spawn(ThreadKind::Publisher, "publisher-0", body);
        thread.unwrap().join().unwrap();
        assert_eq!(threads.failure(), None);
        let thread = threads.spawn(ThreadKind::Shard, "shard-0", panics);
        thread.unwrap().join().unwrap();
        assert_eq!(
            threads.failure().unwrap().thread,
            "shard-0",
            "it failed to end"
        );
    }

    #[test]
    fn the_end_of_a_thread_that_is_not_needed_is_counted_and_no_more() {
        let threads = threads();
        for kind in [
            ThreadKind::Replay,
            ThreadKind::Traces,
            ThreadKind::Checkpoints,
        ] {
            let body = || Ok::<_, Infallible>(());
            let thread = threads.spawn(kind, "ends", body).unwrap();
            thread.join().unwrap();
            assert_eq!(failures(&threads, kind), 0);
            threads
                .spawn(kind, "panics", panics)
                .unwrap()
                .join()
                .unwrap();
            assert_eq!(failures(&threads, kind), 1);
        }
        assert_eq!(threads.failure(), None);
        assert!(threads.0.readiness.report().failed.is_empty());
    }
}
