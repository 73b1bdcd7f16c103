//! The chores of the project, as `cargo xtask CHORE`.
//!
//! Modules in reading order: [`mod@test`] is what CI runs, step by step; [`drill`], [`arrows`] and
//! [`kafka`] are chores of their own; [`docs`] runs what the documentation shows; [`workspace`],
//! [`release`], [`tools`], [`command`] and [`arguments`] serve them all.
#![allow(
    clippy::print_stdout,
    reason = "a chore talks to the person or the CI that started it"
)]

mod arguments;
mod arrows;
mod command;
mod docs;
mod drill;
mod kafka;
mod release;
mod test;
mod tools;
mod workspace;

use anyhow::bail;
use arguments::Arguments;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test [--fast] [--release] [STEP…]
      every check that CI makes, or only the named ones; --fast leaves out the long ones, and with
      --release the binary that is looked at from outside is the one that is shipped
  drill [--balancer haproxy|nginx|both] [--clients N] [--phase roll|kill|cut|freeze]… [--brief]
      a fleet of three nodes behind a balancer, with verifying clients, while nodes are restarted,
      killed, cut off from Kafka and frozen; some ten minutes
  kafka up|down|status|restart [--port N] [--dir DIR]
      a real Apache Kafka on 127.0.0.1; port 0 picks a free one
  arrows
      the directions of the dependencies between the crates";

fn main() -> ExitCode {
    match run(Arguments::from_env()) {
        Ok(code) => code,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Some(chore) = arguments.word() else {
        bail!("no chore given\n{USAGE}")
    };
    match chore.as_str() {
        // It ends with its own count of what failed.
        "test" => return test::run(arguments),
        "drill" => return drill::run(arguments),
        "kafka" => kafka::run(arguments)?,
        "arrows" => arrows::run(arguments)?,
        "help" | "--help" | "-h" => println!("{USAGE}"),
        _ => bail!("no chore is called {chore:?}\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
