use std::time::{Duration, Instant};

use crate::event::Disconnect;
use crate::{Config, Endpoint};

/// How often an open connection is checked.
const TICK: Duration = Duration::from_secs(1);

/// The life of the connection.
#[derive(Debug)]
pub(super) struct Connection {
    phase: Phase,
    /// Consecutive failures.
    attempt: u32,
    /// When to leave a node that is about to stop.
    leave: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    Waiting {
        until: Instant,
    },
    Connecting {
        endpoint: Endpoint,
        since: Instant,
    },
    Up {
        since: Instant,
        heard: Instant,
        pinged: bool,
        tick: Instant,
    },
    Closed,
}

/// What is due.
#[derive(Debug)]
pub(super) enum Due {
    Nothing,
    /// The wait is over.
    Connect,
    /// The connection is of no use.
    Fail(Disconnect),
    /// It is time to leave the node.
    Leave,
    /// Check everything, and send a ping if nothing has been received for a while.
    Tick {
        ping: bool,
    },
}

impl Connection {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Waiting { until: now },
            attempt: 0,
            leave: None,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up { .. })
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Returns whether there is a connection, or an attempt at one.
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Up { .. } | Phase::Connecting { .. })
    }

    pub(super) const fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    pub(super) fn connect(&mut self, now: Instant, endpoint: Endpoint) {
        self.leave = None;
        self.phase = Phase::Connecting {
            endpoint,
            since: now,
        };
    }

    pub(super) fn wait(&mut self, until: Instant) {
        self.leave = None;
        self.phase = Phase::Waiting { until };
    }

    /// The attempt succeeded. Returns the node.
    pub(super) fn connected(&mut self, now: Instant) -> Option<Endpoint> {
        let Phase::Connecting { endpoint, .. } = &self.phase else {
            return None;
        };
        let endpoint = endpoint.clone();
        self.phase = Phase::Up {
            since: now,
            heard: now,
            pinged: false,
            tick: now + TICK,
        };
        Some(endpoint)
    }

    /// Counts a failure. A connection that lasted long enough ends the series before it.
    pub(super) fn next_attempt(&mut self, now: Instant, stable_after: Duration) -> u32 {
        if let Phase::Up { since, .. } = self.phase
            && now.saturating_duration_since(since) >= stable_after
        {
            self.attempt = 0;
        }
        self.attempt = self.attempt.saturating_add(1);
        self.attempt
    }

    #[inline]
    pub(super) fn heard(&mut self, now: Instant) {
        if let Phase::Up { heard, pinged, .. } = &mut self.phase {
            *heard = now;
            *pinged = false;
        }
    }

    /// The node is going to stop; the client leaves it at that time. Returns false if that was known already.
    pub(super) fn leave_at(&mut self, at: Instant) -> bool {
        let first = self.is_up() && self.leave.is_none();
        if first {
            self.leave = Some(at);
        }
        first
    }

    pub(super) const fn leaving(&self) -> Option<Instant> {
        self.leave
    }

    pub(super) fn timeout(&self, config: &Config) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting { until } => Some(*until),
            Phase::Connecting { since, .. } => Some(*since + config.connect_timeout),
            Phase::Up { tick, .. } => Some(self.leave.map_or(*tick, |leave| leave.min(*tick))),
            Phase::Closed => None,
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant, config: &Config) -> Due {
        let leaves = self.leave.is_some_and(|leave| leave <= now);
        match &mut self.phase {
            Phase::Waiting { until } if *until <= now => Due::Connect,
            Phase::Connecting { since, .. } if *since + config.connect_timeout <= now => {
                Due::Fail(Disconnect::ConnectTimeout(config.connect_timeout))
            }
            Phase::Up { .. } if leaves => Due::Leave,
            Phase::Up {
                heard,
                pinged,
                tick,
                ..
            } if *tick <= now => {
                *tick = now + TICK;
                let silent = now.saturating_duration_since(*heard);
                if silent >= config.liveness {
                    return Due::Fail(Disconnect::Silent(silent));
                }
                let ping = !*pinged && silent >= config.liveness / 2;
                *pinged |= ping;
                Due::Tick { ping }
            }
            _ => Due::Nothing,
        }
    }
}
