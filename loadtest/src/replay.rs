//! `loadtest replay`: what one core makes of a capture, stage by stage.
//!
//! The floor is simd-json's tape of each record; decoding, applying and encoding add to it. Each
//! stage reads the whole capture twice unmeasured, to warm its buffers, and then for some rounds.
//! The output is the median and the fastest round, and the allocations. All times are CPU times.
//!
//! With `--formats`, the books of the captures are written in every format that a node reads, and
//! the cost of a level is measured in each.
//!
//! Modules in reading order: [`recording`], [`stage`], and the stages [`floor`], [`decode`] and
//! [`publish`] with the [`resolver`] of instruments; then [`steps`] extracts the books from a
//! recording, [`book_format`] writes them, with [`checksums`] for venues that send some, and
//! [`formats`] compares.

mod book_format;
mod checksums;
mod decode;
mod floor;
mod formats;
mod publish;
mod recording;
mod resolver;
mod stage;
mod steps;

use std::path::PathBuf;

use serde::Serialize;
use wire::Encoding;

use crate::output;
use recording::Recording;
use stage::{Measured, measure};

/// Measure decoding, applying and encoding of captures on one core
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// Rounds to measure
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Records per batch, after which frames are handed over
    #[arg(long, default_value_t = 1024)]
    batch: usize,
    /// Compare the cost of a book level between record formats: `all`, or names separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    formats: Vec<String>,
    /// Write the results to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Captures, plain or gzip: `<ns> <JSON>` of Binance, `<seconds>: <JSON>` of the venue in the
    /// file's name, or JSON lines of cryptofeed or tapecast
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

#[derive(Debug, Serialize)]
struct FileResult<T> {
    file: String,
    records: usize,
    bytes: usize,
    #[serde(flatten)]
    result: T,
}

#[derive(Debug, Serialize)]
struct Stages {
    stages: Vec<Measured>,
}

pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<()> {
    if !args.formats.is_empty() {
        let results = each(args, |recording| formats::compare(recording, args))?;
        return output::write_json(args.json.as_deref(), &results);
    }
    let results = each(args, |recording| {
        stages(recording, args).map(|stages| Stages { stages })
    })?;
    output::write_json(args.json.as_deref(), &results)
}

/// Does `work` for each capture.
fn each<T>(
    args: &ReplayArgs,
    mut work: impl FnMut(&Recording) -> anyhow::Result<T>,
) -> anyhow::Result<Vec<FileResult<T>>> {
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
            result: work(&recording)?,
        });
    }
    Ok(results)
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
