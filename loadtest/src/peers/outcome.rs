//! What was measured, as it is written and read back, and the medians over rounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::peer::Peer;
use super::scenario::Kind;

/// The result of one `loadtest peers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    /// Bytes of a message.
    pub(crate) size: u32,
    /// Whether servers and clients were pinned to a core each.
    pub(crate) pinned: bool,
    pub(crate) runs: Vec<Run>,
    /// What could not be measured, and why.
    pub(crate) missing: Vec<Missing>,
}

/// One server, one scenario, one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    #[serde(flatten)]
    pub(crate) work: Work,
    pub(crate) peer: Peer,
    pub(crate) round: u32,
    /// Requested messages per second.
    pub(crate) rate: f64,
    /// Deliveries per second: requested, and received.
    pub(crate) offered: f64,
    pub(crate) delivered: f64,
    /// CPU time in µs per delivery: of the server, and of a separate publisher.
    pub(crate) cpu_us: Option<f64>,
    pub(crate) publisher_cpu_us: Option<f64>,
    /// The same by group of the server's threads.
    pub(crate) threads_cpu_us: BTreeMap<String, f64>,
    /// Cores that the server and the clients used. Clients near 1 are the bottleneck themselves.
    pub(crate) cores: f64,
    pub(crate) client_cores: f64,
    /// Bytes of a message, without framing.
    pub(crate) bytes: f64,
    /// Deliveries per read of a client, which is close to those per send.
    #[serde(default)]
    pub(crate) a_read: f64,
    /// From when a message was due until it was read, in µs, at [`QUANTILES`].
    pub(crate) latency_us: Vec<f64>,
    /// The server's anonymous memory without clients, and with all of them.
    pub(crate) own_before_kib: u64,
    pub(crate) own_after_kib: u64,
    /// Clients that lost their connection, and the first reason.
    pub(crate) closed: usize,
    pub(crate) trouble: Option<String>,
}

/// What a server had to do. Runs of the same work are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Work {
    pub(crate) scenario: Kind,
    pub(crate) clients: usize,
    pub(crate) topics_each: usize,
    /// Time between two messages, in ns. `None` if there are no messages, or if the rate is
    /// searched for.
    pub(crate) period: Option<u64>,
}

/// What could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missing {
    pub(crate) peer: Peer,
    /// The scenario, if it concerns only one.
    pub(crate) work: Option<Work>,
    pub(crate) reason: String,
}

/// Quantiles of reported latencies.
pub(crate) const QUANTILES: [f64; 8] = [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

impl Run {
    /// The latency at one of [`QUANTILES`], in µs.
    pub(crate) fn latency(&self, quantile: f64) -> Option<f64> {
        let at = QUANTILES
            .iter()
            .position(|known| (known - quantile).abs() < 1e-9)?;
        self.latency_us.get(at).copied()
    }

    /// The server's anonymous memory per client, in KiB.
    pub(crate) fn client_kib(&self) -> f64 {
        let grown = self.own_after_kib.saturating_sub(self.own_before_kib);
        grown as f64 / self.work.clients.max(1) as f64
    }

    /// Returns whether all clients received everything, without much delay.
    pub(crate) fn is_full(&self) -> bool {
        const FULL: f64 = 0.99;
        const LATE_US: f64 = 1e6;
        self.closed == 0
            && self.delivered >= FULL * self.offered
            && self.latency(0.99).is_some_and(|late| late < LATE_US)
    }
}

impl Outcome {
    /// Each work with the median run of each server, in the order of measurement.
    pub(crate) fn medians(&self) -> Vec<(Work, Vec<Run>)> {
        let mut all: Vec<(Work, Vec<Run>)> = Vec::new();
        for run in &self.runs {
            if all.iter().all(|(work, _)| *work != run.work) {
                all.push((run.work.clone(), Vec::new()));
            }
        }
        for (work, medians) in &mut all {
            let of_work = || self.runs.iter().filter(|run| run.work == *work);
            for run in of_work() {
                if medians.iter().all(|there| there.peer != run.peer) {
                    let same: Vec<&Run> =
                        of_work().filter(|other| other.peer == run.peer).collect();
                    medians.push(median_run(&same));
                }
            }
            medians.sort_by_key(|run| run.peer);
        }
        all
    }
}

/// The median of each figure over the rounds.
fn median_run(runs: &[&Run]) -> Run {
    let of = |figure: &dyn Fn(&Run) -> f64| median(runs.iter().map(|run| figure(run)).collect());
    let of_some = |figure: &dyn Fn(&Run) -> Option<f64>| {
        let there: Vec<f64> = runs.iter().filter_map(|run| figure(run)).collect();
        (!there.is_empty()).then(|| median(there))
    };
    let whole = |figure: &dyn Fn(&Run) -> u64| middle(runs.iter().map(|run| figure(run)).collect());
    let mut run = runs[0].clone();
    run.rate = of(&|run| run.rate);
    run.offered = of(&|run| run.offered);
    run.delivered = of(&|run| run.delivered);
    run.cpu_us = of_some(&|run| run.cpu_us);
    run.publisher_cpu_us = of_some(&|run| run.publisher_cpu_us);
    let threads: Vec<String> = run.threads_cpu_us.keys().cloned().collect();
    run.threads_cpu_us = threads
        .into_iter()
        .filter_map(|name| {
            of_some(&|run| run.threads_cpu_us.get(&name).copied()).map(|median| (name, median))
        })
        .collect();
    run.cores = of(&|run| run.cores);
    run.client_cores = of(&|run| run.client_cores);
    run.bytes = of(&|run| run.bytes);
    run.a_read = of(&|run| run.a_read);
    run.latency_us = (0..QUANTILES.len())
        .filter_map(|at| of_some(&|run| run.latency_us.get(at).copied()))
        .collect();
    run.own_before_kib = whole(&|run| run.own_before_kib);
    run.own_after_kib = whole(&|run| run.own_after_kib);
    run.closed = runs.iter().map(|run| run.closed).max().unwrap_or_default();
    run.trouble = runs.iter().find_map(|run| run.trouble.clone());
    run
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let half = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        len if len % 2 == 1 => figures[half],
        _ => f64::midpoint(figures[half - 1], figures[half]),
    }
}

/// The middle one, or the lower of the two in the middle.
fn middle(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    let half = figures.len().saturating_sub(1) / 2;
    figures.get(half).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(peer: Peer, round: u32, delivered: f64, p99: f64) -> Run {
        Run {
            work: Work {
                scenario: Kind::Light,
                clients: 200,
                topics_each: 1,
                period: Some(10_000_000),
            },
            peer,
            round,
            rate: 100.0,
            offered: 20_000.0,
            delivered,
            cpu_us: (round != 1).then_some(f64::from(round)),
            publisher_cpu_us: None,
            threads_cpu_us: BTreeMap::new(),
            cores: 0.2,
            client_cores: 0.1,
            bytes: 64.0,
            a_read: 1.0,
            latency_us: vec![1.0, 2.0, 3.0, 4.0, p99, 6.0, 7.0, 8.0],
            own_before_kib: 1_000,
            own_after_kib: 1_400,
            closed: 0,
            trouble: None,
        }
    }

    #[test]
    fn a_median_is_the_middle_one() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
        assert_eq!(middle(vec![9, 1, 5]), 5);
        assert_eq!(middle(vec![9, 1]), 1);
    }

    #[test]
    fn medians_are_of_one_server_and_one_work() {
        let runs = vec![
            run(Peer::Loop, 0, 10.0, 5.0),
            run(Peer::NodeWs, 0, 1.0, 50.0),
            run(Peer::Loop, 1, 30.0, 7.0),
            run(Peer::Loop, 2, 20.0, 6.0),
        ];
        let outcome = Outcome {
            rounds: 3,
            seconds: 10,
            size: 64,
            pinned: true,
            runs,
            missing: Vec::new(),
        };
        let medians = outcome.medians();
        assert_eq!(medians.len(), 1);
        let [bare, node] = medians[0].1.as_slice() else {
            panic!("two servers, and {} medians", medians[0].1.len());
        };
        assert!((bare.delivered - 20.0).abs() < 1e-9);
        assert_eq!(bare.latency(0.99), Some(6.0));
        assert_eq!(bare.cpu_us, Some(1.0), "of the rounds that have one");
        assert!((bare.client_kib() - 2.0).abs() < 1e-9);
        assert_eq!(node.latency(0.99), Some(50.0));
        assert_eq!(node.latency(0.42), None);
    }

    #[test]
    fn full_is_everything_to_everybody_in_time() {
        assert!(run(Peer::Loop, 0, 19_900.0, 5.0).is_full());
        assert!(
            !run(Peer::Loop, 0, 19_000.0, 5.0).is_full(),
            "not everything"
        );
        assert!(!run(Peer::Loop, 0, 20_000.0, 2e6).is_full(), "late");
        let mut cut = run(Peer::Loop, 0, 20_000.0, 5.0);
        cut.closed = 1;
        assert!(!cut.is_full(), "not everybody");
    }

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let written = run(Peer::Socketio, 2, 1.5, 5.0);
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), written);
    }
}
