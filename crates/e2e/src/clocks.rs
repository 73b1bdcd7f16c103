//! Clocks that a test sets for one process, by a preloaded library.

use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::NamedTempFile;

const SOURCE: &str = include_str!("clocks.c");

/// The compiled library, once per process of tests.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(compile);

/// The clocks of one or more processes.
#[derive(Debug)]
pub struct Clocks {
    file: NamedTempFile,
}

impl Clocks {
    /// Clocks that are right.
    #[must_use]
    pub fn new() -> Self {
        let file = NamedTempFile::new().expect("a file can be made");
        std::fs::write(file.path(), [0; 32]).expect("a file can be written");
        Self { file }
    }

    /// Makes a process that is yet to start use these clocks.
    pub fn give(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &*LIBRARY)
            .env("CLOCKS", self.file.path());
    }

    /// Sets the wall clock this many seconds ahead of the right time, or back.
    pub fn set_wall(&self, seconds: i64) {
        self.set(0, seconds);
    }

    /// Sets the monotonic clock this many seconds ahead.
    ///
    /// A wait of the standard library that starts after it ends that much later: it has a deadline, which
    /// the kernel compares with its own clock.
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
        let file = self.file.as_file();
        file.write_all_at(bytes, at).expect("a file can be written");
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Self::new()
    }
}

/// Compiles the library beside the test's executable, with the C compiler that builds librdkafka too.
fn compile() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its executable");
    let library = test.with_file_name("e2e-clocks.so");
    let directory = tempfile::tempdir().expect("a directory can be made");
    let (source, compiled) = (
        directory.path().join("clocks.c"),
        library.with_extension(std::process::id().to_string()),
    );
    std::fs::write(&source, SOURCE).expect("a file can be written");
    let ran = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&compiled, &source])
        .output()
        .expect("there is a C compiler");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    // Another run of the tests may have mapped the library that this one replaces.
    std::fs::rename(&compiled, &library).expect("a file can be renamed");
    library
}
