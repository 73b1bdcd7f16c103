//! Makes the JSON that a node serves of the documents in `docs/` that describe it to machines.

use std::error::Error;
use std::path::{Path, PathBuf};

use serde_yaml_ng::Value;

const DOCUMENTS: [&str; 2] = ["openapi", "asyncapi"];

fn main() -> Result<(), Box<dyn Error>> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    for name in DOCUMENTS {
        let from = docs.join(name).with_extension("yaml");
        println!("cargo::rerun-if-changed={}", from.display());
        let mut document: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(&from)?)?;
        document.apply_merge()?;
        let json = serde_json::to_string(&document)?;
        std::fs::write(out.join(name).with_extension("json"), json)?;
    }
    Ok(())
}
