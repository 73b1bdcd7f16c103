//! Runs the commands that the documentation shows, so that they stay correct.
//!
//! A fenced `console` block shows commands as `$ command`, each with its output below. With `<!--
//! run -->` on the line before the block, each command is run in the workspace root and has to
//! succeed. Its output is not compared, since it contains times and ports. `tapecast` is the binary
//! under test. Blocks without the mark are for reading: servers that never end, and what takes too
//! long.

use crate::{command, workspace};
use anyhow::{Context, bail};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MARK: &str = "<!-- run -->";
/// The time limit of each command.
const LIMIT: Duration = Duration::from_secs(600);

/// A command and its position.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    line: usize,
    command: String,
}

/// Runs every marked command and returns their number. `tapecast` is the given binary.
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

/// README.md and the pages in `docs/`.
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

/// The commands of the marked blocks. A command continues after a line that ends with a backslash.
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
    fn only_marked_blocks_are_run() {
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
    fn a_mark_without_a_block_is_an_error() {
        assert!(marked("<!-- run -->\n\n```console\n$ true\n```\n").is_err());
        assert!(marked("<!-- run -->\n```console\n$ true\n").is_err());
    }
}
