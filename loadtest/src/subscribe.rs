//! `loadtest subscribe`: a swarm of clients, on one thread or in several processes.
//!
//! Most clients only count: they read frame headers, and the times of some messages. Verifying
//! clients are those of the crate `client`, which keep books and check them. Stalled clients
//! subscribe, read nothing for a while, and then verify that they are caught up correctly. Slow
//! clients count, but read no more than a given number of bytes a second. All counting clients can
//! be disconnected at once, to see how they reconnect.
//!
//! Modules in reading order: [`streams`] decides who subscribes to what; [`socket`] connects;
//! [`latency`] and [`tally`] are what is counted, [`position`] is where a client stands in a
//! stream; the clients are [`counting`], on one thread as a [`swarm`], or [`verifying`]; a
//! [`measurement`] runs in one process or in several [`processes`]; [`servers`] monitors the nodes,
//! and [`report`] is the result.

mod counting;
mod latency;
mod measurement;
mod position;
mod processes;
mod report;
mod servers;
mod socket;
mod streams;
mod swarm;
mod tally;
#[cfg(test)]
mod together;
mod verifying;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use client::Endpoint;
use wire::control::Policy;

pub(crate) use latency::EVENT_TIME_OFFSET;
use measurement::Coordinator;
use report::Report;
use servers::ServerMonitor;
use streams::StreamSpec;

use crate::loopback;
use crate::open_files::raise_open_files;

/// The default stall, which never ends.
const FOR_GOOD: Duration = Duration::from_secs(365 * 24 * 3_600);

/// Connect many clients, and measure what they receive
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SubscribeArgs {
    /// Nodes, separated by commas; clients are spread over them
    #[arg(long, value_delimiter = ',', default_value = "ws://127.0.0.1:8080/ws", value_parser = endpoint)]
    url: Vec<Endpoint>,
    /// Number of clients
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// How many of them verify every sequence and checksum
    #[arg(long, value_name = "CLIENTS", default_value_t = 0)]
    verifying: usize,
    /// How many of them stop reading after they have subscribed
    #[arg(long, value_name = "CLIENTS", default_value_t = 0)]
    stalled: usize,
    /// Seconds that stalled clients do not read, before they verify [default: forever]
    #[arg(long, value_name = "SECONDS")]
    stall: Option<u64>,
    /// How many of them read no faster than --slow-rate
    #[arg(long, value_name = "CLIENTS", default_value_t = 0)]
    slow: usize,
    /// Bytes per second that each slow client reads
    #[arg(long, value_name = "BYTES", default_value_t = 10_000)]
    slow_rate: u64,
    /// Streams as `CHANNEL[@DEPTH]:VENUE:SYMBOL`, separated by commas; {i} stands for each number
    /// up to --instruments, with five digits
    #[arg(long, value_delimiter = ',', default_value = "book:BINANCE:BTC-USDT")]
    streams: Vec<StreamSpec>,
    /// Number of instruments that {i} stands for
    #[arg(long, default_value_t = 1)]
    instruments: usize,
    /// Number of streams that each client picks, at most some 700 [default: all]
    #[arg(long, value_name = "STREAMS")]
    pick: Option<usize>,
    /// Exponent of the popularity of streams, the first being the most popular
    #[arg(long, value_name = "EXPONENT", default_value_t = 1.0)]
    zipf: f64,
    /// Pick streams in order instead, each client those after the previous client's
    #[arg(long, conflicts_with = "zipf")]
    in_order: bool,
    /// Policy for lagging clients: conflate or disconnect
    #[arg(long, default_value = "conflate", value_parser = policy)]
    policy: Policy,
    /// New connections per second; 0 for no limit
    #[arg(long, value_name = "CLIENTS", default_value_t = 1_000)]
    connect_rate: u32,
    /// Maximum number of clients that are connecting or subscribing at once
    #[arg(long, value_name = "CLIENTS", default_value_t = 512)]
    handshakes: usize,
    /// Source addresses, separated by commas; each has some 28,000 ports
    #[arg(long, value_delimiter = ',', value_name = "ADDR")]
    source_ips: Vec<IpAddr>,
    /// Number of processes; on the loopback interface each has its own source addresses
    #[arg(long, default_value_t = 1)]
    processes: usize,
    /// Seconds to measure, after all have subscribed
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Disconnect all counting clients after this many seconds, and have them resume; the time
    /// until all are back is measured separately
    #[arg(long, value_name = "SECONDS")]
    storm: Option<u64>,
    /// Process id of a server, to report what it uses; may be repeated
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// Seed for the choice of streams
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the result to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Number of this process in the swarm
    #[arg(long, hide = true)]
    part: Option<usize>,
    /// Number of clients in the parts before this one.
    #[arg(skip)]
    first: usize,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| error.to_string())
}

fn policy(text: &str) -> Result<Policy, String> {
    match text {
        "conflate" => Ok(Policy::Conflate),
        "disconnect" => Ok(Policy::Disconnect),
        _ => Err("must be conflate or disconnect".to_owned()),
    }
}

pub(crate) fn run(args: SubscribeArgs) -> anyhow::Result<()> {
    args.check()?;
    raise_open_files();
    if let Some(part) = args.part {
        return processes::run_part(&args.share(part));
    }
    let report = measure(&args)?;
    print!("{report}");
    crate::output::write_json(args.json.as_deref(), &report)?;
    ensure!(report.is_right(), "verification failed");
    Ok(())
}

/// Runs a swarm against running nodes.
pub(crate) fn measure(args: &SubscribeArgs) -> anyhow::Result<Report> {
    let mut monitor = ServerMonitor::start(&args.server_pid)?;
    let (tally, busiest) = if args.processes > 1 {
        processes::run(args, monitor.as_mut())?
    } else {
        let tally = measurement::run(args, &mut SingleProcess(monitor.as_mut()))?;
        let core = tally.clock.core;
        (tally, core)
    };
    let servers = monitor.map(|monitor| monitor.finish(args.clients, tally.counts.frames));
    Ok(Report::new(args, &tally, busiest, servers))
}

/// A swarm in one process need not wait for others.
struct SingleProcess<'a>(Option<&'a mut ServerMonitor>);

impl Coordinator for SingleProcess<'_> {
    fn may_measure(&mut self) -> anyhow::Result<bool> {
        if let Some(monitor) = &mut self.0 {
            monitor.live();
        }
        Ok(true)
    }

    fn measured(&mut self) -> anyhow::Result<()> {
        if let Some(monitor) = &mut self.0 {
            monitor.end();
        }
        Ok(())
    }
}

impl SubscribeArgs {
    fn check(&self) -> anyhow::Result<()> {
        let special = self.verifying + self.stalled + self.slow;
        ensure!(
            special <= self.clients,
            "{} clients cannot include {} verifying, {} stalled and {} slow ones",
            self.clients,
            self.verifying,
            self.stalled,
            self.slow
        );
        ensure!(
            (1..=254).contains(&self.processes),
            "processes is {}, must be 1 to 254",
            self.processes
        );
        ensure!(self.seconds > 0, "seconds must not be 0");
        Ok(())
    }

    /// The arguments of one of several processes.
    fn share(&self, part: usize) -> Self {
        let of = |all: usize| all / self.processes + usize::from(part < all % self.processes);
        let before = |all: usize| all / self.processes * part + part.min(all % self.processes);
        let mut share = self.clone();
        share.verifying = of(self.verifying);
        share.stalled = of(self.stalled);
        share.slow = of(self.slow);
        share.clients = of(self.counting()) + share.verifying + share.stalled;
        share.first = before(self.counting()) + before(self.verifying) + before(self.stalled);
        share.handshakes = of(self.handshakes).max(1);
        if let (Ok(processes), true) = (u32::try_from(self.processes), self.connect_rate > 0) {
            share.connect_rate = (self.connect_rate / processes).max(1);
        }
        share.seed = self.seed + part as u64;
        share
    }

    const fn counting(&self) -> usize {
        self.clients - self.verifying - self.stalled
    }

    const fn first(&self) -> usize {
        self.first
    }

    fn stall(&self) -> Duration {
        self.stall.map_or(FOR_GOOD, Duration::from_secs)
    }

    /// Bytes that a slow client may read in a tick.
    fn slow_bytes(&self, tick: Duration) -> usize {
        let bytes = u128::from(self.slow_rate) * tick.as_millis() / 1_000;
        usize::try_from(bytes).unwrap_or(usize::MAX).max(1)
    }

    /// Returns whether to show no progress: of several processes only the first shows it.
    fn is_quiet(&self) -> bool {
        self.part.is_some_and(|part| part > 0)
    }

    /// Source addresses; empty to let the system choose.
    fn sources(&self, nodes_are_local: bool) -> Vec<IpAddr> {
        if self.source_ips.is_empty() {
            let process = self.part.unwrap_or(0);
            let own = match loopback::addresses(process, self.clients) {
                own if nodes_are_local && own != [Ipv4Addr::LOCALHOST] => own,
                _ => Vec::new(),
            };
            return own.into_iter().map(IpAddr::V4).collect();
        }
        let mut sources = self.source_ips.clone();
        let turn = self.part.unwrap_or(0) % sources.len();
        sources.rotate_left(turn);
        sources
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SubscribeArgs,
    }

    fn args(line: &[&str]) -> SubscribeArgs {
        let words = std::iter::once("x").chain(line.iter().copied());
        Line::parse_from(words).args
    }

    #[test]
    fn parts_have_all_clients_between_them() {
        let all = args(&[
            "--clients=100003",
            "--verifying=7",
            "--stalled=11",
            "--slow=5",
            "--processes=6",
        ]);
        let parts: Vec<_> = (0..6).map(|part| all.share(part)).collect();
        let sum = |of: fn(&SubscribeArgs) -> usize| parts.iter().map(of).sum::<usize>();
        assert_eq!(sum(|part| part.clients), 100_003);
        assert_eq!(sum(|part| part.verifying), 7);
        assert_eq!(sum(|part| part.stalled), 11);
        assert_eq!(sum(|part| part.slow), 5);
        for pair in parts.windows(2) {
            assert_eq!(pair[1].first, pair[0].first + pair[0].clients);
            assert_ne!(pair[1].seed, pair[0].seed);
        }
        assert!(parts.iter().all(|part| part.check().is_ok()));
    }

    #[test]
    fn each_part_connects_from_an_address_of_its_own() {
        let mut part = args(&["--processes=3"]);
        assert!(part.sources(true).is_empty());
        part.part = Some(2);
        let own: IpAddr = "127.0.2.1".parse().unwrap();
        assert_eq!(part.sources(true), [own]);
        assert!(part.sources(false).is_empty(), "the system knows the way");
        part.source_ips = vec![own, "127.0.0.9".parse().unwrap()];
        part.part = Some(1);
        assert_eq!(part.sources(true)[1], own);
    }

    #[test]
    fn impossible_arguments_are_rejected() {
        let wrong = args(&["--clients=3", "--stalled=2", "--slow=2"]);
        let error = wrong.check().unwrap_err().to_string();
        assert!(
            error.contains("3 clients") && error.contains("2 slow"),
            "{error}"
        );
        assert!(args(&["--processes=255"]).check().is_err());
        assert!(args(&["--seconds=0"]).check().is_err());
    }

    #[test]
    fn a_slow_client_reads_its_share_of_a_second() {
        let slow = args(&["--slow-rate=10000"]);
        assert_eq!(slow.slow_bytes(Duration::from_millis(20)), 200);
        let slow = args(&["--slow-rate=1"]);
        assert_eq!(slow.slow_bytes(Duration::from_millis(20)), 1);
    }
}
