//! Processes by id: signals, and whether an id still belongs to the same process.

use std::path::Path;
use std::process::{Command, Stdio};

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End gracefully.
    Term,
    /// End immediately.
    Kill,
}

/// Sends a signal. Ignores a process that has ended.
///
/// The shell's built-in `kill` needs neither `unsafe` nor a package.
pub(super) fn send(pid: u32, signal: Signal) {
    let name = match signal {
        Signal::Term => "-TERM",
        Signal::Kill => "-KILL",
    };
    let _ = Command::new("sh")
        .args([
            "-c",
            "kill \"$0\" \"$1\" 2>/dev/null",
            name,
            &pid.to_string(),
        ])
        .stdin(Stdio::null())
        .status();
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
