//! The crates of the workspace.

use crate::command;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

/// A crate of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
}

/// The crates of the workspace.
pub(crate) fn members() -> anyhow::Result<Vec<Member>> {
    let mut cargo = command::cargo(&["tree", "--workspace"]);
    cargo.args(["--depth", "0", "--prefix", "none", "--format", "{p}"]);
    let tree = command::output(&mut cargo)?;
    Ok(tree.lines().filter_map(parse_member).collect())
}

impl Member {
    /// The names of its integration tests, `tests/NAME.rs` and `tests/NAME/main.rs`, sorted.
    pub(crate) fn tests(&self) -> anyhow::Result<Vec<String>> {
        let directory = self.directory.join("tests");
        let mut names = Vec::new();
        if !directory.is_dir() {
            return Ok(names);
        }
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let is_program = path.join("main.rs").is_file()
                || path.extension().is_some_and(|extension| extension == "rs");
            if is_program && let Some(name) = path.file_stem().and_then(OsStr::to_str) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// Parses `name v0.1.0 (/directory)`.
fn parse_member(line: &str) -> Option<Member> {
    let name = line.split(' ').next()?.to_owned();
    let directory = line.split_once('(')?.1.split_once(')')?.0;
    Some(Member {
        name,
        directory: PathBuf::from(directory),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crate_of_the_workspace_is_found() {
        let members = members().unwrap();
        let xtask = members
            .iter()
            .find(|member| member.name == "xtask")
            .unwrap();
        assert!(xtask.directory.join("Cargo.toml").exists());
        assert!(members.iter().any(|member| member.name == "market"));
        let ingest = members.iter().find(|member| member.name == "ingest");
        assert_eq!(
            ingest.unwrap().tests().unwrap(),
            ["allocations", "formats", "kafka"]
        );
    }
}
