//! The `tapecast` binary: the command line of a node and of the tools beside it.

mod cli;
mod demo;
mod publish;
mod tail;

fn main() -> std::process::ExitCode {
    cli::main()
}
