use std::collections::BTreeMap;

use anyhow::Context as _;
use ingest::{Decoder, IngestConfig};
use market::{Decimals, Event, Exponents, Level, decimal};

use super::recording::Recording;
use super::resolver::Resolver;

/// The books of a recording, independent of any format: snapshots, then deltas.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// Levels of all steps.
    pub(super) levels: usize,
}

/// A snapshot or a delta.
#[derive(Debug)]
pub(super) struct Step {
    /// The index of the instrument.
    pub(super) instrument: usize,
    pub(super) is_whole: bool,
    /// Its sequence; a delta follows the one before.
    pub(super) seq: u64,
    pub(super) bids: Vec<Level>,
    pub(super) asks: Vec<Level>,
    /// The exponents of its levels.
    pub(super) exponents: Exponents,
}

/// The state of an instrument while its steps are collected.
#[derive(Debug, Default)]
struct Progress {
    /// The sequence of its last step.
    seq: u64,
    /// Deltas from before its first snapshot, with the venue's sequences: a fetched snapshot may be
    /// older than they are.
    early: Vec<(Option<u64>, Step)>,
    /// The venue's sequence of the last snapshot.
    whole: Option<u64>,
}

impl Progress {
    /// Creates the step with the next sequence.
    fn next(&mut self, step: Step) -> Step {
        self.seq += 1;
        Step {
            seq: self.seq,
            ..step
        }
    }
}

impl Steps {
    /// Collects the steps of all records that can be decoded.
    pub(super) fn of(recording: &Recording) -> anyhow::Result<Self> {
        let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
        let mut resolver = Resolver::new();
        let mut all = BTreeMap::<usize, Progress>::new();
        let mut steps = Vec::new();
        for (_, record) in recording.records() {
            let Ok(decoded) = decoder.decode(&record, &mut resolver) else {
                continue;
            };
            let Some((handle, event)) = decoded.event() else {
                continue;
            };
            let (is_whole, stands, bids, asks) = match event {
                Event::Snapshot {
                    seq, bids, asks, ..
                } => (true, seq, bids, asks),
                Event::Delta {
                    link, bids, asks, ..
                } => (false, link.map(|link| link.seq), bids, asks),
                _ => continue,
            };
            let exponents = resolver.publisher.exponents(handle);
            let step = Step {
                instrument: usize::try_from(handle.0).context("too many instruments")?,
                is_whole,
                seq: 0,
                bids: bids.to_vec(),
                asks: asks.to_vec(),
                exponents: exponents.context("an instrument without a scale")?,
            };
            let progress = all.entry(step.instrument).or_default();
            if is_whole {
                steps.push(progress.next(step));
                for (later, step) in std::mem::take(&mut progress.early) {
                    if later.is_some() && later > stands {
                        steps.push(progress.next(step));
                    }
                }
                progress.whole = stands;
            } else if progress.seq == 0 {
                progress.early.push((stands, step));
            } else if stands.is_none() || stands > progress.whole {
                steps.push(progress.next(step));
            }
        }
        let levels = steps.iter().map(Step::len).sum();
        anyhow::ensure!(levels > 0, "there is no book in {}", recording.name);
        Ok(Self { steps, levels })
    }

    /// The decimals with which a venue would write these prices and sizes.
    pub(super) fn decimals(&self) -> Decimals {
        let mut most = Decimals::default();
        for step in &self.steps {
            for level in step.bids.iter().chain(&step.asks) {
                most = most.max(Decimals {
                    price: decimals(level.price.0, step.exponents.price),
                    size: decimals(level.size.0, step.exponents.size),
                });
            }
        }
        most
    }
}

impl Step {
    fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }
}

/// The decimals of a value without trailing zeros.
fn decimals(mantissa: i64, exponent: i8) -> u8 {
    let text = decimal::to_string(mantissa, exponent);
    let behind = text.split_once('.').map_or(0, |(_, behind)| behind.len());
    u8::try_from(behind).unwrap_or(u8::MAX)
}
