//! `loadtest report`: tables and charts of what `peers` measured.
//!
//! The charts are drawn by plotters, with a font that is in this binary: a report needs nothing but
//! the binary on the machine that measured, and the pictures are the same on every machine.
//!
//! Modules in reading order: the [`table`]s, for Markdown and for a terminal; the list of
//! [`chart`]s; [`draw`], which makes SVG and PNG of one.

mod chart;
mod draw;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::peers::outcome::Outcome;
use crate::result::Measured;

pub(crate) use table::text;

/// Make tables and charts of the results of `peers`
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Results of `loadtest peers --json`; rounds of several files are combined
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Directory for report.md and the charts, created if missing
    #[arg(long, value_name = "DIRECTORY")]
    out: PathBuf,
}

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let all = read_all(&args.files)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create {}", args.out.display()))?;
    draw::use_own_font()?;
    let mut plots = Vec::new();
    for chart in chart::all(&all.result) {
        draw::svg(&chart, &args.out.join(format!("{}.svg", chart.file)))?;
        draw::png(&chart, &args.out.join(format!("{}.png", chart.file)))?;
        plots.push((chart.title.clone(), format!("{}.svg", chart.file)));
    }
    let report = args.out.join("report.md");
    std::fs::write(&report, table::markdown(&all, &plots))
        .with_context(|| format!("cannot write {}", report.display()))?;
    print!("{}", table::text(&all.result));
    println!("{} and {} plots", report.display(), plots.len());
    Ok(())
}

/// Combines results, which must be of the same machine and commit.
fn read_all(files: &[PathBuf]) -> anyhow::Result<Measured<Outcome>> {
    let mut all = None::<Measured<Outcome>>;
    for file in files {
        let read = read(file)?;
        let Some(all) = &mut all else {
            all = Some(read);
            continue;
        };
        ensure!(
            all.machine == read.machine && all.commit == read.commit,
            "{} is of another machine or commit than the first file",
            file.display()
        );
        ensure!(
            all.result.size == read.result.size && all.result.pinned == read.result.pinned,
            "{} is of other --size or --no-pin than the first file",
            file.display()
        );
        all.result.runs.extend(read.result.runs);
        for missing in read.result.missing {
            if !all.result.missing.contains(&missing) {
                all.result.missing.push(missing);
            }
        }
    }
    all.context("there is no file")
}

fn read(file: &Path) -> anyhow::Result<Measured<Outcome>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not a result of loadtest peers", file.display()))
}
