//! The `tapecast` binary: a node of the fleet, and the tools beside it.
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod admin;
mod api;
mod checkpoints;
mod cli;
mod clock;
mod config;
mod demo;
mod history;
mod pages;
mod pipeline;
mod publish;
mod reload;
mod serve;
mod tail;
mod threads;
mod traces;

fn main() -> std::process::ExitCode {
    cli::main()
}
