//! A broker's process, as who started it sees it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A broker's process, and the watcher that ends it with its owner.
///
/// Dropped, it goes on; only [`end`](Self::end) and the watcher end it.
#[derive(Debug)]
pub(super) struct Running {
    broker: Child,
    watcher: Option<Child>,
}

impl Running {
    /// Takes the process on. With a directory, both are gone when this process ends.
    pub(super) fn new(broker: Child, tied: Option<&Path>) -> Self {
        let watcher = tied.and_then(|directory| watch(broker.id(), directory));
        Self { broker, watcher }
    }

    pub(super) fn pid(&self) -> u32 {
        self.broker.id()
    }

    pub(super) fn lives(&mut self) -> bool {
        matches!(self.broker.try_wait(), Ok(None))
    }

    /// Kills what still lives and takes the processes' ends off the system's hands.
    ///
    /// The watcher goes first: it knows the broker by a number, which may be used again.
    pub(super) fn end(self) {
        for mut process in self.watcher.into_iter().chain([self.broker]) {
            // That it has ended already is the usual case.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Kills the broker and removes its directory when this process ends, however it ends: the watcher
/// reads from a pipe whose other end only this process holds, and which the system closes.
fn watch(broker: u32, directory: &Path) -> Option<Child> {
    Command::new("sh")
        .args([
            "-c",
            "read -r _; kill -KILL \"$0\" 2>/dev/null; rm -rf -- \"$1\"",
        ])
        .arg(broker.to_string())
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}
