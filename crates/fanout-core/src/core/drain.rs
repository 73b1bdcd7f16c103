//! Draining: closing all sessions in waves.

use std::time::Duration;

use market::{Monotonic, Now};
use streams::Opcode;
use wire::json::InstrumentText;
use wire::packed::Packer;
use wire::{Encoding, GoAway, GoAwayReason, Head, json, sbe};

use super::Core;
use crate::sessions::number;

/// Minimum time between waves, which limits their number.
const WAVE: Duration = Duration::from_millis(100);
const MOST_WAVES: u32 = 1000;
/// Time that sessions have to close too, after their close frame.
pub(super) const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// A drain in progress.
///
/// Each session is sent its `GoAway` in a wave, and is closed a delay later, so that the nodes that
/// take over the clients do not build all their snapshots at once.
pub(super) struct Drain {
    reason: GoAwayReason,
    delay: Duration,
    began: Monotonic,
    /// Time between waves.
    step: Duration,
    waves: u32,
    /// Sessions per wave.
    each: usize,
    /// Sessions open at the start, with their tokens.
    sessions: Vec<(usize, u32)>,
    /// Waves that have been sent their `GoAway`, and waves that have been closed.
    sent_away: u32,
    closed: u32,
    /// When the clients' time to answer the last close frames is over.
    over: Option<Monotonic>,
}

impl Drain {
    pub(super) fn new(
        reason: GoAwayReason,
        delay: Duration,
        spread: Duration,
        sessions: Vec<(usize, u32)>,
        now: Now,
    ) -> Self {
        let waves = u32::try_from(spread.as_millis() / WAVE.as_millis()).unwrap_or(MOST_WAVES);
        let waves = waves.clamp(1, MOST_WAVES);
        Self {
            reason,
            delay,
            began: now.monotonic,
            step: spread / waves,
            waves,
            each: sessions.len().div_ceil(waves as usize).max(1),
            sessions,
            sent_away: 0,
            closed: 0,
            over: None,
        }
    }

    /// Returns when the drain has something to do; `None` once it is over.
    pub(super) fn next_due(&self, now: Monotonic) -> Option<Monotonic> {
        match self.over {
            Some(over) => (over > now).then_some(over),
            None => Some(self.next_wave()),
        }
    }

    /// Returns when the next wave is due.
    fn next_wave(&self) -> Monotonic {
        let goes = (self.sent_away < self.waves).then(|| self.began + self.step * self.sent_away);
        let closes = self.began + self.step * self.closed + self.delay;
        goes.map_or(closes, |goes| goes.min(closes))
    }

    /// Returns whether the drain is over.
    pub(super) fn is_over(&self, is_empty: bool, now: Monotonic) -> bool {
        self.over.is_some_and(|over| is_empty || over <= now)
    }

    fn wave(&self, number: u32) -> Vec<(usize, u32)> {
        let mut waves = self.sessions.chunks(self.each);
        waves.nth(number as usize).unwrap_or(&[]).to_vec()
    }
}

impl Core {
    /// Sends `GoAway` to the waves that are due, and closes those whose delay has passed.
    pub(super) fn advance_drain(&mut self) {
        let now = self.now.monotonic;
        loop {
            let is_empty = self.sessions.is_empty();
            let Some(drain) = self.drain.as_mut().filter(|drain| drain.over.is_none()) else {
                return;
            };
            let all_gone =
                drain.sent_away == drain.waves && is_empty && drain.began + drain.delay <= now;
            if all_gone || drain.closed == drain.waves {
                drain.over = Some(now + CLOSE_GRACE);
                self.close_all();
                return;
            }
            if drain.next_wave() > now {
                return;
            }
            let goes = drain.began + drain.step * drain.sent_away;
            let closes = drain.began + drain.step * drain.closed + drain.delay;
            if drain.sent_away < drain.waves && goes <= closes {
                let wave = drain.wave(drain.sent_away);
                drain.sent_away += 1;
                let (reason, delay) = (drain.reason, drain.delay);
                self.send_away(&wave, reason, delay);
            } else {
                let wave = drain.wave(drain.closed);
                drain.closed += 1;
                for session in wave {
                    if self.is_still_open(session) {
                        self.close_restart(session.0);
                    }
                }
            }
        }
    }

    fn is_still_open(&self, (index, token): (usize, u32)) -> bool {
        let session = self.sessions.get(index);
        session.is_some_and(|session| session.token == token && !session.is_ending())
    }

    /// Sends a wave its `GoAway`. Each session gets its own deadline, so that clients that wait as
    /// long as they may still do not reconnect all at once.
    fn send_away(&mut self, wave: &[(usize, u32)], reason: GoAwayReason, delay: Duration) {
        let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        for (at, session) in wave.iter().copied().enumerate() {
            if !self.is_still_open(session) {
                continue;
            }
            // Deadlines are spread over the second half of the delay; the golden ratio spreads any
            // number evenly.
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
        sbe::go_away(&mut message, &Head::of_connection(self.now.wall), &go_away);
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
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        match session.encoding {
            Encoding::Json => session.say(Opcode::Text, &text),
            Encoding::Packed => session.say(Opcode::Binary, &packed),
            Encoding::Sbe => session.say(Opcode::Binary, &message),
        }
        self.sessions.mark_to_send(index);
    }

    /// Closes every session.
    fn close_all(&mut self) {
        let all: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in all {
            self.close_restart(index);
        }
    }
}
