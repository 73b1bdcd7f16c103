use std::time::Duration;

use ingest::RawRecord;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::ReplayArgs;
use super::recording::Recording;
use crate::allocations;

/// So many rounds warm the buffers: one makes the instruments known, one fills what watching needs.
const WARM_ROUNDS: usize = 2;

/// Something that is done with each record.
pub(super) trait Stage {
    /// What it is called.
    fn name(&self) -> String;

    /// The capture begins anew.
    fn begin(&mut self);

    /// Takes the next record; `index` counts from 0 in each round.
    fn record(&mut self, index: usize, topic: usize, record: &RawRecord<'_>) -> anyhow::Result<()>;

    /// A batch ends.
    fn batch(&mut self) {}

    /// What shows that the work was done.
    fn note(&self) -> String;
}

/// What a stage costs.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) stage: String,
    /// A record's share of the median round, in ns of a core's time.
    pub(super) nanos: f64,
    /// The same of the fastest and of the slowest round.
    pub(super) fastest: f64,
    pub(super) slowest: f64,
    /// How often memory was asked for, over all measured rounds.
    pub(super) allocations: f64,
    pub(super) note: String,
}

/// Measures a stage by itself.
pub(super) fn measure(
    stage: impl Stage,
    recording: &Recording,
    args: &ReplayArgs,
) -> anyhow::Result<Measured> {
    let mut run = StageRun::new(stage, recording, args.batch);
    for _ in 0..all_rounds(args) {
        run.round()?;
    }
    Ok(run.measured())
}

/// How many rounds a run needs, those among them that do not count.
pub(super) fn all_rounds(args: &ReplayArgs) -> usize {
    WARM_ROUNDS + args.rounds.max(1)
}

/// A stage that is measured, a round at a time.
pub(super) struct StageRun<'a, S> {
    stage: S,
    recording: &'a Recording,
    batch: usize,
    /// Rounds to go until those that count.
    warm: usize,
    /// A record's share of each round, in ns.
    rounds: Vec<f64>,
    allocated: u64,
}

impl<'a, S: Stage> StageRun<'a, S> {
    pub(super) fn new(stage: S, recording: &'a Recording, batch: usize) -> Self {
        Self {
            stage,
            recording,
            batch: batch.max(1),
            warm: WARM_ROUNDS,
            rounds: Vec::new(),
            allocated: 0,
        }
    }

    /// Reads the capture once; the first rounds do not count.
    pub(super) fn round(&mut self) -> anyhow::Result<()> {
        let (before, start) = (allocations::count(), core_time());
        self.stage.begin();
        for (index, (topic, record)) in self.recording.records().enumerate() {
            self.stage.record(index, topic, &record)?;
            if (index + 1).is_multiple_of(self.batch) {
                self.stage.batch();
            }
        }
        self.stage.batch();
        let spent = core_time().saturating_sub(start);
        if self.warm > 0 {
            self.warm -= 1;
            return Ok(());
        }
        self.rounds
            .push(spent.as_nanos() as f64 / self.recording.len() as f64);
        self.allocated += allocations::count() - before;
        Ok(())
    }

    /// What the rounds cost that counted; there was one.
    pub(super) fn measured(mut self) -> Measured {
        let records = self.recording.len() as f64;
        let rounds = &mut self.rounds;
        rounds.sort_by(f64::total_cmp);
        let at = |index: usize| rounds.get(index).copied().unwrap_or_default();
        Measured {
            stage: self.stage.name(),
            nanos: at(rounds.len() / 2),
            fastest: at(0),
            slowest: at(rounds.len().saturating_sub(1)),
            allocations: self.allocated as f64 / records / rounds.len() as f64,
            note: self.stage.note(),
        }
    }
}

/// How long a core has worked for this thread: what a machine that is busy otherwise measures too.
fn core_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
