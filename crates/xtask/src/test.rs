//! `cargo xtask test`: everything that CI checks, in one order.
//!
//! All steps run even when one has failed, so that one look shows all there is to mend. The last
//! line is `N passed, N failed`: tests passed, and tests failed plus steps that failed without any
//! test having failed. So it says `0 failed` if and only if the exit code is 0.
//!
//! Modules in reading order: [`steps`] is the list of what is checked, [`subject`] what they check,
//! [`outcome`] what comes of a step; [`deny`], [`web`] and [`operations`] the steps that are more
//! than a line.

mod deny;
mod operations;
mod outcome;
mod steps;
mod subject;
mod web;

use crate::arguments::Arguments;
use crate::tools;
use anyhow::bail;
use outcome::{Outcome, State, Tally};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use steps::{STEPS, Step};
use subject::Subject;

pub(crate) fn run(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    let fast = arguments.flag("--fast");
    let release = arguments.flag("--release");
    let mut names = Vec::new();
    while let Some(name) = arguments.word() {
        names.push(name);
    }
    arguments.finish()?;

    let chosen = choose(&names, fast)?;
    tools::ensure(chosen.iter().flat_map(|step| step.needs).copied())?;
    let subject = Subject::new(release)?;
    let rows: Vec<Row> = chosen
        .into_iter()
        .map(|step| run_step(step, &subject))
        .collect();
    Ok(report(&rows))
}

/// A line of the summary.
struct Row {
    step: &'static Step,
    outcome: Outcome,
    took: Duration,
}

/// The named steps in the order of the list, or all.
fn choose(names: &[String], fast: bool) -> anyhow::Result<Vec<&'static Step>> {
    if let Some(unknown) = names
        .iter()
        .find(|name| !STEPS.iter().any(|step| step.name == **name))
    {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!(
            "no step is called {unknown:?}; there are {}",
            known.join(", ")
        );
    }
    let is_chosen = |step: &&Step| {
        let is_named = names.iter().any(|name| name == step.name);
        is_named || (names.is_empty() && !(fast && step.slow))
    };
    Ok(STEPS.iter().filter(is_chosen).collect())
}

fn run_step(step: &'static Step, subject: &Subject) -> Row {
    println!("\n== {}: {}", step.name, step.about);
    let start = Instant::now();
    let outcome = (step.run)(subject).unwrap_or_else(|error| {
        println!("error: {error:#}");
        Outcome::failed()
    });
    let took = start.elapsed();
    println!(
        "== {}: {} after {}",
        step.name,
        outcome.state,
        seconds(took)
    );
    Row {
        step,
        outcome,
        took,
    }
}

fn report(rows: &[Row]) -> ExitCode {
    println!(
        "\n{:10} {:8} {:>9} {:>7} {:>7}",
        "step", "result", "time", "passed", "failed"
    );
    for Row {
        step,
        outcome,
        took,
    } in rows
    {
        let Outcome { state, tally, note } = outcome;
        let Tally { passed, failed } = tally;
        let took = seconds(*took);
        let line = format!(
            "{:10} {state:8} {took:>9} {passed:>7} {failed:>7}  {note}",
            step.name
        );
        println!("{}", line.trim_end());
    }
    let total: Duration = rows.iter().map(|row| row.took).sum();
    println!("{:10} {:8} {:>9}\n", "all", "", seconds(total));

    let tally: Tally = rows.iter().map(|row| row.outcome.counted()).sum();
    println!("{} passed, {} failed", tally.passed, tally.failed);
    let any_failed = rows.iter().any(|row| row.outcome.state == State::Failed);
    if any_failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(steps: &[&Step]) -> Vec<&'static str> {
        steps.iter().map(|step| step.name).collect()
    }

    #[test]
    fn a_named_step_runs_alone_even_when_it_is_slow() {
        assert_eq!(
            names(&choose(&["deny".to_owned()], true).unwrap()),
            ["deny"]
        );
        assert!(choose(&["dney".to_owned()], false).is_err());
    }

    #[test]
    fn fast_leaves_out_what_is_slow() {
        let fast = names(&choose(&[], true).unwrap());
        for slow in ["clippy", "deny", "e2e"] {
            assert!(!fast.contains(&slow));
        }
        assert!(fast.contains(&"test"));
        assert_eq!(choose(&[], false).unwrap().len(), STEPS.len());
    }
}
