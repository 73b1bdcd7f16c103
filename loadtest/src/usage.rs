//! What processes and the kernel use, as `/proc` tells: processor time by thread, and memory.
//!
//! In reading order: [`Usage`] of a process at one time, what was [`Spent`] between two times, and
//! the [`Kernel`]'s share.

use std::collections::BTreeMap;
use std::fs;

use rustix::param::clock_ticks_per_second;
use serde::{Deserialize, Serialize};

use crate::result::{number, value};

/// A page of Linux on the machines that we know, in KiB; `sockstat` counts in pages.
const PAGE_KIB: u64 = 4;

/// A process as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Microseconds of processor time by thread name, of the threads that there are.
    threads: BTreeMap<String, u64>,
    /// Microseconds of processor time of the process, those of ended threads among them.
    all: u64,
    /// All memory of the process that is in RAM, pages of its program and libraries among them.
    pub(crate) rss_kib: u64,
    /// What of it is the process's own: anonymous memory, such as heaps and stacks.
    pub(crate) own_kib: u64,
}

/// What a process used between two times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spent {
    /// Microseconds of processor time.
    pub(crate) cpu_us: u64,
    /// Those of each group of threads.
    pub(crate) groups: BTreeMap<String, u64>,
    /// Those of each thread name.
    pub(crate) threads: BTreeMap<String, u64>,
}

impl Usage {
    pub(crate) fn of_self() -> Self {
        Self::of("self").unwrap_or_default()
    }

    /// `None` when there is no such process.
    pub(crate) fn of(process: &str) -> Option<Self> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        let (_, all) = thread(&read("stat")?)?;
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{process}/task"))
            .ok()?
            .flatten()
        {
            // One that ends in the meantime is in the whole.
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

/// What the kernel holds for all processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kernel {
    /// What TCP's buffers hold.
    pub(crate) tcp_kib: u64,
    /// What the kernel's own objects hold, sockets among them.
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

/// A process's memory in RAM and what of it is its own, in KiB, of its `smaps_rollup`, which is counted
/// page by page. Of a process of another user that cannot be read; then of its `status`, whose counters
/// may lag by 64 pages a core.
fn memory(rollup: &str, status: &str) -> (u64, u64) {
    let either = |exact: &str, rough: &str| match value(rollup, exact) {
        "" => number(value(status, rough)),
        exact => number(exact),
    };
    (either("Rss", "VmRSS"), either("Anonymous", "RssAnon"))
}

/// A thread's name and its microseconds, of its `stat`.
fn thread(stat: &str) -> Option<(&str, u64)> {
    // The name may hold spaces and parentheses.
    let (head, fields) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    // `utime` and `stime` are the fields 14 and 15, and the first behind the name is 3.
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((name, (user + system) * 1_000_000 / clock_ticks_per_second()))
}

/// What a thread works for: its name without its number, and all of librdkafka's as one.
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
