use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::SubscribeArgs;
use super::latency::{Durations, Percentiles};
use super::servers::Servers;
use super::tally::{Counts, Tally};

/// Message names by template id.
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

/// The result. All latencies are in µs.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    clients: usize,
    verifying: usize,
    stalled: usize,
    slow: usize,
    processes: usize,
    seconds: f64,
    #[serde(flatten)]
    counts: Counts,
    messages_a_second: f64,
    /// By message name.
    messages: BTreeMap<&'static str, u64>,
    latency: Latency,
    join: Join,
    storm: Option<Storm>,
    /// Of stalled clients: from the first read after the stall until a book was verified that the
    /// node published later.
    awake: Option<Percentiles>,
    closed: BTreeMap<u16, u64>,
    /// Cores that the swarm used, and the busiest of its processes. Near 1, the swarm is the
    /// bottleneck.
    core: f64,
    busiest_core: f64,
    servers: Option<Servers>,
    first_trouble: Option<String>,
}

/// By stage, from the times in market data messages.
#[derive(Debug, Serialize)]
struct Latency {
    event_to_log: Percentiles,
    log_to_publish: Percentiles,
    publish_to_read: Percentiles,
    event_to_read: Percentiles,
}

/// How long clients took to connect and subscribe.
#[derive(Debug, Serialize)]
struct Join {
    /// From the first connect until all were live.
    all_live_ms: f64,
    /// Of each client.
    each: Percentiles,
}

/// How clients reconnected after all were disconnected.
#[derive(Debug, Serialize)]
struct Storm {
    all_back_ms: f64,
    each: Percentiles,
    /// Streams that resumed, and those that started with a snapshot.
    resumed: u64,
    snapshots: u64,
}

impl Report {
    pub(super) fn new(
        args: &SubscribeArgs,
        tally: &Tally,
        busiest_core: f64,
        servers: Option<Servers>,
    ) -> Self {
        let templates = TEMPLATES.iter().zip(tally.templates);
        let (counts, clock, stages) = (tally.counts, tally.clock, &tally.stages);
        let some = |durations: &Durations| (durations.len() > 0).then(|| durations.percentiles());
        Self {
            clients: args.clients,
            verifying: args.verifying,
            stalled: args.stalled,
            slow: args.slow,
            processes: args.processes,
            seconds: clock.seconds,
            counts,
            messages_a_second: counts.frames as f64 / clock.seconds,
            messages: templates
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (*name, count))
                .collect(),
            latency: Latency {
                event_to_log: stages.event_to_log.percentiles(),
                log_to_publish: stages.log_to_publish.percentiles(),
                publish_to_read: stages.publish_to_read.percentiles(),
                event_to_read: stages.event_to_read.percentiles(),
            },
            join: Join {
                all_live_ms: clock.all_live_ms,
                each: tally.join.percentiles(),
            },
            storm: clock.all_back_ms.map(|all_back_ms| Storm {
                all_back_ms,
                each: tally.rejoin.percentiles(),
                resumed: counts.resumed,
                snapshots: counts.snapshots,
            }),
            awake: some(&tally.awake),
            closed: tally.closed.clone(),
            core: clock.core,
            busiest_core,
            servers,
            first_trouble: tally.first_trouble.clone(),
        }
    }

    /// Returns whether all clients were served, and nothing was found wrong.
    pub(super) const fn is_right(&self) -> bool {
        let counts = &self.counts;
        counts.failed == 0
            && counts.mismatches == 0
            && counts.losses == 0
            && counts.undecodable == 0
            && counts.breaks == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        let per_second = |count: u64| count as f64 / self.seconds;
        writeln!(
            f,
            "clients      {} ({} verifying, {} stalled, {} slow): {} connected, {} live with {} streams, {} rejected, {} failed, {} retried",
            self.clients,
            self.verifying,
            self.stalled,
            self.slow,
            counts.connected,
            counts.live,
            counts.streams,
            counts.refused,
            counts.failed,
            counts.retried
        )?;
        writeln!(
            f,
            "received     {} messages in {:.1} s: {:.0}/s, {:.1} MB/s, {:.1} messages a read; the swarm used {:.0} % of a core",
            counts.frames,
            self.seconds,
            per_second(counts.frames),
            per_second(counts.bytes) / 1e6,
            counts.frames as f64 / counts.reads.max(1) as f64,
            self.core * 100.0
        )?;
        for (name, count) in &self.messages {
            writeln!(f, "  {name:12} {count:>12}  {:>10.0}/s", per_second(*count))?;
        }
        self.write_latencies(f)?;
        writeln!(
            f,
            "verified     {} book messages: {} mismatches, {} gaps, {} losses, {} resyncs, {} lags, {} reconnects, {} undecodable; {} breaks",
            counts.verified,
            counts.mismatches,
            counts.gaps,
            counts.losses,
            counts.resyncs,
            counts.lags,
            counts.reconnects,
            counts.undecodable,
            counts.breaks
        )?;
        writeln!(
            f,
            "connections  all live in {:.0} ms; {} pings; closed by the node: {:?}",
            self.join.all_live_ms, counts.pings, self.closed
        )?;
        if let Some(storm) = &self.storm {
            writeln!(
                f,
                "cut off      all back in {:.0} ms: {} streams resumed, {} restarted with a snapshot",
                storm.all_back_ms, storm.resumed, storm.snapshots
            )?;
        }
        if self.awake.is_some() {
            writeln!(
                f,
                "awake        {} streams had to be requested again",
                counts.asked_again
            )?;
        }
        if let Some(servers) = &self.servers {
            write_servers(f, servers, self.seconds)?;
        }
        match &self.first_trouble {
            Some(trouble) => writeln!(f, "first trouble: {trouble}"),
            None => Ok(()),
        }
    }
}

impl Report {
    fn write_latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "latency, us      {:>12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "count", "mean", "p50", "p90", "p99", "p99.9", "max"
        )?;
        let latency = &self.latency;
        let mut rows = vec![
            ("event to log", &latency.event_to_log),
            ("log to node", &latency.log_to_publish),
            ("node to read", &latency.publish_to_read),
            ("event to read", &latency.event_to_read),
            ("join", &self.join.each),
        ];
        rows.extend(self.storm.iter().map(|storm| ("come back", &storm.each)));
        rows.extend(self.awake.iter().map(|awake| ("awake", awake)));
        for (name, row) in rows {
            writeln!(
                f,
                "  {name:14} {:>12} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0} {:>10.0}",
                row.count, row.mean, row.p50, row.p90, row.p99, row.p999, row.max
            )?;
        }
        Ok(())
    }
}

fn write_servers(f: &mut fmt::Formatter<'_>, servers: &Servers, seconds: f64) -> fmt::Result {
    let share = |micros: u64| micros as f64 / 1e4 / seconds;
    write!(
        f,
        "servers      {:.3} us a delivery, {:.0} % of a core:",
        servers.us_a_delivery,
        share(servers.spent.cpu_us)
    )?;
    for (name, micros) in &servers.groups_us_a_delivery {
        let cores = servers.spent.groups.get(name).copied().unwrap_or_default();
        write!(f, " {name} {micros:.3} us ({:.0} %)", share(cores))?;
    }
    writeln!(f)?;
    writeln!(
        f,
        "memory       {} KiB before, {} live, {} at the end: of its own {:.2} KiB a client; the kernel's {:.2} KiB a client",
        servers.rss_before_kib,
        servers.rss_live_kib,
        servers.rss_end_kib,
        servers.kib_a_client,
        servers.kernel_kib_a_client
    )
}
