use std::collections::BTreeSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use super::error::{REDACTED, is_secret};
use super::value::Node;

/// A value in effect.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) path: String,
    /// Its table.
    pub(super) table: String,
    /// Its name in the table, quoted if necessary.
    pub(super) name: String,
    pub(super) node: Node,
    /// The value as it would be written in the file.
    pub(super) literal: String,
    /// Whether a reload applies a change.
    pub(super) is_live: bool,
}

/// All values in effect; displayed as equivalent TOML.
pub struct Effective(pub(super) Vec<Setting>);

impl Effective {
    /// The keys whose change takes a restart, with hashes of their values, some of which are secrets.
    pub(crate) fn fixed(&self) -> BTreeSet<(String, u64)> {
        static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let settings = self.0.iter().filter(|setting| !setting.is_live);
        settings
            .map(|setting| (setting.path.clone(), HASHES.hash_one(&setting.literal)))
            .collect()
    }
}

impl fmt::Display for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for setting in &self.0 {
            let Setting { table, name, .. } = setting;
            if table != last {
                let gap = if last.is_empty() { "" } else { "\n" };
                match table.strip_suffix(']').and_then(|t| t.rsplit_once('[')) {
                    Some((list, _)) => writeln!(f, "{gap}[[{list}]]")?,
                    None => writeln!(f, "{gap}[{table}]")?,
                }
                last = table;
            }
            let origin = &setting.node.origin;
            let literal = if is_secret(&setting.path) {
                REDACTED
            } else {
                &setting.literal
            };
            writeln!(f, "{name} = {literal}  # {origin}")?;
        }
        Ok(())
    }
}
