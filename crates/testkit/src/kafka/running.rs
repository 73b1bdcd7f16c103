//! A broker's process.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A broker's process, and the watcher that ends it with its owner.
///
/// Keeps running on drop; only [`end`](Self::end) and the watcher end it.
#[derive(Debug)]
pub(super) struct Running {
    broker: Child,
    watcher: Option<Child>,
}

impl Running {
    /// Takes a started process. With a directory, the broker and the directory are removed when
    /// this process ends.
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

    /// Kills and reaps both processes.
    ///
    /// The watcher first: it has only the process id of the broker, which may be reused.
    pub(super) fn end(self) {
        for mut process in self.watcher.into_iter().chain([self.broker]) {
            // Usually it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Starts a watcher that kills the broker and removes its directory when this process ends, however
/// it ends: it reads from a pipe whose other end only this process has open.
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
