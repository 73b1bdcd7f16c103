use std::time::Duration;

use ingest::RawRecord;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::ReplayArgs;
use super::recording::Recording;
use crate::allocations;

/// Unmeasured rounds: one creates the instruments, one fills the buffers of subscriptions.
const WARM_ROUNDS: usize = 2;

/// Work that is done for each record.
pub(super) trait Stage {
    /// Its name.
    fn name(&self) -> String;

    /// The capture starts again.
    fn begin(&mut self);

    /// Processes the next record; `index` counts from 0 in each round.
    fn record(&mut self, index: usize, topic: usize, record: &RawRecord<'_>) -> anyhow::Result<()>;

    /// Ends a batch.
    fn batch(&mut self) {}

    /// Evidence that the work was done.
    fn note(&self) -> String;
}

/// The cost of a stage.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) stage: String,
    /// CPU time per record of the median round, in ns.
    pub(super) nanos: f64,
    /// The same of the fastest and the slowest round.
    pub(super) fastest: f64,
    pub(super) slowest: f64,
    /// Allocations per record, over all measured rounds.
    pub(super) allocations: f64,
    pub(super) note: String,
}

/// Measures a stage.
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

/// Rounds of a run, including the unmeasured ones.
pub(super) fn all_rounds(args: &ReplayArgs) -> usize {
    WARM_ROUNDS + args.rounds.max(1)
}

/// The measurement of a stage, a round at a time.
pub(super) struct StageRun<'a, S> {
    stage: S,
    recording: &'a Recording,
    batch: usize,
    /// Unmeasured rounds to go.
    warm: usize,
    /// CPU time per record of each round, in ns.
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

    /// Reads the capture once.
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

    /// The cost, of at least one measured round.
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

/// CPU time of this thread, which other load on the machine affects least.
fn core_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
