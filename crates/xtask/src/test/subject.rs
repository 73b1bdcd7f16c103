//! What is tested.

use crate::members::{self, Member};
use crate::{command, release, workspace};
use std::path::PathBuf;

/// The workspace, and the binary for the end-to-end steps.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) members: Vec<Member>,
    is_release: bool,
}

impl Subject {
    /// With `--release` the binary is the one that is shipped. Building that takes as long as
    /// building all tests. The debug binary also checks for arithmetic overflow, which the shipped
    /// one does not.
    pub(super) fn new(is_release: bool) -> anyhow::Result<Self> {
        Ok(Self {
            members: members::members()?,
            is_release,
        })
    }

    /// Builds the binary, and returns its path.
    pub(super) fn binary(&self) -> anyhow::Result<PathBuf> {
        if self.is_release {
            release::build()?;
            return release::binary("tapecast");
        }
        // Built as a dependency of its own tests: alone, it would have libraries with other
        // features, which would be built again.
        let mut build = command::cargo(&["test", "--workspace", "--no-run"]);
        command::run(build.args(["--test", "command_line"]))?;
        workspace::binary("debug", "tapecast")
    }
}
