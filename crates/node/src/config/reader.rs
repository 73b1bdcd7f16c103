use std::collections::BTreeMap;

use super::effective::Setting;
use super::error::ConfigError;
use super::flat::Flat;
use super::key::{Fallback, Key};
use super::value::{Node, Origin, Value, quote};

/// Reads keys and collects errors.
///
/// An invalid value reads as its default or as `None`, so that reading goes on; the result is only used if there are
/// no errors.
pub(super) struct Reader {
    flat: Flat,
    pub(super) errors: Vec<ConfigError>,
    /// All values read so far, in order.
    pub(super) settings: Vec<Setting>,
}

impl Reader {
    pub(super) fn new(flat: Flat, errors: Vec<ConfigError>) -> Self {
        Self {
            flat,
            errors,
            settings: Vec::new(),
        }
    }

    /// Adds an error about a value that has been read.
    pub(super) fn error(&mut self, path: &str, expected: impl Into<String>) {
        let setting = self.settings.iter().find(|setting| setting.path == path);
        self.errors.push(match setting {
            Some(setting) => ConfigError::wrong(path, &setting.node, expected),
            None => ConfigError::missing(path, expected),
        });
    }

    /// Returns whether there is an error about the value at a path.
    pub(super) fn is_wrong(&self, path: &str) -> bool {
        self.errors.iter().any(|error| error.key == path)
    }

    /// Returns whether a key was given, or has a default.
    pub(super) fn has(&self, path: &str) -> bool {
        self.settings.iter().any(|setting| setting.path == path)
    }

    /// Number of items in a list of tables.
    pub(super) fn items(&self, list: &str) -> usize {
        self.flat.lists.get(list).copied().unwrap_or(0)
    }

    /// Reads a key with a default.
    pub(super) fn default<T>(&mut self, key: &Key<T>, table: &str) -> T {
        if let Some(value) = self.absent(key, table) {
            return value;
        }
        match default_of(key).map(|node| key.kind.parse(&node.value)) {
            Some(Ok(value)) => value,
            _ => unreachable!("{}: a test reads every default", key.path),
        }
    }

    /// Reads a required key; `None` if it is missing or invalid, which is reported.
    pub(super) fn required<T>(&mut self, key: &Key<T>, table: &str) -> Option<T> {
        self.absent(key, table)
    }

    /// Reads a key that may be absent; also `None` if it is invalid, which is reported.
    pub(super) fn absent<T>(&mut self, key: &Key<T>, table: &str) -> Option<T> {
        let path = format!("{table}.{}", key.name());
        let given = self.flat.values.remove(&path);
        let Some(node) = given.or_else(|| default_of(key)) else {
            if key.fallback == Fallback::Required {
                let error = ConfigError::missing(path, key.kind.expected());
                self.errors.push(error);
            }
            return None;
        };
        let parsed = key.kind.parse(&node.value);
        if let Err(expected) = &parsed {
            let error = ConfigError::wrong(path.as_str(), &node, expected.as_str());
            self.errors.push(error);
        }
        self.keep(key, (table, key.name().to_owned()), path, node);
        parsed.ok()
    }

    /// Reads an open table as texts by name.
    pub(super) fn open(
        &mut self,
        key: &Key<BTreeMap<String, String>>,
        table: &str,
    ) -> BTreeMap<String, String> {
        let path = format!("{table}.{}", key.name());
        let below = format!("{path}.");
        let is_named = |path: &String, _: &mut Node| path.starts_with(&below);
        let named: Vec<_> = self.flat.values.extract_if(.., is_named).collect();
        let mut texts = BTreeMap::new();
        for (full, node) in named {
            match node.value.scalar() {
                Some(text) => {
                    texts.insert(full[below.len()..].to_owned(), text.to_owned());
                }
                None => {
                    let expected = "a text, an integer or a boolean";
                    let error = ConfigError::wrong(full.as_str(), &node, expected);
                    self.errors.push(error);
                }
            }
            let name = quote(&full[below.len()..]);
            self.keep(key, (&path, name), full, node);
        }
        if let Some(node) = self.flat.values.remove(&path) {
            let error = ConfigError::wrong(path, &node, "a table of properties");
            self.errors.push(error);
        }
        texts
    }

    fn keep<T>(&mut self, key: &Key<T>, (table, name): (&str, String), path: String, node: Node) {
        self.settings.push(Setting {
            path,
            table: table.to_owned(),
            name,
            literal: match &node.value {
                Value::Loose(text) => key.kind.literal(text),
                value => value.to_string(),
            },
            node,
            is_live: key.is_live,
        });
    }
}

fn default_of<T>(key: &Key<T>) -> Option<Node> {
    match key.fallback {
        Fallback::Default(text) => Some(Node {
            value: Value::Loose(text.to_owned()),
            origin: Origin::Default,
        }),
        Fallback::Required | Fallback::Absent(_) => None,
    }
}
