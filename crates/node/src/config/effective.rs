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
    /// The table it is in.
    pub(super) table: String,
    /// Its name there, quoted where TOML needs that.
    pub(super) name: String,
    pub(super) node: Node,
    /// The value as it would stand in the file.
    pub(super) literal: String,
    /// Whether a reload applies a change of it.
    pub(super) is_live: bool,
}

/// All values in effect, shown as TOML that means the same.
pub struct Effective(pub(super) Vec<Setting>);

impl Effective {
    /// The keys whose change takes a restart, with their values, told apart by hashes: some are secrets.
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
