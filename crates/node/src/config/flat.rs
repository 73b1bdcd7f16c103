use std::collections::BTreeMap;

use super::error::ConfigError;
use super::schema::{Schema, Shape};
use super::value::{Node, Value};

/// The given values by path, with numbered list items.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub(super) values: BTreeMap<String, Node>,
    /// Number of items of each list of tables.
    pub(super) lists: BTreeMap<String, usize>,
}

impl Flat {
    /// Collects the values of known keys; everything else is an error.
    pub(super) fn of(
        root: BTreeMap<String, Node>,
        schema: Schema,
        errors: &mut Vec<ConfigError>,
    ) -> Self {
        let mut collector = Collector {
            flat: Self::default(),
            schema,
            errors,
        };
        collector.table(root, "", "");
        collector.flat
    }
}

/// Values being collected. Paths have the number of an item where patterns have `[]`.
struct Collector<'a> {
    flat: Flat,
    schema: Schema,
    errors: &'a mut Vec<ConfigError>,
}

impl Collector<'_> {
    fn table(&mut self, table: BTreeMap<String, Node>, path: &str, pattern: &str) {
        for (name, node) in table {
            self.node(node, join(path, &name), &join(pattern, &name));
        }
    }

    fn node(&mut self, Node { value, origin }: Node, path: String, pattern: &str) {
        match (self.schema.shape(pattern), value) {
            (Shape::Key(key), Value::Table(table)) if key.is_open() => self.open(table, &path),
            (Shape::Key(_), value) => {
                self.flat.values.insert(path, Node { value, origin });
            }
            (Shape::Table, Value::Table(table)) => self.table(table, &path, pattern),
            (Shape::ListOfTables, Value::List(items)) => {
                self.flat.lists.insert(path.clone(), items.len());
                for (at, item) in items.into_iter().enumerate() {
                    self.node(item, format!("{path}[{at}]"), &format!("{pattern}[]"));
                }
            }
            (Shape::Unknown, value) => self.unknown(&Node { value, origin }, &path, pattern),
            (shape, value) => {
                let expected = match shape {
                    Shape::Table => "a table of keys",
                    _ => "a list of tables",
                };
                let error = ConfigError::wrong(path, &Node { value, origin }, expected);
                self.errors.push(error);
            }
        }
    }

    /// Collects names with dots, of which TOML makes tables unless they are quoted.
    fn open(&mut self, table: BTreeMap<String, Node>, path: &str) {
        for (name, node) in table {
            let path = join(path, &name);
            match node.value {
                Value::Table(table) => self.open(table, &path),
                _ => {
                    self.flat.values.insert(path, node);
                }
            }
        }
    }

    /// Reports every key below an unknown one.
    fn unknown(&mut self, node: &Node, path: &str, pattern: &str) {
        if let Value::Table(table) = &node.value
            && !table.is_empty()
        {
            for (name, node) in table {
                self.unknown(node, &join(path, name), &join(pattern, name));
            }
            return;
        }
        let expected = match self.schema.nearest(pattern) {
            Some(key) => format!(
                "there is no such key; did you mean {}?",
                with_numbers(key, path)
            ),
            None => "there is no such key".to_owned(),
        };
        self.errors.push(ConfigError::wrong(path, node, expected));
    }
}

/// Replaces `[]` in `key` by the numbers in `path`.
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
