//! Where the project is and which crates it has.

use crate::command;
use std::path::PathBuf;

/// The project's root directory.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest
        .ancestors()
        .nth(2)
        .map(PathBuf::from)
        .unwrap_or(manifest)
}

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

/// `name v0.1.0 (/directory)`
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
    }
}
