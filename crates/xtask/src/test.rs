//! `cargo xtask test`: everything that CI checks, in one order.
//!
//! Every step runs even after one has failed, so that one run shows everything there is to fix. The
//! last line is `N passed, N failed`. It counts tests; a step that failed without a failed test
//! counts as one failure. So it reads `0 failed` if and only if the exit code is 0.
//!
//! Modules in reading order: [`steps`] lists the checks, [`subject`] is what they check, [`outcome`]
//! is the result of one; [`deny`], [`web`] and [`operations`] are the longer steps.

mod deny;
mod operations;
mod outcome;
mod steps;
mod subject;
mod web;

use crate::tools;
use outcome::{Outcome, State, Tally};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use steps::{STEPS, Step};
use subject::Subject;

/// Run every check that CI runs, or only the named steps
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// Skip the slow steps
    #[arg(long)]
    fast: bool,
    /// Run the end-to-end steps against the release binary, which takes longer to build
    #[arg(long)]
    release: bool,
    /// Steps to run [default: all]
    #[arg(value_name = "STEP", value_parser = find_step)]
    steps: Vec<&'static Step>,
}

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let chosen = choose(&args.steps, args.fast);
    tools::ensure(chosen.iter().flat_map(|step| step.needs).copied())?;
    let subject = Subject::new(args.release)?;
    let rows: Vec<Row> = chosen
        .into_iter()
        .map(|step| run_step(step, &subject))
        .collect();
    Ok(report(&rows))
}

/// A row of the summary.
struct Row {
    step: &'static Step,
    outcome: Outcome,
    took: Duration,
}

fn find_step(name: &str) -> Result<&'static Step, String> {
    STEPS.iter().find(|step| step.name == name).ok_or_else(|| {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        format!("the steps are {}", known.join(", "))
    })
}

/// The named steps, or else all, in the order of the list.
fn choose(named: &[&Step], fast: bool) -> Vec<&'static Step> {
    let is_chosen = |step: &&Step| {
        let is_named = named.iter().any(|named| named.name == step.name);
        is_named || (named.is_empty() && !(fast && step.slow))
    };
    STEPS.iter().filter(is_chosen).collect()
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
    fn a_named_step_runs_alone_even_if_it_is_slow() {
        let deny = find_step("deny").unwrap();
        assert_eq!(names(&choose(&[deny], true)), ["deny"]);
        assert!(find_step("dney").is_err());
    }

    #[test]
    fn fast_skips_the_slow_steps() {
        let fast = names(&choose(&[], true));
        for slow in ["clippy", "deny", "e2e"] {
            assert!(!fast.contains(&slow));
        }
        assert!(fast.contains(&"test"));
        assert_eq!(choose(&[], false).len(), STEPS.len());
    }
}
