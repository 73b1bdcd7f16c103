//! One server, one scenario, one time.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::PeersArgs;
use super::child::{Cores, Job, Server};
use super::driver::Driver;
use super::install::Cache;
use super::outcome::{QUANTILES, Run, Work};
use super::peer::Peer;
use super::scenario::{Scenario, rate};
use super::signal::Stop;
use super::tally::Tally;
use crate::clock::thread_time;
use crate::progress::Progress;
use crate::usage::Spent;

/// Clients to connect before reading from the connected ones again.
const AT_ONCE: usize = 64;
/// Time for an idle server to settle before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// What all measurements share.
pub(super) struct Bench<'a> {
    pub(super) args: &'a PeersArgs,
    pub(super) cache: &'a Cache,
    pub(super) cores: Option<Cores>,
    pub(super) schedule: &'a Path,
    pub(super) stop: &'a Stop,
}

impl Bench<'_> {
    /// Starts the server, connects the clients, lets it publish, counts, and ends it.
    pub(super) fn measure(
        &self,
        peer: Peer,
        scenario: &Scenario,
        round: u32,
        seconds: Duration,
    ) -> anyhow::Result<Run> {
        let job = Job {
            peer,
            schedule: self.schedule,
            topics: scenario.schedule.topics(),
            size: self.args.size,
            period: scenario.period,
        };
        std::fs::write(self.schedule, scenario.schedule.to_bytes())
            .context("cannot write the schedule")?;
        let mut server = Server::start(self.cache, self.cores.as_ref(), &job)?;
        let own_before_kib = server.usage()?.own_kib;
        let wants = scenario
            .schedule
            .wants(scenario.clients, scenario.topics_each, self.args.seed);
        let mut driver = Driver::new(peer.protocol(), server.addr)?;
        self.connect(&mut driver, &wants, peer)
            .with_context(|| format!("with {} clients", driver.clients()))?;

        let end = || self.stop.is_asked();
        if let Some(period) = scenario.period {
            server.publish(period)?;
            driver.run(Duration::from_secs(self.args.warmup), end)?;
        } else {
            driver.run(SETTLE, end)?;
        }
        driver.begin()?;
        let (before, publisher_before) = (server.usage()?, server.publisher_usage()?);
        let (worked, begun) = (thread_time(), std::time::Instant::now());
        if scenario.period.is_some() {
            driver.run(seconds, end)?;
        }
        let taken = begun.elapsed().as_secs_f64();
        driver.tally.measuring(false);
        let worked = (thread_time() - worked).as_secs_f64();
        let (after, publisher_after) = (server.usage()?, server.publisher_usage()?);
        self.stop.check()?;
        server.check()?;

        let spent = after.since(&before);
        let publisher = publisher_before.zip(publisher_after);
        let publisher = publisher.map(|(before, after)| after.since(&before).cpu_us);
        let a_second = |count: f64| if taken > 0.0 { count / taken } else { 0.0 };
        let tally = &driver.tally;
        let offered = scenario.period.map_or(0.0, rate) * scenario.schedule.fanout(&wants);
        let an_item =
            |micros: u64| (tally.deliveries > 0).then(|| micros as f64 / tally.deliveries as f64);
        Ok(Run {
            work: Work {
                scenario: scenario.kind,
                clients: scenario.clients,
                topics_each: scenario.topics_each,
                period: scenario.period,
            },
            peer,
            round,
            rate: scenario.period.map_or(0.0, rate),
            offered,
            delivered: a_second(tally.deliveries as f64),
            cpu_us: an_item(spent.cpu_us),
            publisher_cpu_us: publisher.and_then(an_item),
            threads_cpu_us: threads(&spent, tally.deliveries),
            cores: a_second(spent.cpu_us as f64 / 1e6),
            client_cores: a_second(worked),
            bytes: tally.bytes as f64 / tally.deliveries.max(1) as f64,
            a_read: tally.deliveries as f64 / tally.reads.max(1) as f64,
            latency_us: latencies(tally),
            own_before_kib,
            own_after_kib: after.own_kib,
            closed: driver.closed,
            trouble: driver.first_trouble,
        })
    }

    fn connect(&self, driver: &mut Driver, wants: &[Vec<u16>], peer: Peer) -> anyhow::Result<()> {
        let mut progress = Progress::new("connecting", wants.len() as u64);
        for (index, topics) in wants.iter().enumerate() {
            driver.connect(topics)?;
            if index % AT_ONCE == 0 {
                self.stop.check()?;
                driver.turn(Duration::ZERO)?;
                progress.show(index as u64, peer.name());
            }
        }
        let trouble = driver.first_trouble.as_deref().unwrap_or_default();
        ensure!(
            driver.closed == 0,
            "{} are cut off: {trouble}",
            driver.closed
        );
        Ok(())
    }
}

/// CPU time in µs per delivery, by group of threads.
fn threads(spent: &Spent, deliveries: u64) -> std::collections::BTreeMap<String, f64> {
    let worked = spent.groups.iter().filter(|(_, micros)| **micros > 0);
    worked
        .map(|(name, micros)| (name.clone(), *micros as f64 / deliveries.max(1) as f64))
        .collect()
}

fn latencies(tally: &Tally) -> Vec<f64> {
    if tally.latency.is_empty() {
        return Vec::new();
    }
    let at = |quantile: &f64| tally.latency.value_at_quantile(*quantile) as f64 / 1e3;
    QUANTILES.iter().map(at).collect()
}
