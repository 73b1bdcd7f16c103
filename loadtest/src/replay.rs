//! `loadtest replay`: what one core makes of a capture, stage by stage.
//!
//! The floor is simd-json's tape of each record; then what decoding, applying and encoding add to
//! it. Each stage reads the whole capture twice unmeasured, so that its buffers are warm, and then
//! some rounds, whose median and fastest are shown, with what they allocated. All times are a
//! core's, not the clock's.
//!
//! With `--formats` it is the books of the captures that are measured instead, written in every
//! format that a node reads: what a level costs in each.
//!
//! In reading order: [`recording`], [`stage`], and the stages [`floor`], [`decode`], [`publish`]
//! with the [`resolver`] that knows the instruments; then [`steps`] takes the books out of a recording,
//! [`book_format`] writes them, with [`checksums`] where a venue proves them, and [`formats`] compares.

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

/// Measure decode, apply and encode over captures, on one core
#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// How many rounds are measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How many records a batch has, after which the frames are handed over
    #[arg(long, default_value_t = 1024)]
    batch: usize,
    /// Compare what a level of the captures' books costs in formats that a node reads: `all`, or
    /// some of their names
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    formats: Vec<String>,
    /// Write the results there, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Captures: `<ns> <JSON>` of Binance, `<seconds>: <JSON>` of the venue that the file is named
    /// after, cryptofeed's or tapecast's JSON lines; plain or gzip
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

/// Does something with each of the captures.
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
