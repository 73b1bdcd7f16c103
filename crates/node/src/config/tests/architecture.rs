//! docs/architecture.md names files, constants, keys and tests that exist.
//!
//! In its tables a file is named relative to `crates/` (`fanout/src/link.rs`). One without a crate
//! (`shard/accept.rs`) is in `src/` of the crate that was named last in its cell. A name after a file
//! (`DELIVERIES`) is in that file; in the table of decisions, it is defined there. A value after a key
//! (`limits.sessions`, 20,000) is its default.

use std::path::{Path, PathBuf};

use super::super::SCHEMA;
use super::super::key::{AnyKey, Fallback};
use super::super::unit::{parse_duration, parse_size};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/architecture.md");
const CRATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn each_bound_is_where_the_table_says() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let rows = table(&document, "## Bounds");
    let mut wrong = Vec::new();
    for row in &rows {
        let [what, bound, place, beyond] = row[..] else {
            wrong.push(format!("{}: not four cells", row.join(" | ")));
            continue;
        };
        let errors = check_places(place);
        wrong.extend(errors.into_iter().map(|error| format!("{what}: {error}")));
        for cell in [what, bound, beyond] {
            let errors = check_keys(cell);
            wrong.extend(errors.into_iter().map(|error| format!("{what}: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 50, "the table was not found");
}

#[test]
fn each_decision_is_made_where_the_table_says() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let rows = tables(&document, "## Where is it decided");
    let mut wrong = Vec::new();
    for row in &rows {
        let [decision, place] = row[..] else {
            wrong.push(format!("{}: not two cells", row.join(" | ")));
            continue;
        };
        let errors = check_definitions(place);
        wrong.extend(
            errors
                .into_iter()
                .map(|error| format!("{decision}: {error}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 50, "the table was not found");
}

#[test]
fn each_limit_of_the_configuration_is_a_bound() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let rows = table(&document, "## Bounds");
    let limits = SCHEMA.paths().filter(|path| path.starts_with("limits."));
    for path in limits {
        let is_named = rows
            .iter()
            .flatten()
            .any(|cell| spans(cell).any(|(span, _)| span == path));
        assert!(is_named, "no row names `{path}`");
    }
}

#[test]
fn each_invariant_is_enforced_and_tested_where_the_table_says() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let rows = table(&document, "## Invariants");
    let sources = sources();
    let mut wrong = Vec::new();
    for row in &rows {
        let [number, _, enforced, tested] = row[..] else {
            wrong.push(format!("{}: not four cells", row.join(" | ")));
            continue;
        };
        for cell in [enforced, tested] {
            let errors = check_places_and_tests(cell, &sources);
            wrong.extend(errors.into_iter().map(|error| format!("{number}: {error}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows.len() > 5, "the table was not found");
}

#[test]
fn each_link_leads_to_a_file() {
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    let directory = Path::new(DOCUMENT).parent().unwrap();
    let links = document.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with('#') && !link.contains("://")) {
        let file = link.split('#').next().unwrap();
        assert!(directory.join(file).exists(), "{link}");
    }
}

/// The rows of the first table under a heading, without its head.
fn table<'a>(document: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let lines = document.lines().skip_while(|line| *line != heading);
    let lines = lines.skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// The rows of all tables of a section, without their heads.
fn tables<'a>(document: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let start = document.find(heading).unwrap() + heading.len();
    let section = document[start..].split("\n## ").next().unwrap_or("");
    let headings = section.match_indices("\n### ");
    headings
        .flat_map(|(at, _)| {
            let heading = section[at + 1..].lines().next().unwrap_or("");
            table(&section[at..], heading)
        })
        .collect()
}

/// The pieces of a cell between backticks, each with the text after it.
fn spans(cell: &str) -> impl Iterator<Item = (&str, &str)> {
    let pieces: Vec<&str> = cell.split('`').collect();
    let starts = (1..pieces.len()).step_by(2);
    let found = starts.map(move |at| (pieces[at], pieces.get(at + 1).copied().unwrap_or("")));
    found.collect::<Vec<_>>().into_iter()
}

/// What a cell of places says, as far as it is wrong.
fn check_places(cell: &str) -> Vec<String> {
    let mut places = Places::default();
    let mut wrong: Vec<String> = spans(cell)
        .filter_map(|(span, _)| places.check(span).err())
        .collect();
    if places.file.is_none() {
        wrong.push("names no file".to_owned());
    }
    wrong
}

/// Returns what is wrong with a cell that names files and what they define.
fn check_definitions(cell: &str) -> Vec<String> {
    let mut places = Places::default();
    let mut wrong = Vec::new();
    let mut items = 0;
    for (span, _) in spans(cell) {
        if let Err(error) = places.check(span) {
            wrong.push(error);
        } else if !span.contains('/') && !span.ends_with(".rs") {
            items += 1;
            let text = places.file.as_deref().unwrap_or("");
            let name = span.rsplit("::").next().unwrap_or(span);
            if !is_defined(name, text) {
                wrong.push(format!("`{span}` is not defined in that file"));
            }
        }
    }
    if items == 0 {
        wrong.push("names no item".to_owned());
    }
    wrong
}

/// Returns whether a source defines an item of that name.
fn is_defined(name: &str, text: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "trait", "type", "const", "static"];
    let words: Vec<&str> = words(text).filter(|word| !word.is_empty()).collect();
    words
        .windows(2)
        .any(|pair| kinds.contains(&pair[0]) && pair[1] == name)
}

/// The same, where names that are in no file are those of tests.
fn check_places_and_tests(cell: &str, sources: &str) -> Vec<String> {
    let mut places = Places::default();
    let is_test = |span: &str| sources.contains(&format!("fn {span}("));
    spans(cell)
        .filter(|(span, _)| !span.contains('=') && !span.contains(' '))
        .filter_map(|(span, _)| places.check(span).err().filter(|_| !is_test(span)))
        .collect()
}

/// Reads the places that one cell names.
#[derive(Default)]
struct Places {
    /// The crate that was named last.
    of: Option<PathBuf>,
    /// The file that was named last; of a directory, all of its files.
    file: Option<String>,
}

impl Places {
    fn check(&mut self, span: &str) -> Result<(), String> {
        if span.ends_with(".rs") || span.contains('/') {
            return self.open(span);
        }
        let directory = Path::new(CRATES).join(span);
        if directory.is_dir() {
            self.of = Some(directory);
            return Ok(());
        }
        let Some(text) = &self.file else {
            return Err(format!("`{span}` follows no file"));
        };
        let name = span.rsplit("::").next().unwrap_or(span);
        let is_constant = !name.contains(|c: char| c.is_lowercase());
        let is_there = if is_constant {
            text.contains(&format!("const {name}:"))
        } else {
            words(text).any(|word| word == name)
        };
        if is_there {
            Ok(())
        } else {
            Err(format!("`{span}` is not in the file that precedes it"))
        }
    }

    fn open(&mut self, span: &str) -> Result<(), String> {
        let whole = Path::new(CRATES).join(span);
        let is_whole = span.contains("/src") || span.contains("/tests");
        let path = if is_whole {
            let name = span.split('/').next().unwrap_or(span);
            self.of = Some(Path::new(CRATES).join(name));
            whole
        } else {
            let of = self.of.clone();
            of.ok_or_else(|| format!("`{span}` follows no crate"))?
                .join("src")
                .join(span)
        };
        if !path.exists() {
            return Err(format!("there is no `{span}`"));
        }
        self.file = Some(read(&path));
        Ok(())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// A file's text, or that of all files below a directory.
fn read(path: &Path) -> String {
    if path.is_file() {
        return std::fs::read_to_string(path).unwrap();
    }
    let mut text = String::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            text += &read(&path);
        }
    }
    text
}

/// All of the crates' sources.
fn sources() -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(CRATES).unwrap() {
        let directory = entry.unwrap().path();
        for part in ["src", "tests"] {
            let part = directory.join(part);
            if part.is_dir() {
                text += &read(&part);
            }
        }
    }
    text
}

/// What a cell says about keys, as far as it is wrong.
fn check_keys(cell: &str) -> Vec<String> {
    let is_key = |span: &str| {
        let parts = span.split('.');
        let is_name = |part: &str| part.chars().all(|c| c.is_lowercase() || c == '_');
        span.contains('.') && !span.ends_with(".rs") && parts.into_iter().all(is_name)
    };
    let mut wrong = Vec::new();
    for (span, after) in spans(cell).filter(|(span, _)| is_key(span)) {
        let Some(key) = SCHEMA.keys().find(|key| key.path() == span) else {
            wrong.push(format!("there is no key `{span}`"));
            continue;
        };
        if let Some(shown) = shown_value(after)
            && !is_default(key, &shown)
        {
            wrong.push(format!("`{span}` is not {shown} by default"));
        }
    }
    wrong
}

/// `20,000` and `64KiB` of `, 20,000, and ...` and `, 64 KiB; ...`: the value that follows a key.
fn shown_value(after: &str) -> Option<String> {
    let text = after.strip_prefix(", ")?;
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',');
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    let number = number.replace(',', "");
    if number.is_empty() {
        return None;
    }
    let unit = rest
        .trim_start()
        .split(|c: char| !c.is_alphabetic())
        .next()?;
    let unit = match unit {
        "KiB" | "MiB" | "GiB" | "ms" | "s" | "h" => unit,
        "min" => "m",
        _ => "",
    };
    Some(number + unit)
}

fn is_default(key: &dyn AnyKey, shown: &str) -> bool {
    let Fallback::Default(default) = key.fallback() else {
        return false;
    };
    let are_same = |size: Option<u64>, other: Option<u64>| size.is_some() && size == other;
    default == shown
        || are_same(parse_size(default), parse_size(shown))
        || parse_duration(default).is_some_and(|span| Some(span) == parse_duration(shown))
}

#[test]
fn a_value_after_a_key_is_its_default() {
    for (after, value) in [
        (", 20,000, and what open files allow", Some("20000")),
        (", 64 KiB; `b`", Some("64KiB")),
        (", 1 min", Some("1m")),
        (" to its first request", None),
        (", shared by its shards", None),
    ] {
        assert_eq!(shown_value(after).as_deref(), value, "{after}");
    }
    let errors = check_keys("`limits.sessions`, 20,001; `limits.nothing`");
    assert_eq!(
        errors,
        [
            "`limits.sessions` is not 20001 by default",
            "there is no key `limits.nothing`",
        ]
    );
}

#[test]
fn a_place_that_has_moved_is_found() {
    assert_eq!(
        check_places("`fanout/src/link.rs` `DELIVERIES`, `shard.rs`"),
        [""; 0]
    );
    assert_eq!(
        check_places("`fanout/src/shard/pump.rs`"),
        ["there is no `fanout/src/shard/pump.rs`", "names no file"]
    );
    assert_eq!(
        check_places("`fanout/src/link.rs` `GONE`"),
        ["`GONE` is not in the file that precedes it"]
    );
    assert_eq!(
        check_definitions("`market/src/book.rs` `Book`, `Book::set`"),
        [""; 0]
    );
    assert_eq!(
        check_definitions("`market/src/book.rs` `Ladder`; `market/src/ladder.rs`"),
        ["`Ladder` is not defined in that file"]
    );
    assert_eq!(check_definitions("`market/src/book.rs`"), ["names no item"]);
}
