//! The clients: processes of `loadtest witness`, which see what happens to them.

use super::program::{Program, wait};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// A process has two cores' worth of clients at most, and they end together.
const ENDS_WITHIN: Duration = Duration::from_secs(180);
/// How long all have to be up to date until it counts: a client counts as that for 2 s after its
/// last item, and it is told twice a second.
const STEADY: Duration = Duration::from_secs(3);
/// Lines that wait to be read: two a second, which is half an hour; longer than anything is waited
/// for in between.
const LINES: usize = 4_096;

/// One process with its clients.
#[derive(Debug)]
pub(super) struct Witness {
    program: Program,
    hears: ChildStdin,
    says: Receiver<String>,
    now: Now,
}

/// How its clients stand.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
struct Now {
    clients: usize,
    fresh: usize,
}

/// What all of them saw.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) clients: usize,
    pub(super) phases: Vec<Phase>,
    pub(super) check: BTreeMap<String, u64>,
}

/// What was seen during one phase. `loadtest witness` says what each is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Phase {
    pub(super) name: String,
    pub(super) sessions_lost: BTreeMap<String, u64>,
    pub(super) failed_attempts: BTreeMap<String, u64>,
    pub(super) resumed: u64,
    pub(super) snapshots: BTreeMap<String, u64>,
    pub(super) refused: BTreeMap<String, u64>,
    pub(super) gaps: BTreeMap<String, u64>,
    pub(super) told_stale: u64,
    pub(super) passed_over: u64,
    pub(super) conflated: u64,
    pub(super) faults: BTreeMap<String, u64>,
    pub(super) pauses_ms: Vec<u32>,
}

impl Witness {
    pub(super) fn start(number: usize, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let errors = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn();
        let mut program = Program::of(&format!("witness {number}"), child)?;
        let child = program.child();
        let (Some(hears), Some(told)) = (child.stdin.take(), child.stdout.take()) else {
            anyhow::bail!("a witness cannot be talked to");
        };
        let (say, says) = sync_channel(LINES);
        thread::spawn(move || {
            for line in BufReader::new(told).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            program,
            hears,
            says,
            now: Now::default(),
        })
    }

    pub(super) fn say(&mut self, order: &str) -> anyhow::Result<()> {
        writeln!(self.hears, "{order}").context("a witness has ended")
    }

    /// Whether all of its clients are up to date.
    fn is_fresh(&mut self) -> anyhow::Result<bool> {
        loop {
            match self.says.try_recv() {
                Ok(line) => self.now = serde_json::from_str(&line).context("a witness' line")?,
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => anyhow::bail!("a witness has ended"),
            }
        }
        Ok(self.now.clients > 0 && self.now.fresh == self.now.clients)
    }

    /// Has it compare all with the log, and end.
    pub(super) fn end(mut self) -> anyhow::Result<Seen> {
        let start = Instant::now();
        loop {
            let left = ENDS_WITHIN.saturating_sub(start.elapsed());
            let line = self.says.recv_timeout(left);
            let line = line.context("a witness has ended, or does not; see its log")?;
            if line.contains("\"phases\"") {
                let seen = serde_json::from_str(&line).context("what a witness saw")?;
                self.program.wait_end(ENDS_WITHIN)?;
                return Ok(seen);
            }
        }
    }
}

/// Waits until all clients are up to date and stay so; how many are not when the time is over.
pub(super) fn wait_fresh(witnesses: &mut [Witness], within: Duration) -> anyhow::Result<usize> {
    let mut since: Option<Instant> = None;
    let waited = wait(within, "all clients", || {
        let mut all = true;
        for witness in witnesses.iter_mut() {
            all &= witness.is_fresh()?;
        }
        since = since.filter(|_| all).or_else(|| all.then(Instant::now));
        Ok(since.filter(|since| since.elapsed() >= STEADY).map(drop))
    });
    let late = witnesses
        .iter()
        .map(|witness| witness.now.clients - witness.now.fresh);
    match waited {
        Ok(()) => Ok(0),
        Err(error) => match late.sum() {
            0 => Err(error),
            late => Ok(late),
        },
    }
}

impl Seen {
    /// Adds what other clients saw at the same time.
    pub(super) fn add(&mut self, other: Self) {
        self.clients += other.clients;
        add(&mut self.check, other.check);
        for (number, phase) in other.phases.into_iter().enumerate() {
            match self.phases.get_mut(number) {
                Some(same) => same.add(phase),
                None => self.phases.push(phase),
            }
        }
    }
}

impl Phase {
    fn add(&mut self, other: Self) {
        add(&mut self.sessions_lost, other.sessions_lost);
        add(&mut self.failed_attempts, other.failed_attempts);
        add(&mut self.snapshots, other.snapshots);
        add(&mut self.refused, other.refused);
        add(&mut self.gaps, other.gaps);
        add(&mut self.faults, other.faults);
        self.resumed += other.resumed;
        self.told_stale += other.told_stale;
        self.passed_over += other.passed_over;
        self.conflated += other.conflated;
        self.pauses_ms.extend(other.pauses_ms);
    }

    /// The pause that so much of the clients did not exceed, in milliseconds.
    pub(super) fn pause(&self, share: f64) -> u32 {
        let mut pauses = self.pauses_ms.clone();
        pauses.sort_unstable();
        let count = pauses.len();
        let rank = (1..=count).find(|rank| *rank as f64 >= share * count as f64);
        rank.and_then(|rank| pauses.get(rank - 1))
            .copied()
            .unwrap_or(0)
    }
}

fn add(counts: &mut BTreeMap<String, u64>, more: BTreeMap<String, u64>) {
    for (name, count) in more {
        *counts.entry(name).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_clients_are_summed_phase_by_phase() {
        let seen = |pauses: &[u32]| Seen {
            clients: pauses.len(),
            phases: vec![Phase {
                resumed: 2,
                faults: BTreeMap::from([("missing".to_owned(), 1)]),
                pauses_ms: pauses.to_vec(),
                ..Phase::default()
            }],
            check: BTreeMap::from([("lost".to_owned(), 3)]),
        };
        let mut all = Seen::default();
        all.add(seen(&[10, 30]));
        all.add(seen(&[20, 40]));
        assert_eq!((all.clients, all.check["lost"]), (4, 6));
        let phase = &all.phases[0];
        assert_eq!((phase.resumed, phase.faults["missing"]), (4, 2));
        assert_eq!(
            [0.5, 0.99, 1.0].map(|share| phase.pause(share)),
            [20, 40, 40]
        );
    }
}
