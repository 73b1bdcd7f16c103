use std::collections::BTreeMap;

use super::error::ConfigError;
use super::schema::{Schema, Shape};
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
    /// Sorts out what is at known paths; everything else is an error.
    pub(super) fn of(
        root: BTreeMap<String, Node>,
        schema: Schema,
        errors: &mut Vec<ConfigError>,
    ) -> Self {
        let mut sorting = Sorting {
            flat: Self::default(),
            schema,
            errors,
        };
        sorting.table(root, "", "");
        sorting.flat
    }
}

/// The values that are being sorted. Its paths have numbers of items where its patterns have `[]`.
struct Sorting<'a> {
    flat: Flat,
    schema: Schema,
    errors: &'a mut Vec<ConfigError>,
}

impl Sorting<'_> {
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

    /// Names with dots: TOML makes tables of dots that are not quoted.
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

    /// Every key below an unknown one is an error of its own.
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
