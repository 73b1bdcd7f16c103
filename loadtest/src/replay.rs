//! `loadtest replay`: what one core makes of a capture, stage by stage.
//!
//! The floor is simd-json's tape of each record; then what decoding, applying and encoding add to
//! it. Each stage reads the whole capture twice unmeasured, so that its buffers are warm, and then
//! some rounds, whose median and fastest are shown, with what they allocated. All times are a
//! core's, not the clock's.
//!
//! In reading order: [`recording`], [`stage`], and the stages [`floor`], [`decode`], [`publish`]
//! with the [`desk`] that knows the instruments.

mod decode;
mod desk;
mod floor;
mod publish;
mod recording;
mod stage;

use std::path::PathBuf;

use serde::Serialize;
use wire::Encoding;

use crate::output;
use recording::Recording;
use stage::{Measured, measure};

/// Measure decode, apply and encode over captures, on one core
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// How many rounds are measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How many records a batch has, after which the frames are handed over
    #[arg(long, default_value_t = 1024)]
    batch: usize,
    /// Write the results there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Captures: `<ns> <JSON>` of Binance, cryptofeed's or tapecast's JSON lines; plain or gzip
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct FileResult {
    file: String,
    records: usize,
    bytes: usize,
    stages: Vec<Measured>,
}

pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    let mut results = Vec::new();
    for file in &args.files {
        let recording = Recording::load(file)?;
        println!(
            "{}: {} records, {} bytes, {} a record",
            recording.name,
            recording.len(),
            recording.bytes(),
            recording.bytes() / recording.len().max(1)
        );
        results.push(FileResult {
            file: recording.name.clone(),
            records: recording.len(),
            bytes: recording.bytes(),
            stages: stages(&recording, args)?,
        });
    }
    output::write_json(args.json.as_deref(), &results)
}

fn stages(recording: &Recording, args: &ReplayArgs) -> anyhow::Result<Vec<Measured>> {
    println!(
        "  {:24} {:>10} {:>10} {:>10} {:>8} {:>8} {:>12}",
        "stage", "records/s", "ns/record", "fastest", "MB/s", "x floor", "allocations"
    );
    let mut all: Vec<Measured> = Vec::new();
    let mut show = |measured: Measured| {
        let floor = all.first().map_or(measured.nanos, |first| first.nanos);
        println!(
            "  {:24} {:>10.0} {:>10.1} {:>10.1} {:>8.1} {:>8.2} {:>12.5}   {}",
            measured.stage,
            1e9 / measured.nanos,
            measured.nanos,
            measured.fastest,
            recording.bytes() as f64 / recording.len() as f64 / measured.nanos * 1e3,
            measured.nanos / floor,
            measured.allocations,
            measured.note,
        );
        all.push(measured);
    };
    show(measure(floor::Floor::new(recording), recording, args)?);
    show(measure(decode::Decode::new(), recording, args)?);
    show(measure(
        publish::Publish::unwatched(recording),
        recording,
        args,
    )?);
    for encodings in [
        &[Encoding::Sbe][..],
        &[Encoding::Json],
        &[Encoding::Packed],
        &[Encoding::Sbe, Encoding::Json],
    ] {
        show(measure(
            publish::Publish::watched(recording, encodings),
            recording,
            args,
        )?);
    }
    Ok(all)
}
