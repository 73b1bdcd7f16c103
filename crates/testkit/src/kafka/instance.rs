//! The directory of a broker, and what can be done with that broker.
//!
//! The directory is the only state: any process may find, stop or start the broker of a directory
//! that another process created.

use super::jars::Jars;
use super::process;
use super::running::Running;
use super::settings::{self, Listener, Ports};
use super::{KafkaError, cluster, ports, ready};
use rustix::process::Signal;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// A broker starts in 3 s on an idle machine; several at once on two busy cores need longer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(120);
/// A graceful stop takes half a second; after this the broker is killed.
const STOPS_WITHIN: Duration = Duration::from_secs(30);
/// Poll interval.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A killed process frees its port a moment after its command line is gone.
const PORT_FREE_WITHIN: Duration = Duration::from_secs(5);
/// Another process may take a free port before the broker does, but not three times in a row.
const PORT_ATTEMPTS: u32 = 3;
/// Bytes of the log in an error.
const LOG_LINES: usize = 20;

/// The port of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Its previous port, or this one at the first start.
    Kept(u16),
    /// This one.
    Fixed(u16),
    /// A free one.
    Free,
}

/// The directory of a broker: `server.properties`, `data/`, `broker.log` and, while it runs,
/// `broker.pid`.
#[derive(Debug, Clone)]
pub struct Instance {
    directory: PathBuf,
    /// Whether the directory and its broker end with this process.
    tied: bool,
    /// Additional listeners.
    listeners: Vec<Listener>,
}

impl Instance {
    /// Opens a directory, which is created if missing.
    pub fn open(directory: &Path) -> Result<Self, KafkaError> {
        fs::create_dir_all(directory).map_err(KafkaError::file("create", directory))?;
        let directory = fs::canonicalize(directory).map_err(KafkaError::file("open", directory))?;
        Ok(Self {
            directory,
            tied: false,
            listeners: Vec::new(),
        })
    }

    /// Makes the directory, and a broker started from here, end with this process.
    #[must_use]
    pub(super) fn tied(self) -> Self {
        Self { tied: true, ..self }
    }

    /// Adds listeners to a broker started from here.
    #[must_use]
    pub(super) fn with(self, listeners: &[Listener]) -> Self {
        Self {
            listeners: listeners.to_vec(),
            ..self
        }
    }

    /// The bootstrap address for clients. Returns `None` if it has never run.
    #[must_use]
    pub fn bootstrap(&self) -> Option<String> {
        self.ports().map(bootstrap)
    }

    /// The broker's log.
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.directory.join("broker.log")
    }

    /// The broker's process id, if it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.pid_path())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        self.is_broker(pid).then_some(pid)
    }

    /// Returns whether the broker responds to Kafka's protocol.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.pid().is_some() && self.ports().is_some_and(|ports| self.answers_at(ports))
    }

    /// Starts the broker unless it runs, and waits until it responds.
    ///
    /// The broker keeps running when this process ends. Returns whether this call started it.
    pub fn start(&self, port: Port) -> Result<bool, KafkaError> {
        self.run(port).map(|running| running.is_some())
    }

    /// Like [`start`](Self::start), but returns the process if this call started it.
    pub(super) fn run(&self, port: Port) -> Result<Option<Running>, KafkaError> {
        // If two processes start the same broker at once, the second finds it running.
        let lock = self.directory.join("lock");
        let file = File::create(&lock).map_err(KafkaError::file("create", &lock))?;
        file.lock().map_err(KafkaError::file("lock", &lock))?;

        let known = self.ports();
        if let (Some(pid), Some(known)) = (self.pid(), known) {
            if matches!(port, Port::Fixed(port) if port != known.clients) {
                return Err(KafkaError::OtherPort {
                    bootstrap: bootstrap(known),
                });
            }
            self.wait_until_ready(known, || self.is_broker(pid))?;
            return Ok(None);
        }

        let jars = Jars::fetch()?;
        let mut attempt = 1;
        loop {
            let chosen = choose_ports(port, known)?;
            match self.launch(&jars, chosen) {
                Ok(running) => return Ok(Some(running)),
                Err(KafkaError::Died { log }) if was_bind(&log) && attempt < PORT_ATTEMPTS => {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops the broker gracefully, or kills it if that takes too long.
    pub fn stop(&self) -> Result<(), KafkaError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        process::send(pid, Signal::TERM);
        if self.wait_until_gone(pid).is_ok() {
            return Ok(());
        }
        self.kill()
    }

    /// Kills the broker with SIGKILL.
    pub fn kill(&self) -> Result<(), KafkaError> {
        let Some(pid) = self.pid() else { return Ok(()) };
        process::send(pid, Signal::KILL);
        self.wait_until_gone(pid)
    }

    fn launch(&self, jars: &Jars, ports: Ports) -> Result<Running, KafkaError> {
        let properties = self.properties_path();
        let text = settings::properties(ports, &self.listeners, &self.data());
        fs::write(&properties, text).map_err(KafkaError::file("write", &properties))?;
        self.format(jars)?;

        let path = self.log_path();
        let log = File::create(&path).map_err(KafkaError::file("create", &path))?;
        let errors = log.try_clone().map_err(KafkaError::file("share", &path))?;
        let broker = jars
            .java()
            .arg("kafka.Kafka")
            .arg(&properties)
            .stdout(log)
            .stderr(errors)
            // A process group of its own, so that Ctrl-C at the terminal does not end the broker.
            .process_group(0)
            .spawn()
            .map_err(java_missing)?;
        let mut running = Running::new(broker, self.tied.then_some(&*self.directory));
        let ready = self
            .remember(running.pid())
            .and_then(|()| self.wait_until_ready(ports, || running.lives()));
        match ready {
            Ok(()) => Ok(running),
            Err(error) => {
                running.end();
                Err(error)
            }
        }
    }

    fn remember(&self, pid: u32) -> Result<(), KafkaError> {
        let path = self.pid_path();
        fs::write(&path, pid.to_string()).map_err(KafkaError::file("write", &path))
    }

    /// Formats the data directory, once.
    fn format(&self, jars: &Jars) -> Result<(), KafkaError> {
        if cluster::id_in(&self.data()).is_some() {
            return Ok(());
        }
        let output = jars
            .java()
            .args([
                "kafka.tools.StorageTool",
                "format",
                "--cluster-id",
                &cluster::new_id(),
                "--config",
            ])
            .arg(self.properties_path())
            .output()
            .map_err(java_missing)?;
        if output.status.success() {
            return Ok(());
        }
        let text = [output.stdout, output.stderr].concat();
        let output_text = String::from_utf8_lossy(&text).into_owned();
        Err(KafkaError::Failed {
            program: "java",
            status: output.status,
            output: output_text,
        })
    }

    fn wait_until_ready(
        &self,
        ports: Ports,
        mut lives: impl FnMut() -> bool,
    ) -> Result<(), KafkaError> {
        let start = Instant::now();
        while !self.answers_at(ports) {
            if !lives() {
                return Err(KafkaError::Died {
                    log: self.log_end(),
                });
            }
            let waited = start.elapsed();
            if waited > ANSWERS_WITHIN {
                let bootstrap = bootstrap(ports);
                return Err(KafkaError::Silent {
                    bootstrap,
                    waited,
                    log: self.log_end(),
                });
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn answers_at(&self, ports: Ports) -> bool {
        cluster::id_in(&self.data()).is_some_and(|id| ready::answers(ports.clients, &id))
    }

    fn wait_until_gone(&self, pid: u32) -> Result<(), KafkaError> {
        let start = Instant::now();
        while self.is_broker(pid) {
            if start.elapsed() > STOPS_WITHIN {
                return Err(KafkaError::Unkillable { pid });
            }
            thread::sleep(LOOK_EVERY);
        }
        let path = self.pid_path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(KafkaError::file("remove", path)(error))
            }
            _ => Ok(()),
        }
    }

    fn is_broker(&self, pid: u32) -> bool {
        process::has_in_command_line(pid, &self.properties_path().to_string_lossy())
    }

    fn ports(&self) -> Option<Ports> {
        Ports::parse(&fs::read_to_string(self.properties_path()).ok()?)
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn properties_path(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    fn pid_path(&self) -> PathBuf {
        self.directory.join("broker.pid")
    }
}

fn choose_ports(port: Port, known: Option<Ports>) -> Result<Ports, KafkaError> {
    let clients = match (port, known) {
        (Port::Fixed(port), _) => port,
        (Port::Kept(_), Some(known)) => known.clients,
        (Port::Kept(port), None) => port,
        (Port::Free, _) => ports::free()?,
    };
    let start = Instant::now();
    while !ports::is_free(clients) {
        if start.elapsed() > PORT_FREE_WITHIN {
            return Err(KafkaError::PortTaken { port: clients });
        }
        thread::sleep(LOOK_EVERY);
    }
    // The controller's port may change, since only the broker itself uses it.
    let controller = match known {
        Some(known) if ports::is_free(known.controller) => known.controller,
        _ => ports::free()?,
    };
    Ok(Ports {
        clients,
        controller,
    })
}

fn was_bind(log: &str) -> bool {
    log.contains("Address already in use")
}

fn bootstrap(ports: Ports) -> String {
    format!("127.0.0.1:{}", ports.clients)
}

fn java_missing(source: std::io::Error) -> KafkaError {
    KafkaError::Missing {
        program: "java",
        package: "default-jre-headless",
        source,
    }
}
