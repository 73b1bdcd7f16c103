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

pub(super) fn measure(
    mut stage: impl Stage,
    recording: &Recording,
    args: &ReplayArgs,
) -> anyhow::Result<Measured> {
    let records = recording.len() as f64;
    let mut rounds = Vec::with_capacity(args.rounds.max(1));
    let mut allocated = 0;
    for round in 0..WARM_ROUNDS + args.rounds.max(1) {
        let (before, start) = (allocations::count(), core_time());
        stage.begin();
        for (index, (topic, record)) in recording.records().enumerate() {
            stage.record(index, topic, &record)?;
            if (index + 1).is_multiple_of(args.batch.max(1)) {
                stage.batch();
            }
        }
        stage.batch();
        if round >= WARM_ROUNDS {
            let spent = core_time().saturating_sub(start);
            rounds.push(spent.as_nanos() as f64 / records);
            allocated += allocations::count() - before;
        }
    }
    let measured = rounds.len() as f64;
    rounds.sort_by(f64::total_cmp);
    Ok(Measured {
        stage: stage.name(),
        nanos: rounds[rounds.len() / 2],
        fastest: rounds[0],
        slowest: rounds[rounds.len() - 1],
        allocations: allocated as f64 / records / measured,
        note: stage.note(),
    })
}

/// How long a core has worked for this thread: what a machine that is busy otherwise measures too.
fn core_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}
