//! What processes and the kernel use, according to `/proc`: CPU time by thread, and memory.
//!
//! In reading order: the [`Usage`] of a process at one time, what was [`Spent`] between two times,
//! and the memory of the [`Kernel`].

use std::collections::BTreeMap;
use std::fs;

use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};

use crate::result::{number, value};

/// Page size in KiB on all supported machines; `sockstat` counts in pages.
const PAGE_KIB: u64 = 4;

/// What a process has used so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time in µs by thread name, of the threads that still run.
    threads: BTreeMap<String, u64>,
    /// CPU time in µs of the process, including ended threads.
    all: u64,
    /// Resident memory, including pages of the program and its libraries.
    pub(crate) rss_kib: u64,
    /// The anonymous part of it, such as heaps and stacks.
    pub(crate) own_kib: u64,
}

/// What a process used between two times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// CPU time in µs.
    pub(crate) cpu_us: u64,
    /// The same by group of threads.
    pub(crate) groups: BTreeMap<String, u64>,
    /// The same by thread name.
    pub(crate) threads: BTreeMap<String, u64>,
}

impl Usage {
    pub(crate) fn of_self() -> Self {
        Self::of("self").unwrap_or_default()
    }

    /// Returns `None` if there is no such process.
    pub(crate) fn of(process: &str) -> Option<Self> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        let (_, all) = thread(&read("stat")?)?;
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{process}/task"))
            .ok()?
            .flatten()
        {
            // A thread that ends meanwhile is still in the total.
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            if let Some((name, micros)) = thread(&stat) {
                *threads.entry(name.to_owned()).or_default() += micros;
            }
        }
        let (rss_kib, own_kib) =
            memory(&read("smaps_rollup").unwrap_or_default(), &read("status")?);
        Some(Self {
            threads,
            all,
            rss_kib,
            own_kib,
        })
    }

    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Spent {
        let mut spent = Spent {
            cpu_us: self.all.saturating_sub(earlier.all),
            ..Spent::default()
        };
        for (name, micros) in &self.threads {
            let before = earlier.threads.get(name).copied().unwrap_or_default();
            let used = micros.saturating_sub(before);
            *spent.groups.entry(group(name)).or_default() += used;
            spent.threads.insert(name.clone(), used);
        }
        spent
    }
}

impl Spent {
    /// Adds what another process used.
    pub(crate) fn add(&mut self, other: &Self) {
        self.cpu_us += other.cpu_us;
        for (sums, others) in [
            (&mut self.groups, &other.groups),
            (&mut self.threads, &other.threads),
        ] {
            for (name, micros) in others {
                *sums.entry(name.clone()).or_default() += micros;
            }
        }
    }
}

/// The kernel's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// TCP buffers.
    pub(crate) tcp_kib: u64,
    /// Kernel objects, including sockets.
    pub(crate) slab_kib: u64,
}

impl Kernel {
    pub(crate) fn read() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            tcp_kib: tcp_pages(&text("/proc/net/sockstat")) * PAGE_KIB,
            slab_kib: number(value(&text("/proc/meminfo"), "Slab")),
        }
    }
}

/// Resident and anonymous memory of a process in KiB, from its `smaps_rollup`, which is exact. That
/// of another user's process cannot be read; then from its `status`, whose counters may lag by 64
/// pages per core.
fn memory(rollup: &str, status: &str) -> (u64, u64) {
    let either = |exact: &str, rough: &str| match value(rollup, exact) {
        "" => number(value(status, rough)),
        exact => number(exact),
    };
    (either("Rss", "VmRSS"), either("Anonymous", "RssAnon"))
}

/// A thread's name and CPU time in µs, from its `stat`.
fn thread(stat: &str) -> Option<(&str, u64)> {
    // The name may contain spaces and parentheses.
    let (head, fields) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    // `utime` and `stime` are fields 14 and 15; the first after the name is field 3.
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, (user + system) * 1_000_000 / clock_ticks_per_second()))
}

/// The group of a thread: its name without its number; all threads of librdkafka are one group.
fn group(name: &str) -> String {
    if name.starts_with("rdk:") {
        return "librdkafka".to_owned();
    }
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.trim_end_matches('-').to_owned()
}

fn tcp_pages(sockstat: &str) -> u64 {
    let mut words = value(sockstat, "TCP").split_whitespace();
    let _before = words.find(|word| *word == "mem");
    words.next().map_or(0, number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_shifts_no_field() {
        let stat = "17 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 200 100 0 0 20 0";
        let micros = 300 * 1_000_000 / clock_ticks_per_second();
        assert_eq!(thread(stat), Some(("a) b (c)", micros)));
        assert_eq!(thread(""), None);
    }

    #[test]
    fn threads_are_grouped_by_what_they_work_for() {
        assert_eq!(group("shard-12"), "shard");
        assert_eq!(group("publisher-0"), "publisher");
        assert_eq!(group("rdk:broker1"), "librdkafka");
        assert_eq!(group("ingest-scout"), "ingest-scout");
    }

    #[test]
    fn what_was_spent_is_the_difference() {
        let usage = |shard: u64, all: u64| Usage {
            threads: [("shard-0".to_owned(), shard), ("shard-1".to_owned(), 5)].into(),
            all,
            rss_kib: 1,
            own_kib: 1,
        };
        let mut spent = usage(40, 100).since(&usage(10, 20));
        assert_eq!((spent.cpu_us, spent.groups["shard"]), (80, 30));
        spent.add(&spent.clone());
        assert_eq!((spent.cpu_us, spent.threads["shard-0"]), (160, 60));
    }

    #[test]
    fn memory_is_told_as_exactly_as_it_may_be_read() {
        let status = "Name:\tx\nVmRSS:\t 900 kB\nRssAnon:\t 300 kB\n";
        let rollup = "5581-7ffe ---p 0 00:00 0 [rollup]\nRss: 1000 kB\nAnonymous: 400 kB\n";
        assert_eq!(memory(rollup, status), (1000, 400));
        assert_eq!(memory("", status), (900, 300));
        assert_eq!(memory("", "Name:\tx\n"), (0, 0), "it has ended");
    }

    #[test]
    fn tcp_memory_is_told_in_pages() {
        let text =
            "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 12\nUDP: inuse 1 mem 3\n";
        assert_eq!(tcp_pages(text), 12);
        assert_eq!(tcp_pages(""), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_seen() {
        let usage = Usage::of_self();
        assert!(usage.own_kib > 0 && usage.rss_kib > usage.own_kib);
        assert!(!usage.threads.is_empty());
        assert_eq!(Usage::of("0"), None);
    }
}
