//! A verifying client on a thread of its own, and what it observed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use client::{Backoff, Builder, Client, Config, Event, Subscription};

/// How often a client that receives nothing checks whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Receives a client's events.
pub trait Observer: Send + 'static {
    /// The next event; the client's books are as of it.
    fn observe(&mut self, client: &Client, event: &Event);
}

/// A client that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Watcher<S> {
    shared: Arc<Shared<S>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared<S> {
    observer: Mutex<S>,
    more: Condvar,
    stop: AtomicBool,
}

impl<S: Observer> Watcher<S> {
    /// Connects to the first of the nodes, and to the next ones when it is lost.
    #[must_use]
    pub fn start(nodes: &[String], subscriptions: &[Subscription], observer: S) -> Self {
        Self::start_as(nodes, subscriptions, observer, |builder| builder)
    }

    /// Likewise, with more settings of the client, such as a token.
    #[must_use]
    pub fn start_as(
        nodes: &[String],
        subscriptions: &[Subscription],
        observer: S,
        more: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let config = Config {
            backoff: Backoff {
                base: Duration::from_millis(50),
                cap: Duration::from_millis(200),
            },
            raw: true,
            ..Config::default()
        };
        let mut builder = Client::builder().config(config);
        for node in nodes {
            builder = builder.endpoint(node);
        }
        for subscription in subscriptions {
            builder = builder.subscribe(subscription.clone());
        }
        let client = more(builder).build().expect("a client can be built");
        let shared = Arc::new(Shared {
            observer: Mutex::new(observer),
            more: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || follow(client, &shared))
        };
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// Waits until the observer has enough.
    pub fn wait(&self, within: Duration, what: &str, enough: impl Fn(&S) -> bool) {
        self.wait_explained(within, enough, |_| what.to_owned());
    }

    /// Likewise; on failure `missing` describes what did not come.
    pub fn wait_explained(
        &self,
        within: Duration,
        enough: impl Fn(&S) -> bool,
        missing: impl Fn(&S) -> String,
    ) {
        let deadline = Instant::now() + within;
        let mut observer = self
            .shared
            .observer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while !enough(&observer) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited {within:?} in vain for {}",
                missing(&observer)
            );
            let woken = self
                .shared
                .more
                .wait_timeout(observer, left.min(LOOK_EVERY));
            observer = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Inspects what was observed so far.
    pub fn look<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(
            &mut self
                .shared
                .observer
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Stops the client.
    pub fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "a client failed");
        }
    }
}

impl<S> Drop for Watcher<S> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

fn follow<S: Observer>(mut client: Client, shared: &Shared<S>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        while !shared.stop.load(Ordering::SeqCst) {
            let Ok(next) = tokio::time::timeout(LOOK_EVERY, client.next_event()).await else {
                continue;
            };
            let Some(mut event) = next else {
                break;
            };
            let mut observer = shared
                .observer
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            loop {
                observer.observe(&client, &event);
                match client.ready_event() {
                    Some(more) => event = more,
                    None => break,
                }
            }
            drop(observer);
            shared.more.notify_all();
        }
    });
}
