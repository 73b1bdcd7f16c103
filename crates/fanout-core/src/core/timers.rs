//! Pings, deadlines, token expiry and idle sessions.

use std::time::Duration;

use market::Monotonic;
use streams::Opcode;
use wire::close;

use super::Core;
use crate::session::Ping;
use crate::sessions::number;
use crate::wheel::Wheel;

/// Resolution of pings and deadlines.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// Lateness beyond which the process must have been stopped. Nothing was read meanwhile, so nobody
/// is closed for it.
const MOST_LATE: Duration = Duration::from_millis(500);
/// Interval at which a session without streams is sent something. Streams send heartbeats every few
/// seconds, so a client or balancer that receives nothing for several seconds knows that the node
/// hangs or is gone.
const QUIET: Duration = Duration::from_secs(4);
/// Longest wait for an expiry: a wall clock that is set may bring the expiry forward.
const EXPIRY_LOOK: Duration = Duration::from_secs(60);

/// When sessions have to be checked.
///
/// Only time during which the owner ran is counted. While a process is stopped no socket is read
/// and a pong may be waiting there, so that time says nothing about the client.
pub(super) struct Timers {
    wheel: Wheel<Check>,
    /// When the clock was last read.
    seen: Monotonic,
    /// How long the owner has run.
    ran: Duration,
}

/// A check of a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    session: u32,
    token: u32,
    what: What,
}

/// What a session is checked for.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Whether it responds.
    Life,
    /// Whether it has streams and was sent anything.
    Quiet,
    /// Whether its token has expired.
    Expiry,
}

impl Timers {
    pub(super) fn new(now: Monotonic) -> Self {
        Self {
            wheel: Wheel::new(),
            seen: now,
            ran: Duration::ZERO,
        }
    }

    /// Returns when something may be due next.
    pub(super) fn next_due(&self) -> Option<Monotonic> {
        let ticks = self.wheel.next()?;
        Some(self.seen + (TICK * ticks - self.since_tick()))
    }

    /// Returns the tick at which something is due `after` from now.
    pub(super) fn tick_after(&self, after: Duration, now: Monotonic) -> u64 {
        let span = self.since_tick() + self.ran_since(now) + after;
        self.wheel.now() + u64::from(ticks(span).max(1))
    }

    /// Returns the last tick processed.
    pub(super) const fn tick(&self) -> u64 {
        self.wheel.now()
    }

    /// Returns the checks that are due; any added meanwhile are due later.
    fn due(&mut self, now: Monotonic) -> Vec<Check> {
        self.ran += self.ran_since(now);
        self.seen = now;
        let ticks = self.ran.as_nanos() / TICK.as_nanos();
        let ticks = u64::try_from(ticks).unwrap_or(u64::MAX);
        let mut due = Vec::new();
        while self.wheel.now() < ticks {
            due.extend(self.wheel.tick());
        }
        due
    }

    fn add(&mut self, after: Duration, now: Monotonic, check: Check) {
        let ticks = self.tick_after(after, now) - self.wheel.now();
        self.wheel
            .add(u32::try_from(ticks).unwrap_or(u32::MAX), check);
    }

    /// Returns how long the owner has run since the clock was last read: until the next check is
    /// due, plus the lateness allowed. While nothing is scheduled no time counts.
    fn ran_since(&self, now: Monotonic) -> Duration {
        let most = self
            .next_due()
            .map_or(Duration::ZERO, |due| due.since(self.seen) + MOST_LATE);
        now.since(self.seen).min(most)
    }

    /// Returns how much of the current tick had passed when the clock was last read.
    fn since_tick(&self) -> Duration {
        let into = self.ran.as_nanos() % TICK.as_nanos();
        Duration::from_nanos(u64::try_from(into).unwrap_or(0))
    }
}

/// Converts a duration to ticks, rounding up.
fn ticks(span: Duration) -> u32 {
    u32::try_from(span.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u32::MAX)
}

impl Core {
    /// Schedules the checks of a new session.
    pub(super) fn schedule_session(&mut self, index: usize, expires: Option<u64>) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let check = Check {
            session: number(index),
            token: session.token,
            what: What::Life,
        };
        let what = What::Quiet;
        let now = self.now.monotonic;
        self.timers
            .add(self.settings.ping_interval, self.now.monotonic, check);
        self.timers.add(QUIET, now, Check { what, ..check });
        if let Some(expires) = expires {
            self.check_expiry(check, expires);
        }
    }

    /// Schedules the time at which a closing session is dropped.
    pub(super) fn schedule_cut(&mut self, index: usize, after: Duration) {
        if let Some(session) = self.sessions.get(index) {
            let check = Check {
                session: number(index),
                token: session.token,
                what: What::Life,
            };
            self.timers.add(after, self.now.monotonic, check);
        }
    }

    /// Runs each check that is due, once.
    pub(super) fn run_due_checks(&mut self) {
        for check in self.timers.due(self.now.monotonic) {
            let Some(session) = self.sessions.find(check.session, check.token) else {
                continue;
            };
            match check.what {
                What::Life => self.check_liveness(check),
                What::Quiet if session.is_ending() => {}
                What::Quiet => self.check_idle(check),
                What::Expiry => {
                    if let Some(expires) = session.grant.expires() {
                        self.check_expiry(check, expires);
                    }
                }
            }
        }
    }

    /// Checks that a session responds: pings it if nothing has been received since the last check,
    /// and closes it if an earlier ping brought no response.
    fn check_liveness(&mut self, check: Check) {
        let index = check.session as usize;
        let tick = self.timers.tick();
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if let Some(ending) = &session.ending {
            if ending.until <= tick {
                self.lose(index);
            }
            return;
        }
        if session.is_sse {
            // Nobody answers an SSE comment; the socket itself notices if it is not acknowledged.
            if session.outgoing.is_none() {
                self.ping(index);
            }
            self.timers
                .add(self.settings.ping_interval, self.now.monotonic, check);
            return;
        }
        let has_received = std::mem::replace(&mut session.has_received, false);
        if has_received {
            session.ping = Ping::None;
            self.timers
                .add(self.settings.ping_interval, self.now.monotonic, check);
        } else if session.ping == Ping::Sent {
            self.metrics.heartbeat_failures.inc();
            self.close(index, close::HEARTBEAT, "no answer to a ping");
        } else {
            session.ping = Ping::Sent;
            self.ping(index);
            self.timers
                .add(self.settings.pong_timeout, self.now.monotonic, check);
        }
    }

    fn ping(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.say(Opcode::Ping, b"");
            self.metrics.pings.inc();
            self.sessions.mark_to_send(index);
        }
    }

    /// Pings a session that has no streams, and closes it when it stays idle for too long: it
    /// occupies a place that another client could use.
    fn check_idle(&mut self, check: Check) {
        let index = check.session as usize;
        let most = self.settings.idle_session_timeout;
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let is_idle = session.request.is_none() && session.subscriptions().next().is_none();
        session.idle_checks = if is_idle {
            session.idle_checks.saturating_add(1)
        } else {
            0
        };
        if is_idle && QUIET * u32::from(session.idle_checks) >= most && !most.is_zero() {
            self.close(index, close::IDLE, "no stream for too long");
            return;
        }
        // A full socket would only hold more.
        if is_idle && !session.blocked && session.outgoing.is_none() {
            self.ping(index);
        }
        self.timers.add(QUIET, self.now.monotonic, check);
    }

    /// Closes a session whose token has expired, or schedules the next check.
    fn check_expiry(&mut self, check: Check, expires: u64) {
        let now = self.now.wall.0 / 1_000_000_000;
        let left = Duration::from_secs(expires.saturating_sub(now));
        if left.is_zero() {
            let index = check.session as usize;
            self.close(index, close::EXPIRED, "the token has expired");
            return;
        }
        let what = What::Expiry;
        let after = left.min(EXPIRY_LOOK);
        self.timers
            .add(after, self.now.monotonic, Check { what, ..check });
    }
}
