//! `loadtest report`: what `peers` measured, as tables and plots.
//!
//! In reading order: the [`table`]s, as Markdown and for a terminal; which [`chart`]s there are;
//! [`draw`], which makes SVG and PNG of a chart.

mod chart;
mod draw;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::peers::outcome::Outcome;
use crate::result::Measured;

pub(crate) use table::text;

/// Make tables and plots of what `peers` wrote
#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Results of `loadtest peers --json`; the rounds of several are taken together
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The directory for report.md and the plots; made when it is missing
    #[arg(long, value_name = "DIRECTORY")]
    out: PathBuf,
}

pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let all = read_all(&args.files)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make {}", args.out.display()))?;
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

/// All results as one: those of another machine or commit have nothing to do with each other.
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
        .with_context(|| format!("{} is no result of loadtest peers", file.display()))
}
