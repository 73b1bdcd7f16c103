//! Why there is no broker.

use std::path::PathBuf;
use std::time::Duration;

/// Why there is no broker, with what to do about it where somebody can.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// A file or directory of the broker cannot be used.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
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
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A program ran and said no.
    #[error("{program} failed with {status}: {output}")]
    Failed {
        /// The program's name.
        program: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// The system has no port left in the range that brokers use.
    #[error("no free port from {from} to {to}")]
    NoPort {
        /// The first port tried.
        from: u16,
        /// The last port tried.
        to: u16,
    },
    /// Somebody else listens on the port that the broker was to have.
    #[error("port {port} is in use")]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// The broker's process ended before it answered.
    #[error("the broker ended while starting; its log ends with:\n{log}")]
    Died {
        /// The end of its log.
        log: String,
    },
    /// The broker's process lives but does not answer.
    #[error(
        "the broker did not answer at {bootstrap} within {waited:?}; its log ends with:\n{log}"
    )]
    Silent {
        /// Where it was asked.
        bootstrap: String,
        /// For how long.
        waited: Duration,
        /// The end of its log.
        log: String,
    },
    /// The broker's process is still there after SIGKILL.
    #[error("process {pid} does not end")]
    Unkillable {
        /// The process.
        pid: u32,
    },
    /// A broker runs in this directory on another port than was asked for.
    #[error("a broker runs already at {bootstrap}; stop it first or leave out the port")]
    OtherPort {
        /// Where it listens.
        bootstrap: String,
    },
}

impl KafkaError {
    /// For `map_err`: names what was tried on which path.
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
