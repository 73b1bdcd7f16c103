use std::collections::BTreeMap;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::SubscribeArgs;
use super::tally::Tally;

/// The names of the messages, by template id.
const TEMPLATES: [&str; 12] = [
    "?",
    "Instrument",
    "BookSnapshot",
    "BookDelta",
    "Bbo",
    "Trades",
    "Ticker",
    "Bar",
    "Status",
    "Heartbeat",
    "Lag",
    "GoAway",
];

/// What was measured.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    clients: usize,
    verifying: usize,
    stalled: usize,
    seconds: f64,
    connected: u64,
    subscribed: u64,
    streams: u64,
    refused: u64,
    failed: u64,
    frames: u64,
    bytes: u64,
    reads: u64,
    templates: BTreeMap<&'static str, u64>,
    from_node: Latency,
    from_event: Latency,
    pings: u64,
    closed: BTreeMap<u16, u64>,
    verified: u64,
    gaps: u64,
    losses: u64,
    mismatches: u64,
    undecodable: u64,
    resyncs: u64,
    lags: u64,
    reconnects: u64,
    /// How busy the swarm's own core was: near 1 it is the swarm that is measured.
    core: f64,
    first_trouble: Option<String>,
}

/// Microseconds.
#[derive(Debug, Serialize)]
struct Latency {
    messages: u64,
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl Latency {
    fn of(nanos: &Histogram<u64>) -> Self {
        let micros = |value: u64| value as f64 / 1e3;
        let at = |quantile| micros(nanos.value_at_quantile(quantile));
        Self {
            messages: nanos.len(),
            mean: nanos.mean() / 1e3,
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(nanos.max()),
        }
    }
}

impl Report {
    pub(super) fn new(args: &SubscribeArgs, tally: &Tally, seconds: f64, core: f64) -> Self {
        let templates = TEMPLATES.iter().zip(tally.templates);
        Self {
            clients: args.clients,
            verifying: args.verifying,
            stalled: args.stalled,
            seconds,
            connected: tally.connected,
            subscribed: tally.subscribed,
            streams: tally.streams,
            refused: tally.refused,
            failed: tally.failed,
            frames: tally.frames,
            bytes: tally.bytes,
            reads: tally.reads,
            templates: templates
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (*name, count))
                .collect(),
            from_node: Latency::of(&tally.from_node),
            from_event: Latency::of(&tally.from_event),
            pings: tally.pings,
            closed: tally.closed.clone(),
            verified: tally.verified,
            gaps: tally.gaps,
            losses: tally.losses,
            mismatches: tally.mismatches,
            undecodable: tally.undecodable,
            resyncs: tally.resyncs,
            lags: tally.lags,
            reconnects: tally.reconnects,
            core,
            first_trouble: tally.first_trouble.clone(),
        }
    }

    /// Whether all clients were served, and nothing that was verified was wrong.
    pub(super) fn is_right(&self) -> bool {
        self.failed == 0 && self.mismatches == 0 && self.losses == 0 && self.undecodable == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = |count: u64| count as f64 / self.seconds;
        writeln!(
            f,
            "clients      {} ({} verifying, {} stalled): {} connected, {} subscribed to {} streams, {} refused, {} failed",
            self.clients,
            self.verifying,
            self.stalled,
            self.connected,
            self.subscribed,
            self.streams,
            self.refused,
            self.failed
        )?;
        writeln!(
            f,
            "received     {} frames in {:.1} s: {:.0}/s, {:.1} MB/s, {:.1} frames a read; the swarm used {:.0} % of a core",
            self.frames,
            self.seconds,
            per_second(self.frames),
            per_second(self.bytes) / 1e6,
            self.frames as f64 / self.reads.max(1) as f64,
            self.core * 100.0
        )?;
        for (name, count) in &self.templates {
            writeln!(f, "  {name:12} {count:>12}  {:>10.0}/s", per_second(*count))?;
        }
        writeln!(
            f,
            "latency, us  {:>12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "messages", "mean", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (name, latency) in [
            ("from node", &self.from_node),
            ("from event", &self.from_event),
        ] {
            writeln!(
                f,
                "  {name:10} {:>12} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0}",
                latency.messages,
                latency.mean,
                latency.p50,
                latency.p90,
                latency.p99,
                latency.p999,
                latency.max
            )?;
        }
        writeln!(
            f,
            "verified     {} book messages: {} mismatches, {} gaps, {} losses, {} resyncs, {} lags, {} reconnects, {} undecodable",
            self.verified,
            self.mismatches,
            self.gaps,
            self.losses,
            self.resyncs,
            self.lags,
            self.reconnects,
            self.undecodable
        )?;
        writeln!(
            f,
            "connections  {} pings; closed by the node: {:?}",
            self.pings, self.closed
        )?;
        match &self.first_trouble {
            Some(trouble) => writeln!(f, "first trouble: {trouble}"),
            None => Ok(()),
        }
    }
}
