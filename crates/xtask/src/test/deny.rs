//! What the dependencies bring: licenses, sources, bans and known holes.

use super::outcome::Outcome;
use super::subject::Subject;
use crate::command;
use crate::workspace;
use std::path::PathBuf;
use std::time::Duration;

/// The version that is built when none is installed.
const VERSION: &str = "0.20.2";
/// The database of advisories is a Git repository of some megabytes.
const DATABASE_WITHIN: Duration = Duration::from_secs(120);

pub(super) fn run(_: &Subject) -> anyhow::Result<Outcome> {
    let deny = find_or_build()?;
    let check = || {
        let mut check = command::program(&deny);
        check.args(["check", "--hide-inclusion-graph"]);
        check
    };
    command::run(check().args(["bans", "licenses", "sources"]))?;

    // It comes from the network and changes by the day, so a machine that cannot reach it is told
    // so and is not at fault.
    let mut fetch = command::program(&deny);
    if let Err(error) = command::run_within(fetch.args(["fetch", "db"]), DATABASE_WITHIN) {
        println!("advisories are NOT checked, since their database cannot be had: {error:#}");
        return Ok(Outcome::ok().with_note("advisories not checked: no database"));
    }
    command::run(check().arg("advisories"))?;
    Ok(Outcome::ok())
}

/// The installed one, or one of our own in `.tools/`.
///
/// Built without optimisation, which costs 128 s of CPU time instead of 244 s with `opt-level = 1`;
/// a check then costs 2.6 s instead of 1.1 s.
fn find_or_build() -> anyhow::Result<PathBuf> {
    if let Some(installed) = command::find("cargo-deny") {
        return Ok(installed);
    }
    let tools = workspace::root().join(".tools");
    let built = tools.join("bin").join("cargo-deny");
    let is_current = command::output(command::program(&built).arg("--version"))
        .is_ok_and(|version| version.trim().ends_with(VERSION));
    if !is_current {
        let mut install = command::program("cargo");
        install.args(["install", "cargo-deny", "--version", VERSION, "--force"]);
        install
            .args(["--locked", "--debug", "--no-default-features", "--root"])
            .arg(&tools);
        command::run(install.env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    Ok(built)
}
