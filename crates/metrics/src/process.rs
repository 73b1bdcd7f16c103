use crate::family::{Kind, Scrape, counter, gauge};

/// Ticks per second of the times in `/proc`: Linux reports 100 to user space on every platform.
const TICKS_PER_SECOND: f64 = 100.0;

/// Fields of `/proc/self/stat`, counted after the command, which may contain spaces: the state,
/// field 3 of proc(5), is number 0.
const UTIME: usize = 14 - 3;
const STIME: usize = 15 - 3;
const THREADS: usize = 20 - 3;
const START_TIME: usize = 22 - 3;

/// What `/proc` reports of this process; `None` where it reports nothing.
#[derive(Default)]
struct Process {
    cpu_seconds: Option<f64>,
    threads: Option<f64>,
    start_time_seconds: Option<f64>,
    resident_bytes: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

/// Exports the process families under the names that all Prometheus clients use.
pub(crate) fn scrape(out: &mut Scrape) {
    let process = Process::read();
    let cpu = process.cpu_seconds.map(|value| counter(&[], value));
    out.push(
        "process_cpu_seconds_total",
        Kind::Counter,
        Vec::new(),
        "User and system CPU time of the process.",
        cpu.into_iter().collect(),
    );
    let gauges = [
        (
            "process_resident_memory_bytes",
            "Resident memory of the process.",
            process.resident_bytes,
        ),
        (
            "process_open_fds",
            "Open file descriptors, including sockets.",
            process.open_fds,
        ),
        (
            "process_max_fds",
            "Limit of open file descriptors.",
            process.max_fds,
        ),
        (
            "process_threads",
            "Threads of the process.",
            process.threads,
        ),
        (
            "process_start_time_seconds",
            "When the process started, in seconds since 1970 UTC.",
            process.start_time_seconds,
        ),
    ];
    for (name, help, value) in gauges {
        let metrics = value.map(|value| gauge(&[], value)).into_iter().collect();
        out.push(name, Kind::Gauge, Vec::new(), help, metrics);
    }
}

impl Process {
    fn read() -> Self {
        let mut process = Self::default();
        if let Ok(stat) = std::fs::read_to_string("/proc/self/stat") {
            process.read_stat(&stat);
        }
        if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
            process.resident_bytes = line_number(&status, "VmRSS:").map(|kib| kib * 1024.0);
        }
        if let Ok(limits) = std::fs::read_to_string("/proc/self/limits") {
            process.max_fds = line_number(&limits, "Max open files");
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            process.open_fds = Some(open.count() as f64);
        }
        process
    }

    fn read_stat(&mut self, stat: &str) {
        let Some((_, behind_command)) = stat.rsplit_once(')') else {
            return;
        };
        let fields: Vec<&str> = behind_command.split_ascii_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
        self.cpu_seconds = number(UTIME)
            .zip(number(STIME))
            .map(|(user, system)| (user + system) / TICKS_PER_SECOND);
        self.threads = number(THREADS);
        let boot = std::fs::read_to_string("/proc/stat")
            .ok()
            .and_then(|stat| line_number(&stat, "btime"));
        self.start_time_seconds = number(START_TIME)
            .zip(boot)
            .map(|(ticks, boot)| boot + ticks / TICKS_PER_SECOND);
    }
}

/// The first word after `key` on the line that starts with it, as a number.
fn line_number(text: &str, key: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(key))?
        .split_ascii_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_seen_as_it_is() {
        let process = Process::read();
        assert!(process.resident_bytes.unwrap() > 100_000.0);
        assert!(process.open_fds.unwrap() >= 3.0);
        assert!(process.max_fds.unwrap() >= process.open_fds.unwrap());
        assert!(process.threads.unwrap() >= 1.0);
        assert!(process.cpu_seconds.unwrap() >= 0.0);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        let started = process.start_time_seconds.unwrap();
        assert!(started > 1e9 && started < now + 2.0, "{started}");
    }

    #[test]
    fn a_command_with_spaces_and_parentheses_shifts_no_field() {
        let mut process = Process::default();
        process.read_stat("1 (a) b) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 7 0 100 0 0");
        assert_eq!(process.cpu_seconds, Some(2.0));
        assert_eq!(process.threads, Some(7.0));
    }
}
