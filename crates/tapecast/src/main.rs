//! The `tapecast` binary: runs a node, a demo, and the tools `publish` and `tail`.
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod cli;
mod demo;
mod publish;
mod tail;

fn main() -> std::process::ExitCode {
    cli::main()
}
