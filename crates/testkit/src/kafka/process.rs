//! Processes by id: signals, and whether an id still belongs to the same process.

use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::Command;

/// Sends a signal. Ignores a process that has ended.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone = kill_process(pid, signal);
    }
}

/// Returns whether the process runs and has `word` in its command line.
///
/// Process ids are reused, so an id from a file proves nothing by itself. A zombie has no command
/// line.
pub(super) fn has_in_command_line(pid: u32, word: &str) -> bool {
    let proc = Path::new("/proc").join(pid.to_string()).join("cmdline");
    if Path::new("/proc/self/cmdline").exists() {
        return std::fs::read(proc).is_ok_and(|line| {
            String::from_utf8_lossy(&line)
                .split('\0')
                .any(|arg| arg == word)
        });
    }
    Command::new("ps")
        .args(["-o", "command=", "-p", &pid.to_string()])
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(word))
}
