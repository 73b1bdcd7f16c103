//! `cargo xtask`: the checks of the project, and what they need.
//!
//! Modules in reading order: [`mod@test`] is what CI runs, step by step; [`arrows`] and [`sizes`]
//! check the structure of the code; [`docs`] runs the commands in the documentation; [`drill`] and
//! [`kafka`] are commands of their own; [`workspace`], [`members`], [`release`],
//! [`tools`] and [`command`] serve the others.
#![allow(
    clippy::print_stdout,
    reason = "output is for the person or the CI job that runs this"
)]

mod arrows;
mod command;
mod docs;
mod drill;
mod kafka;
mod members;
mod release;
mod sizes;
mod test;
mod tools;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

/// Check and drive Tapecast
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
enum Task {
    Test(test::TestArgs),
    Drill(drill::DrillArgs),
    Kafka(kafka::KafkaArgs),
    /// Check the dependencies between crates, and between the files of each crate
    Arrows,
    /// Check that every long file says why it is long
    Sizes,
}

fn main() -> ExitCode {
    let done = match Task::parse() {
        Task::Test(args) => test::run(&args),
        Task::Drill(args) => drill::run(&args),
        Task::Kafka(args) => kafka::run(&args).map(|()| ExitCode::SUCCESS),
        Task::Arrows => arrows::check().map(|()| ExitCode::SUCCESS),
        Task::Sizes => sizes::check().map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        println!("error: {error:#}");
        ExitCode::FAILURE
    })
}
