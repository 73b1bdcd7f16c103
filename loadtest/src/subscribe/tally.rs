use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::{Durations, Stages};

/// Template ids of market data with times: BookDelta, Bbo and Trades.
const MARKET: std::ops::RangeInclusive<u8> = 3..=5;

/// What the swarm counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Whether the measurement is running.
    #[serde(skip)]
    pub(super) measuring: bool,
    /// Time of the current read, in ns since 1970.
    #[serde(skip)]
    now: u64,
    pub(super) counts: Counts,
    /// Frames by template id.
    pub(super) templates: [u64; 16],
    pub(super) stages: Stages,
    /// Of each client, from connecting until it has all its streams.
    pub(super) join: Durations,
    /// The same after all were disconnected.
    pub(super) rejoin: Durations,
    /// Of each stalled client, from the first read after the stall until a book was verified that
    /// the node published later.
    pub(super) awake: Durations,
    /// Connections closed by nodes, by code.
    pub(super) closed: BTreeMap<u16, u64>,
    pub(super) first_trouble: Option<String>,
    pub(super) clock: Clock,
}

/// Counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// During the measurement.
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) reads: u64,

    pub(super) connected: u64,
    /// Clients that have had all their streams.
    pub(super) live: u64,
    pub(super) streams: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
    /// Repeated attempts to connect to a full or dead node.
    pub(super) retried: u64,
    pub(super) pings: u64,

    /// How streams started after all clients were disconnected.
    pub(super) resumed: u64,
    pub(super) snapshots: u64,
    /// Gaps in the streams of counting clients, which are tracked if all are to be disconnected.
    pub(super) breaks: u64,

    /// Of the verifying clients.
    pub(super) verified: u64,
    pub(super) gaps: u64,
    pub(super) losses: u64,
    pub(super) mismatches: u64,
    pub(super) undecodable: u64,
    pub(super) resyncs: u64,
    pub(super) lags: u64,
    pub(super) reconnects: u64,
    /// Streams that stalled clients had to request again.
    pub(super) asked_again: u64,
}

/// Times of the phases, and CPU time of the swarm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Clock {
    /// Length of the measurement.
    pub(super) seconds: f64,
    /// From the first connect until all were live.
    pub(super) all_live_ms: f64,
    /// From the disconnect until all were live again.
    pub(super) all_back_ms: Option<f64>,
    /// Cores that the swarm used. Near 1, the swarm is the bottleneck.
    pub(super) core: f64,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            measuring: false,
            now: 0,
            counts: Counts::default(),
            templates: [0; 16],
            stages: Stages::new()?,
            join: Durations::new()?,
            rejoin: Durations::new()?,
            awake: Durations::new()?,
            closed: BTreeMap::new(),
            first_trouble: None,
            clock: Clock::default(),
        })
    }

    /// Starts a read, at `now`.
    pub(super) fn begin_read(&mut self, now: u64) {
        self.now = now;
        self.counts.reads += u64::from(self.measuring);
    }

    /// Counts a binary message.
    #[inline]
    pub(super) fn message(&mut self, payload: &[u8]) {
        if !self.measuring {
            return;
        }
        self.counts.frames += 1;
        self.counts.bytes += payload.len() as u64;
        let template = payload.get(2).copied().unwrap_or_default();
        self.templates[usize::from(template & 0xf)] += 1;
        if MARKET.contains(&template) {
            self.stages.message(payload, self.now);
        }
    }

    pub(super) fn end_read(&mut self) {
        self.stages.settle();
    }

    /// Reports a problem of a client; the first one is shown.
    pub(super) fn trouble(&mut self, what: impl std::fmt::Display) {
        self.first_trouble.get_or_insert_with(|| what.to_string());
    }

    /// Counts a connection that a node closed.
    pub(super) fn close(&mut self, payload: &[u8]) {
        let code = match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => 1005,
        };
        *self.closed.entry(code).or_default() += 1;
    }

    /// Adds what another part of the swarm counted at the same time.
    pub(super) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.counts.add(&other.counts);
        for (sum, count) in self.templates.iter_mut().zip(other.templates) {
            *sum += count;
        }
        self.stages.add(&other.stages)?;
        self.join.add(&other.join)?;
        self.rejoin.add(&other.rejoin)?;
        self.awake.add(&other.awake)?;
        for (code, count) in &other.closed {
            *self.closed.entry(*code).or_default() += count;
        }
        if self.first_trouble.is_none() {
            self.first_trouble.clone_from(&other.first_trouble);
        }
        self.clock.add(&other.clock);
        Ok(())
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        // Destructured, so that a forgotten field does not compile.
        let Self {
            frames,
            bytes,
            reads,
            connected,
            live,
            streams,
            refused,
            failed,
            retried,
            pings,
            resumed,
            snapshots,
            breaks,
            verified,
            gaps,
            losses,
            mismatches,
            undecodable,
            resyncs,
            lags,
            reconnects,
            asked_again,
        } = other;
        for (sum, count) in [
            (&mut self.frames, frames),
            (&mut self.bytes, bytes),
            (&mut self.reads, reads),
            (&mut self.connected, connected),
            (&mut self.live, live),
            (&mut self.streams, streams),
            (&mut self.refused, refused),
            (&mut self.failed, failed),
            (&mut self.retried, retried),
            (&mut self.pings, pings),
            (&mut self.resumed, resumed),
            (&mut self.snapshots, snapshots),
            (&mut self.breaks, breaks),
            (&mut self.verified, verified),
            (&mut self.gaps, gaps),
            (&mut self.losses, losses),
            (&mut self.mismatches, mismatches),
            (&mut self.undecodable, undecodable),
            (&mut self.resyncs, resyncs),
            (&mut self.lags, lags),
            (&mut self.reconnects, reconnects),
            (&mut self.asked_again, asked_again),
        ] {
            *sum += count;
        }
    }
}

impl Clock {
    /// Of two in parallel: the longer times, and the sum of the CPU time.
    fn add(&mut self, other: &Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.all_live_ms = self.all_live_ms.max(other.all_live_ms);
        self.all_back_ms = match (self.all_back_ms, other.all_back_ms) {
            (Some(one), Some(two)) => Some(one.max(two)),
            (one, two) => one.or(two),
        };
        self.core += other.core;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_swarm_are_summed() {
        let mut one = Tally::new().unwrap();
        one.measuring = true;
        one.begin_read(5);
        one.message(&[60, 0, 3, 0]);
        one.message(&[60, 0, 10, 0]);
        one.end_read();
        one.close(&[0x0f, 0xa0]);
        one.clock.all_live_ms = 7.0;
        let text = serde_json::to_string(&one).unwrap();
        let mut two: Tally = serde_json::from_str(&text).unwrap();
        two.clock.all_back_ms = Some(3.0);
        two.trouble("late");
        one.add(&two).unwrap();
        assert_eq!((one.counts.frames, one.counts.bytes), (4, 16));
        assert_eq!((one.templates[3], one.templates[10]), (2, 2));
        assert_eq!(one.closed[&4000], 2);
        assert_eq!(
            (one.clock.all_live_ms, one.clock.all_back_ms),
            (7.0, Some(3.0))
        );
        assert_eq!(one.first_trouble.as_deref(), Some("late"));
    }

    #[test]
    fn the_start_of_a_swarm_is_not_measured() {
        let mut tally = Tally::new().unwrap();
        tally.begin_read(5);
        tally.message(&[60, 0, 3, 0]);
        tally.end_read();
        assert_eq!(tally.counts, Counts::default());
    }
}
