//! Clocks that a test sets for one process, by a library that is loaded before all others.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

const SOURCE: &str = include_str!("clocks.c");

/// The clocks of the processes that were given them.
#[derive(Debug)]
pub struct Clocks {
    directory: TempDir,
    library: PathBuf,
}

impl Clocks {
    /// Such as are right. Compiles the library, with the C compiler that builds librdkafka too.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let (source, library) = (
            directory.path().join("clocks.c"),
            directory.path().join("clocks.so"),
        );
        std::fs::write(&source, SOURCE).expect("a file can be written");
        let compiled = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .output()
            .expect("there is a C compiler");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        let clocks = Self { directory, library };
        std::fs::write(clocks.file(), [0; 32]).expect("a file can be written");
        clocks
    }

    /// Gives them to a process that is yet to start.
    pub fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CLOCKS", self.file());
    }

    /// Sets the wall clock so many seconds ahead of the right time, or back.
    pub fn set_wall(&self, seconds: i64) {
        self.set(0, seconds);
    }

    /// Sets the monotonic clock so many seconds ahead.
    ///
    /// A wait of the standard library that begins now ends so much later: it has a deadline, which the
    /// kernel compares with its own clock.
    pub fn advance_monotonic(&self, seconds: i64) {
        self.set(8, seconds);
    }

    /// Makes a thread panic: it asks for the time, and there is none.
    pub fn panic(&self, thread: &str) {
        self.write(16, thread.as_bytes());
    }

    fn set(&self, at: u64, seconds: i64) {
        self.write(at, &seconds.to_ne_bytes());
    }

    fn write(&self, at: u64, bytes: &[u8]) {
        // The process has the file mapped, so it is neither replaced nor truncated.
        let file = std::fs::OpenOptions::new().write(true).open(self.file());
        file.and_then(|file| file.write_all_at(bytes, at))
            .expect("a file can be written");
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("clocks")
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Self::new()
    }
}
