//! Measurements: load for Kafka, a swarm of subscribers, and what a core decodes, applies and
//! encodes.
//!
//! In reading order: [`allocations`], [`replay`], [`publish`], [`subscribe`]; what they measure
//! with, [`clock`] and [`usage`]; what they show, [`progress`], [`result`] and [`output`]; and
//! [`open_files`].
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement talks to the person that started it"
)]

mod allocations;
mod clock;
mod loopback;
mod open_files;
mod output;
mod peers;
mod progress;
mod publish;
mod replay;
mod report;
mod result;
mod subscribe;
mod usage;
mod websocket;

use std::process::ExitCode;

use clap::Parser;

/// Measure tapecast
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
enum Command {
    Peers(peers::PeersArgs),
    Publish(publish::PublishArgs),
    Replay(replay::ReplayArgs),
    Report(report::ReportArgs),
    Subscribe(subscribe::SubscribeArgs),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Peers(args) => peers::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Subscribe(args) => subscribe::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
