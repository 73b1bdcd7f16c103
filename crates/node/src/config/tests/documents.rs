//! The document and the example file match the code.

use std::collections::BTreeSet;

use super::super::key::{AnyKey, Fallback};
use super::*;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../deploy/tapecast.example.toml"
);

/// What a key's table is headed by, and its name there.
fn split(path: &'static str) -> (String, &'static str) {
    let (table, name) = path.rsplit_once('.').unwrap();
    match table.strip_suffix("[]") {
        Some(list) => (format!("[[{list}]]"), name),
        None => (format!("[{table}]"), name),
    }
}

fn row(key: &dyn AnyKey) -> String {
    let (_, name) = split(key.path());
    let default = match key.fallback() {
        Fallback::Required => "required".to_owned(),
        Fallback::Absent(text) => text.to_owned(),
        Fallback::Default(text) => format!("`{}`", key.literal(text)),
    };
    let kind = key.expected();
    format!("| `{name}` | {kind} | {default} | {} |\n", key.meaning())
}

#[test]
fn the_document_lists_exactly_the_keys() {
    let mut expected = String::new();
    let mut last = String::new();
    for key in SCHEMA.keys() {
        let (table, _) = split(key.path());
        if table != last {
            expected += &format!(
                "\n### `{table}`\n\n| key | may be | default | meaning |\n|---|---|---|---|\n"
            );
            last = table;
        }
        expected += &row(key);
    }
    let document = std::fs::read_to_string(DOCUMENT).unwrap();
    assert!(
        document.contains(&expected),
        "docs/configuration.md is to have this:\n{expected}"
    );
    assert_eq!(
        document.matches("\n### `[").count(),
        expected.matches("\n### `[").count(),
        "a section too many"
    );
}

#[test]
fn the_example_has_every_key_at_its_default() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let config = config(sources(&text));
    let mut missing: BTreeSet<&str> = SCHEMA.paths().collect();
    let items = regex::Regex::new(r"\[\d+\]").unwrap();
    for setting in &config.effective.0 {
        let path = &setting.path;
        let pattern = items.replace_all(path, "[]");
        let Some(key) = SCHEMA.keys().find(|key| key.path() == pattern) else {
            assert!(path.starts_with("kafka.properties."), "{path}");
            missing.remove("kafka.properties");
            continue;
        };
        missing.remove(key.path());
        assert!(
            matches!(setting.node.origin, Origin::Line(_)),
            "{path} is not in the example"
        );
        if let Fallback::Default(default) = key.fallback() {
            let given = setting.node.value.to_string();
            assert_eq!(given, key.literal(default), "{path}");
        }
    }
    assert!(missing.is_empty(), "not in the example: {missing:?}");
}

#[test]
fn every_default_is_one_that_may_be_given() {
    for key in SCHEMA.keys() {
        assert!(key.meaning().ends_with('.'), "{}", key.path());
    }
    let config = config(sources(LEAST));
    let shown = config.effective.to_string();
    for key in SCHEMA.keys() {
        if let Fallback::Default(text) = key.fallback() {
            let (table, name) = split(key.path());
            let line = format!("{name} = {}  # default\n", key.literal(text));
            assert!(shown.contains(&table), "{table}");
            assert!(shown.contains(&line), "{line}");
        }
    }
}
