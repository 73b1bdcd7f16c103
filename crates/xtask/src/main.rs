//! The chores of the project, as `cargo xtask CHORE`.
#![allow(
    clippy::print_stdout,
    reason = "a chore talks to the person or the CI that started it"
)]

mod arguments;
mod kafka;

use anyhow::bail;
use arguments::Arguments;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  kafka up|down|status|restart [--port N] [--dir DIR]
      a real Apache Kafka on 127.0.0.1; port 0 picks a free one";

fn main() -> ExitCode {
    let arguments = Arguments::from_env();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> anyhow::Result<()> {
    let Some(chore) = arguments.word() else {
        bail!("no chore given\n{USAGE}")
    };
    match chore.as_str() {
        "kafka" => kafka::run(arguments),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("no chore is called {chore:?}\n{USAGE}"),
    }
}
