//! Why there is no broker.

use std::path::PathBuf;
use std::time::Duration;

/// Why there is no broker, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// A file or directory of the broker cannot be used.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A program that the broker needs cannot be started.
    #[error("cannot run {program}; apt-get install {package}")]
    Missing {
        /// The program's name.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{program} failed with {status}: {output}")]
    Failed {
        /// The program's name.
        program: &'static str,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// No port is free in the range that brokers use.
    #[error("no free port from {from} to {to}")]
    NoPort {
        /// The first port tried.
        from: u16,
        /// The last port tried.
        to: u16,
    },
    /// Another process listens on the broker's port.
    #[error("port {port} is in use")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The broker's process ended before it responded.
    #[error("the broker ended while starting; its log ends with:\n{log}")]
    Died {
        /// The end of its log.
        log: String,
    },
    /// The broker's process runs but does not respond.
    #[error(
        "the broker did not answer at {bootstrap} within {waited:?}; its log ends with:\n{log}"
    )]
    Silent {
        /// Its address.
        bootstrap: String,
        /// How long it was waited for.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// The broker's process still runs after SIGKILL.
    #[error("process {pid} does not end")]
    Unkillable {
        /// The process.
        pid: u32,
    },
    /// A broker already runs in this directory, on another port.
    #[error("a broker runs already at {bootstrap}; stop it first or leave out the port")]
    OtherPort {
        /// Its address.
        bootstrap: String,
    },
}

impl KafkaError {
    /// For `map_err`: adds what was tried on which path.
    pub(super) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
