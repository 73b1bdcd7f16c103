//! What is tested.

use crate::members::{self, Member};
use crate::{command, release, workspace};
use std::path::PathBuf;

/// The workspace, and the binary that those steps start which look at it from outside.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) members: Vec<Member>,
    is_release: bool,
}

impl Subject {
    /// With `--release` the binary is the one that is shipped. Building it takes as long as all that
    /// is built for the tests, and the one beside them checks its own arithmetic, which the shipped
    /// one does not.
    pub(super) fn new(is_release: bool) -> anyhow::Result<Self> {
        Ok(Self {
            members: members::members()?,
            is_release,
        })
    }

    /// Builds the binary where it is not there; where it stands.
    pub(super) fn binary(&self) -> anyhow::Result<PathBuf> {
        if self.is_release {
            release::build()?;
            return release::binary("tapecast");
        }
        // Its own tests start it. Built alone, it would have libraries with other features, and
        // these would be built again.
        let mut build = command::cargo(&["test", "--workspace", "--no-run"]);
        command::run(build.args(["--test", "command_line"]))?;
        workspace::binary("debug", "tapecast")
    }
}
