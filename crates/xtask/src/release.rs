//! The release binaries: what is shipped, what measures it and what drills it.

use crate::command;
use crate::workspace;
use std::path::PathBuf;

/// Builds them. Together, since each alone would have libraries with other features.
pub(crate) fn build() -> anyhow::Result<()> {
    let mut cargo = command::cargo(&["build", "--release"]);
    for package in ["tapecast", "loadtest", "drill"] {
        cargo.args(["--package", package]);
    }
    command::run(&mut cargo)
}

/// The path of `tapecast`, `loadtest` or `drill`.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    workspace::binary("release", name)
}
