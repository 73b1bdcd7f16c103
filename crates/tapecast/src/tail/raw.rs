use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Appends messages to a file, without separators.
#[derive(Debug)]
pub(super) struct Raw {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Raw {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
        })
    }

    pub(super) fn add(&mut self, message: &[u8]) -> anyhow::Result<()> {
        self.file
            .write_all(message)
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }

    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.file
            .flush()
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }
}
