use std::time::Duration;

use market::Monotonic;

use crate::slots::Stage;

/// How long the socket may take nothing of a response.
const WRITE_STALL: Duration = Duration::from_secs(10);

/// Progress of a connection's requests and responses.
#[derive(Debug)]
pub(super) struct Exchange {
    phase: Phase,
    /// Bytes that the socket has taken in total.
    written: u64,
    progress: Monotonic,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No complete request has arrived.
    Nothing,
    /// A request is being answered.
    Asked,
    /// A request has been answered, and part of the response may be unsent.
    Answered,
    /// The socket has taken the whole response.
    Idle,
}

impl Exchange {
    pub(super) const fn new(now: Monotonic) -> Self {
        Self {
            phase: Phase::Nothing,
            written: 0,
            progress: now,
        }
    }

    /// Notes that a complete request head has arrived.
    pub(super) const fn asked(&mut self, now: Monotonic) {
        self.phase = Phase::Asked;
        self.progress = now;
    }

    /// Notes that the response is ready.
    pub(super) const fn answered(&mut self, now: Monotonic) {
        self.phase = Phase::Answered;
        self.progress = now;
    }

    /// Notes the number of bytes that the socket has taken so far, and whether it was full. Returns
    /// the stage that the connection has reached or progresses in, if any.
    pub(super) fn wrote(&mut self, bytes: u64, is_full: bool, now: Monotonic) -> Option<Stage> {
        if self.phase != Phase::Answered {
            return None;
        }
        let progresses = bytes != self.written;
        self.written = bytes;
        if !is_full {
            self.phase = Phase::Idle;
            return Some(Stage::Idle);
        }
        if progresses {
            self.progress = now;
            return Some(Stage::Busy);
        }
        None
    }

    /// Returns whether a response has been sent and nothing is pending.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Idle
    }

    /// Returns whether the connection has waited too long for its first request, or for its socket.
    /// Asked after the time for the first request is over.
    pub(super) fn is_overdue(&self, now: Monotonic) -> bool {
        match self.phase {
            Phase::Nothing => true,
            Phase::Answered => now.since(self.progress) >= WRITE_STALL,
            // Answering has limits of its own, and so has keep-alive.
            Phase::Asked | Phase::Idle => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Monotonic {
        Monotonic(second * 1_000_000_000)
    }

    #[test]
    fn a_response_that_nobody_reads_ends_its_connection() {
        let mut exchange = Exchange::new(at(0));
        assert!(exchange.is_overdue(at(5)), "no request");
        exchange.asked(at(5));
        assert!(!exchange.is_overdue(at(60)), "it is being answered");
        exchange.answered(at(60));
        assert_eq!(exchange.wrote(100, true, at(61)), Some(Stage::Busy));
        assert!(!exchange.is_overdue(at(70)));
        assert_eq!(exchange.wrote(101, true, at(70)), Some(Stage::Busy));
        assert_eq!(exchange.wrote(101, true, at(79)), None);
        assert!(!exchange.is_overdue(at(79)));
        assert!(exchange.is_overdue(at(80)));
    }

    #[test]
    fn a_connection_is_idle_once_its_response_has_gone_out() {
        let mut exchange = Exchange::new(at(0));
        assert_eq!(exchange.wrote(0, false, at(0)), None);
        exchange.asked(at(1));
        assert_eq!(exchange.wrote(0, false, at(1)), None);
        exchange.answered(at(1));
        assert!(!exchange.is_idle());
        assert_eq!(exchange.wrote(500, false, at(2)), Some(Stage::Idle));
        assert!(exchange.is_idle() && !exchange.is_overdue(at(99)));
        // Not marked again while it waits, so that it ages.
        assert_eq!(exchange.wrote(500, false, at(3)), None);
        exchange.asked(at(4));
        assert!(!exchange.is_idle());
    }
}
