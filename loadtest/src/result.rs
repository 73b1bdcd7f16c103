//! What every result has around its figures: where, of what and how they were measured.
//!
//! A result that does not say so can be compared with nothing.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The version of the results' shape; a field that is renamed or means something else makes
/// another one.
pub(crate) const SCHEMA: u32 = 1;

/// A result, and what one must know to compare it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured<T> {
    pub(crate) schema: u32,
    /// The command: publish, subscribe, replay, peers.
    pub(crate) command: String,
    /// What the command was given, as it was given.
    pub(crate) arguments: Vec<String>,
    /// When it was written, in seconds since 1970.
    pub(crate) time: u64,
    pub(crate) commit: Commit,
    pub(crate) machine: Machine,
    pub(crate) result: T,
}

impl<T> Measured<T> {
    /// A result of this process, on this machine.
    pub(crate) fn here(result: T) -> Self {
        let mut arguments = std::env::args().skip(1);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            schema: SCHEMA,
            command: arguments.next().unwrap_or_default(),
            arguments: arguments.collect(),
            time: since.map_or(0, |since| since.as_secs()),
            commit: Commit::built(),
            machine: Machine::read(),
            result,
        }
    }
}

/// What this binary was built of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Commit(pub(crate) String);

impl Commit {
    /// As git names it, or `unknown` where it was built outside of git.
    pub(crate) fn built() -> Self {
        Self(env!("TAPECAST_LOADTEST_REVISION").to_owned())
    }
}

/// Where something was measured; what the system does not tell is empty or 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// How many cores it has, whichever of them this process may use.
    pub(crate) cores: usize,
    /// The processor, as it calls itself.
    pub(crate) model: String,
    /// The operating system's kernel.
    pub(crate) kernel: String,
    /// All memory, in KiB.
    pub(crate) memory_kib: u64,
}

impl Machine {
    /// This one.
    pub(crate) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory = text("/proc/meminfo");
        let processors = text("/proc/cpuinfo");
        let release = text("/proc/sys/kernel/osrelease");
        Self {
            cores: cores(&processors),
            model: value(&processors, "model name").to_owned(),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
            memory_kib: number(value(&memory, "MemTotal")),
        }
    }
}

/// What stands behind the first `key:` of a file with a key a line.
pub(crate) fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(name, _)| name.trim() == key);
    found.next().map_or("", |(_, value)| value.trim())
}

/// The number that a text begins with, whatever its unit; 0 where there is none.
pub(crate) fn number(text: &str) -> u64 {
    let first = text.split_whitespace().next().unwrap_or_default();
    first.parse().unwrap_or(0)
}

fn cores(processors: &str) -> usize {
    let is_one = |line: &&str| line.starts_with("processor");
    processors.lines().filter(is_one).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_stands_behind_its_key() {
        let text = "MemTotal:       24684556 kB\nSlab:    512 kB\nmodel name\t: A CPU @ 2.0GHz\n";
        assert_eq!(number(value(text, "MemTotal")), 24_684_556);
        assert_eq!(number(value(text, "Slab")), 512);
        assert_eq!(value(text, "model name"), "A CPU @ 2.0GHz");
        assert_eq!(value(text, "Total"), "");
        assert_eq!(number(""), 0);
    }

    #[test]
    fn a_result_is_read_as_it_was_written() {
        let written = Measured::here(7_u32);
        assert_eq!(written.schema, SCHEMA);
        assert!(written.machine.cores > 0);
        assert_eq!(cores("processor\t: 0\ncore id\t: 0\n\nprocessor\t: 1\n"), 2);
        assert!(!written.commit.0.is_empty());
        let text = serde_json::to_string(&written).unwrap();
        let read: Measured<u32> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, written);
    }
}
