//! Embeds the commit into the binary: a result without it cannot be compared a month later.

use std::path::Path;
use std::process::Command;

fn main() {
    // All sources of this tool and of a node, so that the commit is that of the last build.
    for watched in ["src", "build.rs", "../crates", "../.git/logs/HEAD"] {
        // A missing path would run this at every build.
        if Path::new(watched).exists() {
            println!("cargo:rerun-if-changed={watched}");
        }
    }
    println!("cargo:rerun-if-env-changed=TAPECAST_REVISION");
    let told = std::env::var("TAPECAST_REVISION").ok();
    let revision = told.filter(|told| !told.is_empty()).or_else(described);
    let revision = revision.as_deref().unwrap_or("unknown");
    println!("cargo:rustc-env=TAPECAST_LOADTEST_REVISION={revision}");
}

/// As git names it; with `-dirty` where something is not committed.
fn described() -> Option<String> {
    let output = Command::new("git")
        .args(["describe", "--always", "--tags", "--dirty", "--abbrev=12"])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
