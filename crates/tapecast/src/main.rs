//! The `tapecast` binary: runs a node, a demo, and the tools `publish` and `tail`.

mod cli;
mod demo;
mod publish;
mod tail;

fn main() -> std::process::ExitCode {
    cli::main()
}
