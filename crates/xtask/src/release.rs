//! The binaries that are shipped, and what measures them.

use crate::command;
use crate::workspace;
use anyhow::bail;
use std::path::PathBuf;

/// Builds the node and the load test.
pub(crate) fn build() -> anyhow::Result<()> {
    let packages = ["--package", "node", "--package", "loadtest"];
    command::run(command::cargo(&["build", "--release"]).args(packages))
}

/// Where one of them is: `tapecast` or `loadtest`.
pub(crate) fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let binary = workspace::target().join("release").join(name);
    if !binary.is_file() {
        bail!("there is no {}", binary.display());
    }
    Ok(binary)
}
