//! `cargo xtask sizes`: a file of more than [`MAX_LINES`] lines has to say why.
//!
//! The reason is a sentence in the file's first comment that begins "Long because". Tests are exempt.
//! The length of functions is clippy's `too_many_lines`; a reason there is that of an `expect`.

use crate::{members, workspace};
use anyhow::{Context, bail};
use std::fs;
use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;
const REASON: &str = "Long because";
/// Files that are long without a reason today. The list may only shrink.
const KNOWN: &[&str] = &[];

/// Checks every Rust file of the workspace outside tests.
pub(crate) fn check() -> anyhow::Result<()> {
    let root = workspace::root();
    let mut files = Vec::new();
    for member in members::members()? {
        find(&member.directory, &mut files)?;
    }
    let mut long = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if lacks_reason(&text) {
            let name = path.strip_prefix(&root).unwrap_or(&path).display();
            long.push((name.to_string(), text.lines().count()));
        }
    }
    for name in KNOWN {
        println!("still allowed without a reason: {name}");
    }
    let wrong = wrong(&long, KNOWN);
    if !wrong.is_empty() {
        bail!("{} long files\n  {}", wrong.len(), wrong.join("\n  "));
    }
    Ok(())
}

/// Collects the Rust files below a directory that are not tests.
fn find(directory: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        let is_named = |names: &[&str]| {
            let stem = path.file_stem().unwrap_or_default();
            names.iter().any(|name| stem == *name)
        };
        if path.is_dir() {
            if !is_named(&["tests", "benches", "target"]) {
                find(&path, found)?;
            }
        } else if path.extension().is_some_and(|found| found == "rs") && !is_named(&["tests"]) {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

/// Returns whether a file is too long and its first comment does not say why.
fn lacks_reason(text: &str) -> bool {
    let comment = text.lines().take_while(|line| line.starts_with("//"));
    let comment: Vec<&str> = comment
        .map(|line| line.trim_start_matches(['/', '!', ' ']))
        .collect();
    text.lines().count() > MAX_LINES && !comment.join(" ").contains(REASON)
}

/// New long files, and known ones that are not too long any more.
fn wrong(long: &[(String, usize)], known: &[&str]) -> Vec<String> {
    let new = long
        .iter()
        .filter(|(name, _)| !known.contains(&name.as_str()));
    let new = new.map(|(name, lines)| {
        format!(
            "{name}: {lines} lines, over {MAX_LINES}, and no \"{REASON} …\" in its first comment"
        )
    });
    let is_long = |name: &str| long.iter().any(|(long, _)| long == name);
    let gone = known.iter().filter(|name| !is_long(name));
    let gone = gone.map(|name| format!("{name}: not too long any more: remove it from KNOWN"));
    new.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_needs_a_reason_in_its_first_comment() {
        let code = "f();\n".repeat(MAX_LINES);
        assert!(!lacks_reason(&code));
        assert!(lacks_reason(&format!("g();\n{code}")));
        assert!(lacks_reason(&format!("//! A table.\n{code}")));
        assert!(!lacks_reason(&format!(
            "//! A table. Long\n//! because it has many rows.\n{code}"
        )));
        assert!(lacks_reason(&format!(
            "f();\n// Long because of that.\n{code}"
        )));
    }

    #[test]
    fn a_known_long_file_may_stay_until_it_is_split() {
        let long = [("a.rs".to_owned(), 501), ("b.rs".to_owned(), 600)];
        assert!(wrong(&long, &["a.rs", "b.rs"]).is_empty());
        assert!(wrong(&long, &["a.rs"])[0].starts_with("b.rs: 600 lines, over 500"));
        assert!(wrong(&long[..1], &["a.rs", "b.rs"])[0].starts_with("b.rs: not too long"));
    }

    #[test]
    fn every_member_is_searched_and_its_tests_are_not() {
        let mut files = Vec::new();
        find(&workspace::root().join("crates/market"), &mut files).unwrap();
        let has = |name: &str| files.iter().any(|path| path.ends_with(name));
        assert!(has("market/src/lib.rs"));
        assert!(!has("market/tests/vectors.rs"));
    }
}
