//! A broker that a test owns.

use super::KafkaError;
use super::instance::{Instance, Port};
use super::running::Running;
use super::settings::Listener;
use std::path::PathBuf;
use tempfile::TempDir;

/// A broker that a test owns: its data is in a temporary directory, and it ends with its owner.
///
/// One in a `static` is never dropped; the watcher ends it when the process ends.
#[derive(Debug)]
pub struct KafkaBroker {
    bootstrap: String,
    instance: Instance,
    running: Option<Running>,
    /// Removed on drop, after `running`, since the broker writes there until it ends.
    _directory: TempDir,
}

impl KafkaBroker {
    /// Starts a broker on a free port, and waits until it responds.
    pub fn start() -> Result<Self, KafkaError> {
        Self::start_with(&[])
    }

    /// Likewise, with additional listeners.
    pub fn start_with(listeners: &[Listener]) -> Result<Self, KafkaError> {
        let temporary = std::env::temp_dir();
        let directory = tempfile::Builder::new()
            .prefix("tapecast-kafka-")
            .tempdir()
            .map_err(KafkaError::file("create a directory in", temporary))?;
        let instance = Instance::open(directory.path())?.tied().with(listeners);
        let running = instance.run(Port::Free)?;
        let bootstrap = instance.bootstrap().unwrap_or_default();
        Ok(Self {
            bootstrap,
            instance,
            running,
            _directory: directory,
        })
    }

    /// The bootstrap address `127.0.0.1:PORT`, which stays the same across restarts.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The broker's log since its last start.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.instance.log_path()
    }

    /// Stops the broker gracefully. It keeps its data and address.
    pub fn stop(&mut self) -> Result<(), KafkaError> {
        let stopped = self.instance.stop();
        self.reap();
        stopped
    }

    /// Kills the broker with SIGKILL. It keeps acknowledged records and its address.
    pub fn kill(&mut self) -> Result<(), KafkaError> {
        let killed = self.instance.kill();
        self.reap();
        killed
    }

    /// Starts the broker again after [`stop`](Self::stop) or [`kill`](Self::kill), and waits until
    /// it responds. Does nothing if it is running.
    pub fn start_again(&mut self) -> Result<(), KafkaError> {
        if self.running.is_none() {
            self.running = self.instance.run(Port::Kept(0))?;
        }
        Ok(())
    }

    /// Stops the broker gracefully, and starts it again.
    pub fn restart(&mut self) -> Result<(), KafkaError> {
        self.stop()?;
        self.start_again()
    }

    fn reap(&mut self) {
        if let Some(running) = self.running.take() {
            running.end();
        }
    }
}

impl Drop for KafkaBroker {
    fn drop(&mut self) {
        // Its data is removed too, so it need not stop gracefully.
        self.reap();
    }
}
