use ingest::Format;
use serde::Serialize;
use wire::Encoding;

use super::ReplayArgs;
use super::book_format::BookFormat;
use super::checksums::Checksums;
use super::publish::Publish;
use super::recording::Recording;
use super::stage::{Measured, StageRun, all_rounds};
use super::steps::Steps;

/// Cost of the books of a capture in each format.
#[derive(Debug, Serialize)]
pub(super) struct Formats {
    levels: usize,
    formats: Vec<InFormat>,
}

#[derive(Debug, Serialize)]
struct InFormat {
    format: &'static str,
    bytes: usize,
    /// Decoding, applying and encoding of a level, in ns of CPU time.
    nanos_a_level: f64,
    /// Relative to our own format.
    ratio: f64,
    measured: Measured,
}

/// The variants of the named formats, always with ours, which is first.
fn chosen(names: &[String]) -> anyhow::Result<Vec<BookFormat>> {
    for name in names {
        let is_known = name == "all" || Format::from_name(name).is_some();
        let known = Format::ALL.map(Format::name).join(", ");
        anyhow::ensure!(is_known, "--formats is {name:?}, and may be all, {known}");
    }
    let is_chosen = |book_format: &BookFormat| {
        let is_named = |name: &String| name == "all" || name == book_format.format().name();
        *book_format == BookFormat::Tapecast || names.iter().any(is_named)
    };
    Ok(BookFormat::ALL.into_iter().filter(is_chosen).collect())
}

/// Measures the same books in each format, all formats in every round, so that other load on the
/// machine affects all alike.
pub(super) fn compare(recording: &Recording, args: &ReplayArgs) -> anyhow::Result<Formats> {
    let steps = Steps::of(recording)?;
    let decimals = steps.decimals();
    let mut written = Vec::new();
    for book_format in chosen(&args.formats)? {
        let mut checksums = Checksums::new(decimals);
        let mut recording = Recording::empty(book_format.name());
        for step in &steps.steps {
            let topic = if book_format.has_topics() {
                step.instrument
            } else {
                0
            };
            let value = book_format.write(step, &mut checksums);
            recording.push(topic, |topic| book_format.source(topic), value.as_bytes())?;
        }
        written.push((book_format, recording));
    }
    let mut benches: Vec<_> = written
        .iter()
        .map(|(_, recording)| {
            let stage = Publish::watched(recording, &[Encoding::Sbe]);
            StageRun::new(stage, recording, args.batch)
        })
        .collect();
    for _ in 0..all_rounds(args) {
        for run in &mut benches {
            run.round()?;
        }
    }
    let count = steps.steps.len();
    println!(
        "  its books: {count} records, {} levels, {:.1} a record",
        steps.levels,
        steps.levels as f64 / count as f64
    );
    println!(
        "  {:20} {:>12} {:>10} {:>10} {:>12} {:>12}",
        "format", "bytes/level", "ns/level", "fastest", "x tapecast", "allocations"
    );
    let mut formats: Vec<InFormat> = Vec::new();
    for ((book_format, recording), run) in written.iter().zip(benches) {
        let measured = run.measured();
        let a_level = count as f64 / steps.levels as f64;
        let nanos_a_level = measured.nanos * a_level;
        let own = formats
            .first()
            .map_or(nanos_a_level, |own| own.nanos_a_level);
        let one = InFormat {
            format: book_format.name(),
            bytes: recording.bytes(),
            nanos_a_level,
            ratio: nanos_a_level / own,
            measured,
        };
        println!(
            "  {:20} {:>12.1} {:>10.1} {:>10.1} {:>12.2} {:>12.5}   {}",
            one.format,
            recording.bytes() as f64 / steps.levels as f64,
            one.nanos_a_level,
            one.measured.fastest * a_level,
            one.ratio,
            one.measured.allocations,
            one.measured.note,
        );
        formats.push(one);
    }
    Ok(Formats {
        levels: steps.levels,
        formats,
    })
}
