//! Where the workspace and its build output are.

use anyhow::bail;
use std::path::PathBuf;

/// The root directory.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .unwrap_or(manifest)
}

/// Cargo's target directory.
pub(crate) fn target() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR");
    named.map_or_else(|| root().join("target"), PathBuf::from)
}

/// The path of a binary of the workspace, built with the profile `debug` or `release`.
pub(crate) fn binary(profile: &str, name: &str) -> anyhow::Result<PathBuf> {
    let binary = target().join(profile).join(name);
    if !binary.is_file() {
        bail!("there is no {}", binary.display());
    }
    Ok(binary)
}
