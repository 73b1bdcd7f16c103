use std::fmt;

use super::key::Kind;
use super::keys;
use super::mistake::{REDACTED, is_secret};
use super::value::{Node, Value, quote};

/// A value that is in force.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) path: String,
    pub(super) node: Node,
}

/// All values that are in force, shown as TOML that says the same.
pub struct Effective(pub(super) Vec<Setting>);

impl Effective {
    /// Each path with its value as it would stand in the file; of secrets, only whether they changed.
    pub(crate) fn values(&self) -> Vec<(String, String)> {
        let value = |setting: &Setting| match is_secret(&setting.path) {
            true => (setting.path.clone(), fingerprint(&setting.node.value)),
            false => (setting.path.clone(), setting.literal()),
        };
        self.0.iter().map(value).collect()
    }
}

/// Tells values apart within this process, and tells nothing else.
fn fingerprint(value: &Value) -> String {
    use std::hash::BuildHasher as _;
    static KEYS: std::sync::LazyLock<std::hash::RandomState> =
        std::sync::LazyLock::new(std::hash::RandomState::new);
    KEYS.hash_one(value.to_string()).to_string()
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for setting in &self.0 {
            let (table, name) = setting.split();
            if table != last {
                let gap = if last.is_empty() { "" } else { "\n" };
                match table.strip_suffix(']').and_then(|t| t.rsplit_once('[')) {
                    Some((list, _)) => writeln!(f, "{gap}[[{list}]]")?,
                    None => writeln!(f, "{gap}[{table}]")?,
                }
                last = table;
            }
            let origin = &setting.node.origin;
            writeln!(f, "{name} = {}  # {origin}", setting.literal())?;
        }
        Ok(())
    }
}

impl Setting {
    /// The table, and the name in it as TOML wants it.
    fn split(&self) -> (&str, String) {
        const PROPERTIES: &str = "kafka.properties";
        if let Some(name) = self
            .path
            .strip_prefix(PROPERTIES)
            .and_then(|rest| rest.strip_prefix('.'))
        {
            return (&self.path[..PROPERTIES.len()], quote(name));
        }
        let (table, name) = self.path.rsplit_once('.').unwrap_or(("", &self.path));
        (table, name.to_owned())
    }

    fn literal(&self) -> String {
        if is_secret(&self.path) {
            return REDACTED.to_owned();
        }
        match &self.node.value {
            Value::Loose(text) => keys::find(&self.path)
                .map_or(&Kind::Properties, |key| &key.kind)
                .literal(text),
            value => value.to_string(),
        }
    }
}
