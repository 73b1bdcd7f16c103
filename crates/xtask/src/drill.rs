//! `cargo xtask drill`: builds the release binaries, and runs `drill` with them.

use crate::{command, release, tools};
use std::ffi::OsString;
use std::process::ExitCode;

/// Run a fleet through restarts, kills, cuts and freezes; `--help` shows the options
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct DrillArgs {
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    options: Vec<OsString>,
}

pub(crate) fn run(args: &DrillArgs) -> anyhow::Result<ExitCode> {
    let is_help = args
        .options
        .iter()
        .any(|one| one == "--help" || one == "-h");
    if !is_help {
        tools::ensure([tools::BUILD, tools::KAFKA, tools::BALANCERS])?;
    }
    release::build()?;
    let mut drill = command::program(release::binary("drill")?);
    // Its output is its report: a failed drill needs no error beside it.
    let status = drill.args(&args.options).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
