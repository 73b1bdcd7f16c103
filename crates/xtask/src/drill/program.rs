//! A program that ends with the drill.

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Between two looks at something that tells nobody when it changes.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long a program may take to end by itself, where it is asked to.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A program that runs, or did; killed when dropped.
#[derive(Debug)]
pub(super) struct Program {
    name: String,
    child: Child,
    has_children: bool,
}

impl Program {
    /// Starts it; what it says goes to a file.
    pub(super) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn();
        Self::of(name, child)
    }

    /// Takes on one that was started.
    pub(super) fn of(name: &str, child: std::io::Result<Child>) -> anyhow::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            child: child.with_context(|| format!("cannot start {name}"))?,
            has_children: false,
        })
    }

    /// Dropped, it is asked to end first: killed, it would leave the processes that it started.
    pub(super) fn with_children(mut self) -> Self {
        self.has_children = true;
        self
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(super) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.with_context(|| format!("{} has no process", self.name))?;
        kill_process(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Fails when it has ended.
    pub(super) fn lives(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} has ended: {status}", self.name),
        }
    }

    pub(super) fn wait_end(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait(within, &what, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.has_children && self.signal(Signal::TERM).is_ok() {
            // One that does not is killed.
            let _in_time = self.wait_end(ENDS_WITHIN);
        }
        // One that has ended cannot be killed, and need not be.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Looks until there is something, or fails with what it waited for.
pub(super) fn wait<T>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > within {
            anyhow::bail!("waited {} s in vain for {what}", within.as_secs());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
