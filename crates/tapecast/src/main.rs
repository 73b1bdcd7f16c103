//! The `tapecast` binary: the command line of a node and of the tools beside it.
#![expect(clippy::too_many_lines, reason = "functions that are yet to be split")]

mod cli;
mod demo;
mod publish;
mod tail;

fn main() -> std::process::ExitCode {
    cli::main()
}
