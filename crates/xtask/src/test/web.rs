//! The tests of the page, with Node's own test runner.

use super::outcome::{Outcome, Tally};
use super::subject::Subject;
use crate::command;
use crate::workspace;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) fn run(_: &Subject) -> anyhow::Result<Outcome> {
    let mut files = Vec::new();
    let web = workspace::root().join("web");
    if web.is_dir() {
        find_tests(&web, &mut files)?;
    }
    if files.is_empty() {
        return Ok(Outcome::skipped("web/ has no *.test.js"));
    }
    // Files, since versions of Node treat a directory differently.
    let mut node = command::program("node");
    node.args(["--test", "--test-reporter=spec"]).args(files);
    let mut tally = Tally::default();
    let status = command::run_reading(&mut node, |line| tally.read(line))?;
    Ok(Outcome::of_tests(status.success(), tally))
}

fn find_tests(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && name != "node_modules" {
            find_tests(&path, found)?;
        } else if name.ends_with(".test.js") || name.ends_with(".test.mjs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}
