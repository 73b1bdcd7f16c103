//! Measures load: load for Kafka, a swarm of subscribers, other servers under the same work, and
//! what one core decodes, applies and encodes.
//!
//! Modules in reading order: the commands [`replay`], [`publish`], [`subscribe`], [`peers`] and
//! [`report`]; [`websocket`] for their clients; what they measure with, [`clock`], [`usage`] and
//! [`allocations`]; how they report, [`progress`], [`result`] and [`output`]; and what they need of
//! the system, [`open_files`] and [`loopback`].
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "output is for the person who measures"
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

/// Measure Tapecast under load
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
