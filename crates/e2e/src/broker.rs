//! The Kafka that all tests share, and their turns.

use std::sync::{Mutex, MutexGuard, PoisonError};

use testkit::KafkaBroker;

static SHARED: Mutex<Option<KafkaBroker>> = Mutex::new(None);

/// A test's turn: no other test runs, and the broker is its own.
#[derive(Debug)]
pub struct Turn {
    broker: MutexGuard<'static, Option<KafkaBroker>>,
}

/// Waits for a turn. Topics of earlier tests are still there, so a test names its own.
#[must_use]
pub fn turn() -> Turn {
    // A test that failed left the broker as good as it was, and `start_again` starts a stopped one.
    let mut broker = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    match broker.as_mut() {
        Some(broker) => broker
            .start_again()
            .expect("the shared broker starts again"),
        None => *broker = Some(KafkaBroker::start().expect("a broker starts")),
    }
    Turn { broker }
}

impl Turn {
    /// The broker.
    pub fn broker(&mut self) -> &mut KafkaBroker {
        self.broker.as_mut().expect("a turn has a broker")
    }

    /// Where it listens.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        let broker = self.broker.as_ref().expect("a turn has a broker");
        broker.bootstrap().to_owned()
    }
}
