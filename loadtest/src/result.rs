//! What surrounds the figures of every result: where, of what and how they were measured.
//!
//! Without it, a result cannot be compared with any other.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Version of the schema of results, incremented when a field is renamed or changes its meaning.
pub(crate) const SCHEMA: u32 = 1;

/// A result, with what is needed to compare it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measured<T> {
    pub(crate) schema: u32,
    /// The command: publish, subscribe, replay, peers.
    pub(crate) command: String,
    /// The command's arguments.
    pub(crate) arguments: Vec<String>,
    /// Time of writing, in seconds since 1970.
    pub(crate) time: u64,
    pub(crate) commit: Commit,
    pub(crate) machine: Machine,
    pub(crate) result: T,
}

impl<T> Measured<T> {
    /// Wraps a result of this process.
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

/// The commit of this binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Commit(pub(crate) String);

impl Commit {
    /// As `git describe` prints it, or `unknown` for a build outside of git.
    pub(crate) fn built() -> Self {
        Self(env!("TAPECAST_LOADTEST_REVISION").to_owned())
    }
}

/// The machine of a measurement; fields that the system does not report are empty or 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// All cores, whether or not this process may use them.
    pub(crate) cores: usize,
    /// The processor's model name.
    pub(crate) model: String,
    /// Operating system and kernel version.
    pub(crate) kernel: String,
    /// Total memory, in KiB.
    pub(crate) memory_kib: u64,
}

impl Machine {
    /// Reads those of this machine.
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

/// The value of the first line `key: value`, or an empty text.
pub(crate) fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = lines.filter(|(name, _)| name.trim() == key);
    found.next().map_or("", |(_, value)| value.trim())
}

/// The leading number of a text, without its unit; 0 if there is none.
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
