//! What time alone asks for, and the end of a shard.

use std::time::{Duration, Instant};

use streams::Opcode;
use wire::json::InstrumentText;
use wire::packed::Packer;
use wire::{Encoding, GoAway, GoAwayReason, Head, close, json, sbe};

use super::state::{State, number};
use crate::access;
use crate::clock::wall_clock;
use crate::session::Ping;

/// A tick of a shard's clock: how exact pings and deadlines are.
pub(super) const TICK: Duration = Duration::from_millis(250);
/// Ticks that a shard makes up for at once when it was held up: a minute.
const MOST_TICKS: u32 = 240;

/// A session that is to be looked after.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    session: u32,
    token: u32,
    what: What,
}

/// What it is looked after for.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Whether it lives.
    Life,
    /// Whether it was told anything.
    Quiet,
    /// Whether what let it in still holds.
    Expiry,
}

/// The longest that is waited for an expiry at once: clocks are set, and then it comes earlier.
const EXPIRY_LOOK: Duration = Duration::from_secs(60);

/// How often a session without streams is told something. Streams tell where they stand every few
/// seconds; so whoever hears nothing from a node for some seconds more, a client or a balancer,
/// knows that the node hangs or is gone.
pub(super) const QUIET: Duration = Duration::from_secs(4);

impl Check {
    pub(super) fn quiet(session: usize, token: u32) -> Self {
        Self {
            what: What::Quiet,
            ..Self::life(session, token)
        }
    }

    pub(super) fn life(session: usize, token: u32) -> Self {
        Self {
            session: number(session),
            token,
            what: What::Life,
        }
    }
}

/// A span in ticks, rounded up.
pub(super) fn ticks(span: Duration) -> u32 {
    u32::try_from(span.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u32::MAX)
}

impl State {
    /// Pings, deadlines, and commands that a publisher could not take.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        self.settings = self.common.live.get();
        let behind = (self.millis(now) / millis(TICK)).wrapping_sub(self.checks.now());
        for _ in 0..behind.min(MOST_TICKS) {
            for check in self.checks.tick() {
                self.look_after(check, now);
            }
        }
        self.metrics.sessions_blocked.set(self.blocked as u64);
        for publisher in &mut self.publishers {
            if publisher.is_waiting() {
                publisher.retry();
            }
        }
    }

    /// Looks after a session whose time has come. One that was heard of since is left alone; else
    /// it is sent a ping, and closed when that brings no sign of life either.
    fn look_after(&mut self, check: Check, now: Instant) {
        let index = check.session as usize;
        let Some(session) = self
            .sessions
            .get_mut(index)
            .filter(|session| session.token == check.token)
        else {
            return;
        };
        if matches!(check.what, What::Expiry) {
            if let Some(expires) = session.about.seat.grant().expires() {
                self.look_at_expiry(index, check.token, expires);
            }
            return;
        }
        if matches!(check.what, What::Quiet) {
            if session.ending.is_none() {
                self.break_silence(index);
                self.checks.add(ticks(QUIET), check);
            }
            return;
        }
        if let Some(ending) = &session.ending {
            if ending.until <= now {
                self.lose(index);
            }
            return;
        }
        if session.is_events {
            // Nobody answers a comment; the kernel tells when nobody takes it (`TCP_USER_TIMEOUT`).
            if session.outgoing.is_none() {
                session.say(Opcode::Ping, b"");
                self.metrics.pings.inc();
                self.mark_to_send(index);
            }
            self.checks.add(ticks(self.settings.ping_interval), check);
            return;
        }
        let heard = std::mem::replace(&mut session.heard, false);
        if heard {
            session.ping = Ping::None;
        } else if session.ping == Ping::Sent {
            self.metrics.heartbeat_failures.inc();
            self.close(index, close::HEARTBEAT, "no answer to a ping");
            return;
        }
        let wait = if heard {
            self.settings.ping_interval
        } else {
            session.say(Opcode::Ping, b"");
            session.ping = Ping::Sent;
            self.metrics.pings.inc();
            self.mark_to_send(index);
            self.settings.pong_timeout
        };
        self.checks.add(ticks(wait), check);
    }

    /// Pings a session that has no streams.
    fn break_silence(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let is_quiet = session.subs().next().is_none();
        // Whose socket takes nothing would only have more to take.
        if is_quiet && !session.blocked && session.outgoing.is_none() {
            session.say(Opcode::Ping, b"");
            self.metrics.pings.inc();
            self.mark_to_send(index);
        }
    }

    /// Closes a session whose token has expired, or looks again when it will have.
    pub(super) fn look_at_expiry(&mut self, index: usize, token: u32, expires: u64) {
        let left = Duration::from_secs(expires.saturating_sub(access::now()));
        if left.is_zero() {
            self.close(index, close::EXPIRED, "the token has expired");
            return;
        }
        let check = Check {
            what: What::Expiry,
            ..Check::life(index, token)
        };
        self.checks.add(ticks(left.min(EXPIRY_LOOK)), check);
    }

    /// All sessions, to be told one after another that the node stops.
    pub(super) fn all_sessions(&self) -> Vec<(usize, u32)> {
        let sessions = self.sessions.iter();
        sessions
            .map(|(index, session)| (index, session.token))
            .collect()
    }

    fn is_still(&self, (index, token): (usize, u32)) -> bool {
        let session = self.sessions.get(index);
        session.is_some_and(|session| session.token == token && !session.is_ending())
    }

    /// Tells sessions that the node stops. Each is given a time of its own to go within, so that
    /// also clients that all wait as long as they may do not come back together.
    pub(super) fn say_go_away(
        &mut self,
        wave: &[(usize, u32)],
        reason: GoAwayReason,
        delay: Duration,
    ) {
        let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        for (at, session) in wave.iter().copied().enumerate() {
            if !self.is_still(session) {
                continue;
            }
            // Spread over the half behind the first: the golden ratio fills it evenly, however many
            // there are.
            let share = u64::from(number(at).wrapping_mul(0x9e37_79b9));
            let jitter = (share * u64::from(millis / 2)) >> 32;
            let delay = millis - u32::try_from(jitter).unwrap_or(0);
            self.send_go_away(session.0, reason, delay, millis);
        }
    }

    fn send_go_away(&mut self, index: usize, reason: GoAwayReason, delay: u32, close_after: u32) {
        let go_away = GoAway {
            reason,
            delay,
            close_after,
        };
        let mut message = Vec::new();
        sbe::go_away(&mut message, &Head::of_connection(wall_clock()), &go_away);
        let mut text = Vec::new();
        let mut packed = Vec::new();
        if let Ok((message, _)) = sbe::Message::decode(&message) {
            Packer::new().pack(&mut packed, &message);
            let nobody = InstrumentText {
                name: "",
                exponents: market::Exponents::default(),
            };
            json::write(&mut text, &message, &nobody);
        }
        let session = &mut self.sessions[index];
        match session.encoding {
            Encoding::Json => session.say(Opcode::Text, &text),
            Encoding::Packed => session.say(Opcode::Binary, &packed),
            Encoding::Sbe => session.say(Opcode::Binary, &message),
        }
        self.mark_to_send(index);
    }

    /// Closes sessions that were told long enough ago.
    pub(super) fn close_wave(&mut self, wave: &[(usize, u32)]) {
        for session in wave.iter().copied() {
            if self.is_still(session) {
                self.close_restart(session.0);
            }
        }
    }

    /// Closes every session: the node stops.
    pub(super) fn close_all(&mut self) {
        let indices: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in indices {
            self.close_restart(index);
        }
    }
}

const fn millis(span: Duration) -> u32 {
    let millis = span.as_millis();
    assert!(millis > 0 && millis <= u32::MAX as u128);
    #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
    {
        millis as u32
    }
}
