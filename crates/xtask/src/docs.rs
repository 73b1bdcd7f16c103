//! The commands that the documentation shows are run, so that they stay true.
//!
//! A fenced `console` block shows commands as `$ command` and under each what it prints. With
//! `<!-- run -->` on the line before, each command is run in the project's root and must end with
//! success; what it prints is not compared, since it has times and ports in it. `tapecast` is the
//! binary that is tested. Other blocks are for reading: servers that never end, and what takes too
//! long.

use crate::{command, workspace};
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MARK: &str = "<!-- run -->";
/// None may wait forever.
const LIMIT: Duration = Duration::from_secs(600);

/// A command and where it stands.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    command: String,
}

/// Runs every marked command and returns how many there were. The commands find `tapecast` first in
/// the directory of `binary`.
pub(crate) fn check(binary: &Path) -> anyhow::Result<usize> {
    let root = workspace::root();
    let mut programs = OsString::from(binary.parent().unwrap_or(&root));
    programs.push(":");
    programs.push(std::env::var_os("PATH").unwrap_or_default());
    let mut count = 0;
    for path in pages(&root)? {
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let name = path
            .strip_prefix(&root)
            .unwrap_or(&path)
            .display()
            .to_string();
        let marked = marked(&text).with_context(|| name.clone())?;
        for Shown { line, command } in marked {
            println!("{name}:{line}: {command}");
            let mut shell = command::program("sh");
            shell.args(["-e", "-c", &command]).env("PATH", &programs);
            command::run_within(&mut shell, LIMIT).with_context(|| format!("{name}:{line}"))?;
            count += 1;
        }
    }
    Ok(count)
}

/// README.md and the pages in docs/.
fn pages(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    let docs = root.join("docs");
    if docs.is_dir() {
        for entry in fs::read_dir(docs)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    let readme = root.join("README.md");
    if readme.exists() {
        pages.insert(0, readme);
    }
    Ok(pages)
}

/// The commands of the marked blocks. A command goes on where its line ends with a backslash.
fn marked(text: &str) -> anyhow::Result<Vec<Shown>> {
    let mut found: Vec<Shown> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.trim() != MARK {
            continue;
        }
        if !matches!(lines.next(), Some((_, fence)) if fence.trim() == "```console") {
            bail!("line {}: no ```console block follows {MARK}", index + 1);
        }
        let mut goes_on = false;
        let mut closed = false;
        for (index, line) in lines.by_ref() {
            let line = line.trim();
            if line == "```" {
                closed = true;
                break;
            }
            match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => {
                    found.push(Shown {
                        line: index + 1,
                        command: command.to_owned(),
                    });
                }
                (None, Some(last)) if goes_on => {
                    last.command.push('\n');
                    last.command.push_str(line);
                }
                (None, _) => continue,
            }
            goes_on = line.ends_with('\\');
        }
        if !closed {
            bail!("line {}: the block is not closed", index + 1);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_marked_is_run() {
        let text = "\
```console
$ tapecast serve
```
<!-- run -->
```console
$ tapecast check-config \\
    --config node.toml
the config is right
$ true
```
";
        let commands = marked(text).unwrap();
        assert_eq!(
            commands,
            [
                Shown {
                    line: 6,
                    command: "tapecast check-config \\\n--config node.toml".to_owned()
                },
                Shown {
                    line: 9,
                    command: "true".to_owned()
                },
            ]
        );
    }

    #[test]
    fn a_mark_without_a_block_is_a_mistake() {
        assert!(marked("<!-- run -->\n\n```console\n$ true\n```\n").is_err());
        assert!(marked("<!-- run -->\n```console\n$ true\n").is_err());
    }
}
