//! The binaries that are shipped, and what measures them.

use crate::command;
use crate::workspace;
use std::path::PathBuf;

/// Builds the node and the load test; together, since each alone would have libraries with other
/// features.
pub(crate) fn build() -> anyhow::Result<()> {
    let packages = ["--package", "tapecast", "--package", "loadtest"];
    command::run(command::cargo(&["build", "--release"]).args(packages))
}

/// Where one of them is: `tapecast` or `loadtest`.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    workspace::binary("release", name)
}
