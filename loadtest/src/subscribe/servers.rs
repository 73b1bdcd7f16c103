//! What the servers use during a measurement.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::usage::{Kernel, Spent, Usage};

/// Interval between samples.
const INTERVAL: Duration = Duration::from_secs(1);
/// Two hours of samples; later ones are dropped.
const MAX_SAMPLES: usize = 7_200;

/// Samples the usage of some processes.
pub(super) struct ServerMonitor {
    pids: Vec<u32>,
    before: Reading,
    samples: Arc<Mutex<Vec<Sample>>>,
    /// At the start and the end of the measurement.
    live: Option<Reading>,
    end: Option<Reading>,
    stop: Option<std::sync::mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The usage of all servers at one time.
#[derive(Debug, Clone)]
struct Reading {
    usages: Vec<Usage>,
    kernel: Kernel,
}

/// A sample in the result.
#[derive(Debug, Clone, Serialize)]
struct Sample {
    /// Since the first reading, which is before the first client.
    seconds: f64,
    rss_kib: u64,
    own_kib: u64,
    /// CPU time in µs since the previous reading.
    cpu_us: u64,
    kernel: Kernel,
}

/// What the servers used.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Servers {
    pids: Vec<u32>,
    /// During the measurement.
    pub(super) spent: Spent,
    pub(super) us_a_delivery: f64,
    pub(super) groups_us_a_delivery: BTreeMap<String, f64>,
    /// Before the first client, with all clients live, and at the end.
    pub(super) rss_before_kib: u64,
    pub(super) rss_live_kib: u64,
    pub(super) rss_end_kib: u64,
    /// The anonymous part of it, at the same times.
    own_before_kib: u64,
    own_live_kib: u64,
    own_end_kib: u64,
    /// Growth of the servers' anonymous memory per client.
    pub(super) kib_a_client: f64,
    /// Growth of the kernel's memory per client. Includes the clients' ends of connections on the
    /// same machine, and whatever else it does.
    pub(super) kernel_kib_a_client: f64,
    kernel_before: Kernel,
    kernel_live: Kernel,
    kernel_end: Kernel,
    samples: Vec<Sample>,
}

impl Reading {
    fn take(pids: &[u32]) -> Self {
        let usages = pids.iter().map(|pid| Usage::of(&pid.to_string()));
        Self {
            usages: usages.map(Option::unwrap_or_default).collect(),
            kernel: Kernel::read(),
        }
    }

    fn rss_kib(&self) -> u64 {
        self.usages.iter().map(|usage| usage.rss_kib).sum()
    }

    fn own_kib(&self) -> u64 {
        self.usages.iter().map(|usage| usage.own_kib).sum()
    }

    fn since(&self, earlier: &Self) -> Spent {
        let mut sum = Spent::default();
        for (now, before) in self.usages.iter().zip(&earlier.usages) {
            sum.add(&now.since(before));
        }
        sum
    }
}

impl ServerMonitor {
    /// Starts to sample. Returns `None` without processes, and an error if one does not exist.
    pub(super) fn start(pids: &[u32]) -> anyhow::Result<Option<Self>> {
        if pids.is_empty() {
            return Ok(None);
        }
        for pid in pids {
            anyhow::ensure!(
                Usage::of(&pid.to_string()).is_some(),
                "there is no process {pid}"
            );
        }
        let (start, before) = (Instant::now(), Reading::take(pids));
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = std::sync::mpsc::sync_channel(1);
        let (theirs, kept, mut last) = (pids.to_vec(), Arc::clone(&samples), before.clone());
        let thread = std::thread::Builder::new()
            .name("thread".to_owned())
            .spawn(move || {
                // A dropped sender stops it too.
                while stopped.recv_timeout(INTERVAL)
                    == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
                {
                    let reading = Reading::take(&theirs);
                    let sample = Sample {
                        seconds: start.elapsed().as_secs_f64(),
                        rss_kib: reading.rss_kib(),
                        own_kib: reading.own_kib(),
                        cpu_us: reading.since(&last).cpu_us,
                        kernel: reading.kernel,
                    };
                    last = reading;
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() < MAX_SAMPLES {
                        kept.push(sample);
                    }
                }
            })?;
        Ok(Some(Self {
            pids: pids.to_vec(),

            before,
            samples,
            live: None,
            end: None,
            stop: Some(stop),
            thread: Some(thread),
        }))
    }

    /// All clients are live, and the measurement starts.
    pub(super) fn live(&mut self) {
        self.live.get_or_insert_with(|| Reading::take(&self.pids));
    }

    /// The measurement is over.
    pub(super) fn end(&mut self) {
        self.end.get_or_insert_with(|| Reading::take(&self.pids));
    }

    /// Stops, and returns what was used for that many clients and deliveries.
    pub(super) fn finish(mut self, clients: usize, deliveries: u64) -> Servers {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // After a panic of the thread, the other readings remain.
            let _ended = thread.join();
        }
        let live = self.live.unwrap_or_else(|| self.before.clone());
        let end = self.end.unwrap_or_else(|| live.clone());
        let spent = end.since(&live);
        let a_delivery = |micros: u64| micros as f64 / deliveries.max(1) as f64;
        let groups = spent.groups.iter();
        let grown =
            |before: u64, after: u64| (after as f64 - before as f64) / clients.max(1) as f64;
        let of_kernel = |kernel: Kernel| kernel.tcp_kib + kernel.slab_kib;
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        Servers {
            us_a_delivery: a_delivery(spent.cpu_us),
            groups_us_a_delivery: groups
                .map(|(name, micros)| (name.clone(), a_delivery(*micros)))
                .collect(),
            spent,
            rss_before_kib: self.before.rss_kib(),
            rss_live_kib: live.rss_kib(),
            rss_end_kib: end.rss_kib(),
            own_before_kib: self.before.own_kib(),
            own_live_kib: live.own_kib(),
            own_end_kib: end.own_kib(),
            kib_a_client: grown(self.before.own_kib(), live.own_kib()),
            kernel_kib_a_client: grown(of_kernel(self.before.kernel), of_kernel(live.kernel)),
            kernel_before: self.before.kernel,
            kernel_live: live.kernel,
            kernel_end: end.kernel,
            samples: std::mem::take(&mut samples),
            pids: self.pids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_not_there_is_told_at_once() {
        assert!(ServerMonitor::start(&[]).unwrap().is_none());
        let refused = ServerMonitor::start(&[0]).err().unwrap().to_string();
        assert!(refused.contains("process 0"), "{refused}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_and_work_are_told_by_client_and_delivery() {
        let mut monitor = ServerMonitor::start(&[std::process::id()])
            .unwrap()
            .unwrap();
        monitor.live();
        let live = monitor.live.clone().unwrap();
        monitor.end();
        let servers = monitor.finish(4, 10);
        assert_eq!(servers.rss_live_kib, live.rss_kib());
        let grown = servers.own_live_kib as f64 - servers.own_before_kib as f64;
        assert!((servers.kib_a_client - grown / 4.0).abs() < 1e-9);
        let spent = servers.spent.cpu_us as f64;
        assert!((servers.us_a_delivery - spent / 10.0).abs() < 1e-9);
    }
}
