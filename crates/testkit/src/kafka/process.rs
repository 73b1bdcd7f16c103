//! Processes by number: signals, and whether a number still means the process that it meant.

use std::path::Path;
use std::process::{Command, Stdio};

/// What a process is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// End in order.
    Term,
    /// End now.
    Kill,
}

/// Sends a signal; a process that is gone already is no error.
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

/// Whether the process lives and has `word` in its command line.
///
/// Numbers are used again, so a number from a file proves nothing by itself. A process that has
/// ended but is not yet waited for has no command line any more.
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
