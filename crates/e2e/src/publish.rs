//! Captures go to Kafka as people send them: with `tapecast publish`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{binary, wait};

/// What a capture takes at the most, on a machine that does other things.
const WITHIN: Duration = Duration::from_secs(120);

/// A `tapecast publish` that runs; killed when dropped.
#[derive(Debug)]
pub struct Publishing {
    child: Child,
}

/// What is sent, where and how.
#[derive(Debug, Clone, Copy)]
pub struct Publish<'a> {
    /// Where Kafka is.
    pub brokers: &'a str,
    /// The topic of files whose lines name none.
    pub topic: Option<&'a str>,
    /// As the flag has it.
    pub speed: &'a str,
    /// The first line, from 1.
    pub from: u64,
    /// How many lines.
    pub limit: Option<u64>,
}

impl<'a> Publish<'a> {
    /// Everything, as fast as it goes.
    #[must_use]
    pub const fn all(brokers: &'a str, topic: Option<&'a str>) -> Self {
        Self {
            brokers,
            topic,
            speed: "max",
            from: 1,
            limit: None,
        }
    }

    /// Begins to send.
    #[must_use]
    pub fn start(&self, file: &Path) -> Publishing {
        self.spawn(&[], &[file])
    }

    /// Sends several files together, by the times of their records, and returns when Kafka has
    /// everything.
    pub fn run_merged(&self, files: &[&Path]) {
        self.spawn(&["--merge"], files).finish();
    }

    fn spawn(&self, flags: &[&str], files: &[&Path]) -> Publishing {
        let mut command: Command = binary::command();
        command
            .args(["--log", "warn", "publish", "--brokers", self.brokers])
            .args(["--speed", self.speed, "--from", &self.from.to_string()])
            .args(flags);
        if let Some(limit) = self.limit {
            command.args(["--limit", &limit.to_string()]);
        }
        if let Some(topic) = self.topic {
            command.args(["--topic", topic]);
        }
        let child = command
            .args(files)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tapecast publish starts");
        Publishing { child }
    }

    /// Sends, and returns when Kafka has everything.
    pub fn run(&self, file: &Path) {
        self.start(file).finish();
    }
}

impl Publishing {
    /// Waits until Kafka has everything.
    pub fn finish(mut self) {
        let status = wait::until(WITHIN, "tapecast publish", || {
            self.child.try_wait().expect("a child can be asked")
        });
        assert!(status.success(), "tapecast publish ended with {status}");
    }

    /// Returns whether it is still sending.
    pub fn is_sending(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
