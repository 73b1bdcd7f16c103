//! Parses TOML into values with their lines.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::value::{Node, Origin, Value};

/// The tables of the file, or all of its syntax errors.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, Node>, Vec<ConfigError>> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(lines.table(table.into_inner()));
    }
    // Only the first error of each line, since one typo causes several. Their full text would show the line,
    // which may contain a password.
    let mut by_line = BTreeMap::new();
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        by_line
            .entry(lines.line(at))
            .or_insert_with(|| error.message().to_owned());
    }
    let errors = by_line
        .into_iter()
        .map(|(line, message)| ConfigError::syntax(line, message));
    Err(errors.collect())
}

/// The offset of each line.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let behind_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(behind_breaks).collect())
    }

    /// The number of the line, from 1.
    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|&begin| begin <= at)
    }

    fn table(&self, table: DeTable<'_>) -> BTreeMap<String, Node> {
        table
            .into_iter()
            .map(|(name, value)| {
                // The line of the name: a table's own span may start elsewhere.
                let line = self.line(name.span().start);
                let node = Node {
                    value: self.value(value),
                    origin: Origin::Line(line),
                };
                (name.into_inner().into_owned(), node)
            })
            .collect()
    }

    fn value(&self, value: Spanned<DeValue<'_>>) -> Value {
        match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(integer) => {
                let decimal = i128::from_str_radix(integer.as_str(), integer.radix());
                Value::Bare(decimal.map_or_else(|_| integer.to_string(), |n| n.to_string()))
            }
            DeValue::Float(float) => Value::Bare(float.as_str().to_owned()),
            DeValue::Boolean(boolean) => Value::Bare(boolean.to_string()),
            DeValue::Datetime(time) => Value::Bare(time.to_string()),
            DeValue::Array(items) => {
                let items = items.into_iter().map(|item| {
                    let origin = Origin::Line(self.line(item.span().start));
                    let value = self.value(item);
                    Node { value, origin }
                });
                Value::List(items.collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        }
    }
}
