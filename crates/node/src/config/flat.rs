use std::collections::BTreeMap;

use super::key::Kind;
use super::keys::{self, KEYS, Shape};
use super::mistake::Mistake;
use super::suggest::nearest;
use super::value::{Node, Value};

/// The given values by their paths, in which items of lists have numbers.
#[derive(Debug, Default)]
pub(super) struct Flat {
    /// The values of keys.
    pub(super) values: BTreeMap<String, Node>,
    /// The numbers of items of the lists of tables.
    pub(super) lists: BTreeMap<String, usize>,
}

impl Flat {
    /// Sorts out what stands at known paths; everything else is a mistake.
    pub(super) fn of(root: BTreeMap<String, Node>, mistakes: &mut Vec<Mistake>) -> Self {
        let mut flat = Self::default();
        flat.table(root, "", "", mistakes);
        flat
    }

    /// `path` has numbers of items where `pattern` has `[]`.
    fn table(
        &mut self,
        table: BTreeMap<String, Node>,
        path: &str,
        pattern: &str,
        mistakes: &mut Vec<Mistake>,
    ) {
        for (name, node) in table {
            self.node(node, join(path, &name), join(pattern, &name), mistakes);
        }
    }

    fn node(&mut self, node: Node, path: String, pattern: String, mistakes: &mut Vec<Mistake>) {
        match (keys::shape(&pattern), node.value) {
            (Shape::Leaf(key), Value::Table(table)) if matches!(key.kind, Kind::Properties) => {
                self.properties(table, &path);
            }
            (Shape::Leaf(_), value) => {
                let origin = node.origin;
                self.values.insert(path, Node { value, origin });
            }
            (Shape::Table, Value::Table(table)) => self.table(table, &path, &pattern, mistakes),
            (Shape::List, Value::List(items)) => {
                self.lists.insert(path.clone(), items.len());
                for (at, item) in items.into_iter().enumerate() {
                    let pattern = format!("{pattern}[]");
                    self.node(item, format!("{path}[{at}]"), pattern, mistakes);
                }
            }
            (shape, value) => {
                let origin = node.origin;
                let node = Node { value, origin };
                match shape {
                    Shape::Table => mistakes.push(Mistake::wrong(path, &node, "a table of keys")),
                    Shape::List => mistakes.push(Mistake::wrong(path, &node, "a list of tables")),
                    Shape::Leaf(_) | Shape::Unknown => unknown(&node, &path, &pattern, mistakes),
                }
            }
        }
    }

    /// Properties are known by their dotted names; TOML makes tables of dots that are not quoted.
    fn properties(&mut self, table: BTreeMap<String, Node>, path: &str) {
        for (name, node) in table {
            let path = join(path, &name);
            match node.value {
                Value::Table(table) => self.properties(table, &path),
                value => {
                    let origin = node.origin;
                    self.values.insert(path, Node { value, origin });
                }
            }
        }
    }
}

/// Every key below a place that nobody knows is a mistake of its own.
fn unknown(node: &Node, path: &str, pattern: &str, mistakes: &mut Vec<Mistake>) {
    if let Value::Table(table) = &node.value
        && !table.is_empty()
    {
        for (name, node) in table {
            unknown(node, &join(path, name), &join(pattern, name), mistakes);
        }
        return;
    }
    let expected = match proposal(pattern) {
        Some(key) => format!(
            "there is no such key; did you mean {}?",
            with_numbers(key, path)
        ),
        None => "there is no such key".to_owned(),
    };
    mistakes.push(Mistake::wrong(path, node, expected));
}

/// The key that was probably meant: by its whole path, else by its last name in another section.
fn proposal(pattern: &str) -> Option<&'static str> {
    let paths = || KEYS.iter().map(|key| key.path);
    let last = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    let wrong = pattern.rsplit('.').next().unwrap_or(pattern);
    nearest(pattern, paths()).or_else(|| paths().find(|path| last(path) == wrong))
}

/// `key` with the numbers that `path` has in the place of `[]`, as far as they go together.
fn with_numbers(key: &str, path: &str) -> String {
    let mut numbers = path
        .split('[')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(']')?.0));
    let mut parts = key.split("[]");
    let mut out = parts.next().unwrap_or(key).to_owned();
    for part in parts {
        out.push_str(&format!("[{}]{part}", numbers.next().unwrap_or_default()));
    }
    out
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
