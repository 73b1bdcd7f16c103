//! What the dependency graph cannot show: the standard library's clocks, files, sockets and threads,
//! and whatever else waits for something or depends on the machine.

use anyhow::Context;
use std::fs;
use std::path::Path;

/// Nothing in a pure crate outside its tests says these.
const IMPURE: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::net",
    "std::io",
    "std::os",
    "std::fs",
    "std::thread",
    "std::sync::mpsc",
    "std::sync::Condvar",
    "std::sync::Barrier",
    "std::process",
    "std::env",
    // The exporter, which reads files of the system; the cells beside it do not.
    "metrics::Registry",
];

/// `FILE:LINE uses NAME` for each impure name in the sources below a directory.
pub(super) fn impure(directory: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    look_into(directory, directory, &mut found)?;
    Ok(found)
}

fn look_into(top: &Path, directory: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("{}", directory.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let is_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if is_tests {
            continue;
        }
        if path.is_dir() {
            look_into(top, &path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path)?;
            for (line, name) in impure_names(&text) {
                let path = path.strip_prefix(top).unwrap_or(&path).display();
                found.push(format!("{path}:{line} uses {name}"));
            }
        }
    }
    Ok(())
}

/// Line number and name, for each impure name in a source text.
fn impure_names(text: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    for (number, statement) in statements(text) {
        for path in paths(&statement) {
            let hit = IMPURE.iter().find(|name| {
                path.strip_prefix(**name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            });
            found.extend(hit.map(|name| (number, *name)));
        }
    }
    found
}

/// The lines that are code and not tests; a `use` that goes over several lines is one.
fn statements(text: &str) -> Vec<(usize, String)> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    let mut lines = text.lines().enumerate();
    let mut in_use = false;
    while let Some((index, line)) = lines.next() {
        let code = line.split("//").next().unwrap_or_default();
        if code.trim() == "#[cfg(test)]" {
            skip_item(&mut lines);
            continue;
        }
        match statements.last_mut() {
            Some((_, statement)) if in_use => statement.push_str(code.trim()),
            _ => statements.push((index + 1, code.trim().to_owned())),
        }
        let is_use = statements
            .last()
            .is_some_and(|(_, statement)| use_tree(statement).is_some());
        in_use = is_use && !code.contains(';');
    }
    statements
}

/// Skips the item that an attribute stands before. rustfmt puts the brace that closes an item under
/// the item's beginning.
fn skip_item<'a>(lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let mut indent = None;
    for (_, line) in lines {
        let code = line.trim_start();
        if indent.is_none() && (code.starts_with("#[") || code.starts_with("//")) {
            continue;
        }
        let depth = line.len() - code.len();
        let first = *indent.get_or_insert(depth);
        if depth == first && (code.ends_with([';', '}']) || code.starts_with('}')) {
            return;
        }
    }
}

/// The paths that a statement names; a tree of imports gives all of its branches.
fn paths(statement: &str) -> Vec<String> {
    if let Some(tree) = use_tree(statement) {
        return branches(tree);
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    statement
        .split(|c| !is_path(c))
        .filter_map(|word| {
            let mut roots = ["std::", "metrics::"].into_iter();
            let start = roots.find_map(|root| word.find(root))?;
            Some(word[start..].to_owned())
        })
        .collect()
}

/// What is imported, when the statement is an import.
fn use_tree(statement: &str) -> Option<&str> {
    let (before, tree) = statement.split_once("use ")?;
    let is_import = before.is_empty() || before.starts_with("pub");
    is_import.then(|| tree.trim_start_matches("::").trim_end_matches(';'))
}

/// `a::{b, c::d}` is `a::b` and `a::c::d`.
fn branches(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((stem, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or(tree).trim();
        // `std::fs::{self}` is `std::fs`.
        return vec![path.trim_end_matches("::self").to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (place, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                let branch = inner[start..place].trim();
                if !branch.is_empty() {
                    found.extend(branches(&format!("{}{branch}", stem.trim())));
                }
                start = place + 1;
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(usize, &str)]) {
        assert_eq!(impure_names(text), expected, "{text}");
    }

    #[test]
    fn clocks_and_the_system_are_found_however_they_are_imported() {
        check("use std::time::Instant;\n", &[(1, "std::time::Instant")]);
        check(
            "use std::time::{Duration, Instant};\n",
            &[(1, "std::time::Instant")],
        );
        check(
            "\npub use std::{\n    fmt,\n    fs::{self, File},\n};\n",
            &[(2, "std::fs"), (2, "std::fs")],
        );
        check(
            "let now = std::time::SystemTime::now();\n",
            &[(1, "std::time::SystemTime")],
        );
        check("fn f(s: &std::net::TcpStream) {}\n", &[(1, "std::net")]);
        check("use std::thread as t;\n", &[(1, "std::thread")]);
        check("use std::sync::{Arc, mpsc};\n", &[(1, "std::sync::mpsc")]);
        check("fn f(w: &mut impl std::io::Write) {}\n", &[(1, "std::io")]);
        check(
            "use metrics::{Registry, ShardMetrics};\n",
            &[(1, "metrics::Registry")],
        );
        check(
            "fn f(all: &metrics::Registry) {}\n",
            &[(1, "metrics::Registry")],
        );
    }

    #[test]
    fn what_is_no_effect_is_not_found() {
        check("use std::time::Duration;\nuse std::fmt;\n", &[]);
        check("// std::fs is not used\n/// nor std::net\n", &[]);
        check("use std::threading::x;\n", &[]);
    }

    #[test]
    fn tests_may_do_what_they_like_and_code_after_them_may_not() {
        check("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
        check(
            "#[cfg(test)]\nmod tests;\nuse std::fs;\n",
            &[(3, "std::fs")],
        );
        check(
            "#[cfg(test)]\n#[allow(x)]\nfn f() {\n    std::fs::f();\n}\nuse std::net::T;\n",
            &[(6, "std::net")],
        );
    }
}
