//! A child process that ends with the drill.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Time for a process to end after SIGTERM before it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A child process; killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    has_children: bool,
}

impl Process {
    /// Starts it, with its output appended to a log file.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn();
        Ok(Self {
            name: name.to_owned(),
            child: child.with_context(|| format!("cannot start {name}"))?,
            has_children: false,
        })
    }

    /// Makes it end with SIGTERM on drop: SIGKILL would leave its own children behind.
    pub(crate) fn with_children(mut self) -> Self {
        self.has_children = true;
        self
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has no process id", self.name))?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Fails if it has ended.
    pub(crate) fn check_running(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} has ended: {status}", self.name),
        }
    }

    pub(crate) fn wait_end(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait(within, &what, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_children && self.signal(Signal::TERM).is_ok() {
            let _in_time = self.wait_end(ENDS_WITHIN);
        }
        // Fails if it has ended, which is what is wanted.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Polls until `poll` returns something. Fails after `within`, naming `what` it waited for.
pub(crate) fn wait<T>(
    within: Duration,
    what: &str,
    mut poll: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = poll()? {
            return Ok(found);
        }
        if start.elapsed() > within {
            anyhow::bail!("no {what} within {} s", within.as_secs());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}
