use std::collections::BTreeMap;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use wire::sbe::PUBLISH_TIME_OFFSET;

/// Where the event time stands in every SBE message, and what stands there when there is none.
const EVENT_TIME_OFFSET: usize = 32;
const NO_TIME: u64 = u64::MAX;
/// The template ids that carry the market: BookDelta, Bbo and Trades.
const MARKET: std::ops::RangeInclusive<u8> = 3..=5;
/// The longest latency that is told apart: a minute, in ns.
const MAX_LATENCY: u64 = 60_000_000_000;

/// What the swarm sees.
#[derive(Debug)]
pub(super) struct Tally {
    /// Whether it is counted already: the start of a swarm is no measurement.
    pub(super) measuring: bool,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) reads: u64,
    /// Frames by the template id of their first message.
    pub(super) templates: [u64; 16],
    /// From a message's publish time until it was read.
    pub(super) from_node: Histogram<u64>,
    /// From a market event's own time until it was read.
    pub(super) from_event: Histogram<u64>,

    pub(super) connected: u64,
    pub(super) subscribed: u64,
    pub(super) streams: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
    pub(super) pings: u64,
    pub(super) closed: BTreeMap<u16, u64>,
    pub(super) first_trouble: Option<String>,

    pub(super) verified: u64,
    pub(super) gaps: u64,
    pub(super) losses: u64,
    pub(super) mismatches: u64,
    pub(super) undecodable: u64,
    pub(super) resyncs: u64,
    pub(super) lags: u64,
    pub(super) reconnects: u64,
}

impl Tally {
    pub(super) fn new() -> anyhow::Result<Self> {
        let latencies =
            || Histogram::new_with_bounds(1_000, MAX_LATENCY, 3).context("cannot make a histogram");
        Ok(Self {
            measuring: false,
            frames: 0,
            bytes: 0,
            reads: 0,
            templates: [0; 16],
            from_node: latencies()?,
            from_event: latencies()?,
            connected: 0,
            subscribed: 0,
            streams: 0,
            refused: 0,
            failed: 0,
            pings: 0,
            closed: BTreeMap::new(),
            first_trouble: None,
            verified: 0,
            gaps: 0,
            losses: 0,
            mismatches: 0,
            undecodable: 0,
            resyncs: 0,
            lags: 0,
            reconnects: 0,
        })
    }

    /// A binary message came, read at `now`.
    pub(super) fn message(&mut self, payload: &[u8], now: u64) {
        if !self.measuring {
            return;
        }
        self.frames += 1;
        self.bytes += payload.len() as u64;
        let template = payload.get(2).copied().unwrap_or_default();
        if let Some(count) = self.templates.get_mut(usize::from(template)) {
            *count += 1;
        }
        if let Some(published) = time_at(payload, PUBLISH_TIME_OFFSET) {
            self.from_node
                .saturating_record(now.saturating_sub(published));
        }
        if MARKET.contains(&template)
            && let Some(event) = time_at(payload, EVENT_TIME_OFFSET)
            && event != NO_TIME
        {
            self.from_event.saturating_record(now.saturating_sub(event));
        }
    }

    /// Something went wrong with a client; the first time is shown.
    pub(super) fn trouble(&mut self, what: impl std::fmt::Display) {
        self.first_trouble.get_or_insert_with(|| what.to_string());
    }

    /// A node closed a connection.
    pub(super) fn close(&mut self, payload: &[u8]) {
        let code = match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => 1005,
        };
        *self.closed.entry(code).or_default() += 1;
    }
}

fn time_at(payload: &[u8], offset: usize) -> Option<u64> {
    let bytes = payload.get(offset..)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}
