//! What the dependencies bring: licenses, sources, bans and advisories.

use super::outcome::Outcome;
use super::subject::Subject;
use crate::command;
use crate::workspace;
use std::path::PathBuf;
use std::time::Duration;

/// The version to build if none is installed.
const VERSION: &str = "0.20.2";
/// The advisory database is a Git repository of some megabytes.
const DATABASE_WITHIN: Duration = Duration::from_secs(120);

pub(super) fn run(_: &Subject) -> anyhow::Result<Outcome> {
    let deny = find_or_build()?;
    let check = || {
        let mut check = command::program(&deny);
        check.args(["check", "--hide-inclusion-graph"]);
        check
    };
    command::run(check().args(["bans", "licenses", "sources"]))?;

    // The database comes from the network and changes daily, so a machine that cannot reach it gets
    // a note instead of a failure.
    let mut fetch = command::program(&deny);
    if let Err(error) = command::run_within(fetch.args(["fetch", "db"]), DATABASE_WITHIN) {
        println!("advisories are NOT checked, for lack of their database: {error:#}");
        return Ok(Outcome::ok().with_note("advisories not checked: no database"));
    }
    command::run(check().arg("advisories"))?;
    Ok(Outcome::ok())
}

/// Returns the installed cargo-deny, or builds one in `.tools/`.
///
/// The build is not optimized, which takes 128 s of CPU time instead of 244 s with `opt-level = 1`;
/// a check then takes 2.6 s instead of 1.1 s.
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
