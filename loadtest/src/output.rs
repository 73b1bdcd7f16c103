use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::result::Measured;

/// Writes a result as JSON, if a file is given.
pub(crate) fn write_json(path: Option<&Path>, result: &impl Serialize) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    let measured = Measured::here(result);
    let text =
        serde_json::to_string_pretty(&measured).context("cannot write the result as JSON")?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}
