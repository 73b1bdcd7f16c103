//! What time alone asks for, and the end of a shard.

use std::time::{Duration, Instant};

use streams::Opcode;
use wire::json::InstrumentText;
use wire::{Encoding, GoAway, GoAwayReason, Head, close, json, sbe};

use super::state::{State, wall_clock};
use crate::session::{Ending, Ping};

impl State {
    /// Pings, deadlines, and commands that a publisher could not take.
    pub(super) fn sweep(&mut self) {
        let now = Instant::now();
        self.sweep_pings(now);
        self.sweep_closing(now);
        for publisher in &mut self.publishers {
            if publisher.is_waiting() {
                publisher.retry();
            }
        }
        self.send_to_all();
    }

    /// Looks after every session when its time has come. A session that was heard of since is
    /// left alone; else it is sent a ping, and closed when that brings no sign of life either.
    fn sweep_pings(&mut self, now: Instant) {
        while let Some((due, index, token)) = self.pings.front().copied() {
            if due > now {
                break;
            }
            self.pings.pop_front();
            let Some(session) = self
                .sessions
                .get_mut(index)
                .filter(|session| session.token == token)
            else {
                continue;
            };
            if session.is_ending() {
                continue;
            }
            let heard = std::mem::replace(&mut session.heard, false);
            match session.ping {
                Ping::Sent if !heard => {
                    self.metrics.heartbeat_failures.inc();
                    self.close(index, close::HEARTBEAT, "no answer to a ping");
                    continue;
                }
                _ if heard => session.ping = Ping::None,
                _ => {}
            }
            let wait = if session.ping == Ping::None && !heard {
                session.outgoing.push(Opcode::Ping, b"");
                session.ping = Ping::Sent;
                self.metrics.pings.inc();
                self.mark_dirty(index);
                self.settings.pong_timeout
            } else {
                self.settings.ping_interval
            };
            self.check_again(now + wait, index, token);
        }
    }

    /// Keeps the checks in order: of two intervals, the shorter's checks stand before some others.
    fn check_again(&mut self, due: Instant, index: usize, token: u64) {
        let place = self.pings.partition_point(|(other, ..)| *other <= due);
        self.pings.insert(place, (due, index, token));
    }

    fn sweep_closing(&mut self, now: Instant) {
        for (_, session) in &mut self.sessions {
            if let Ending::Closing { until, .. } = session.ending
                && until <= now
            {
                session.gone = true;
                session.wake();
            }
        }
    }

    /// Tells every session that the node stops.
    pub(super) fn say_go_away(&mut self, reason: GoAwayReason, delay: Duration) {
        let millis = u32::try_from(delay.as_millis()).unwrap_or(u32::MAX);
        let go_away = GoAway {
            reason,
            delay: millis,
            close_after: millis,
        };
        let mut message = Vec::new();
        sbe::go_away(&mut message, &Head::of_connection(wall_clock()), &go_away);
        let mut text = Vec::new();
        if let Ok((message, _)) = sbe::Message::decode(&message) {
            let nobody = InstrumentText {
                name: "",
                exponents: market::Exponents::default(),
            };
            json::write(&mut text, &message, &nobody);
        }
        let indices: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in indices {
            let session = &mut self.sessions[index];
            if session.is_ending() {
                continue;
            }
            match session.encoding {
                Encoding::Json => session.outgoing.push(Opcode::Text, &text),
                _ => session.outgoing.push(Opcode::Binary, &message),
            }
            self.mark_dirty(index);
        }
        self.send_to_all();
    }

    /// Closes every session: the node stops.
    pub(super) fn close_all(&mut self) {
        let indices: Vec<usize> = self.sessions.iter().map(|(index, _)| index).collect();
        for index in indices {
            self.close_restart(index);
        }
        self.send_to_all();
    }
}
