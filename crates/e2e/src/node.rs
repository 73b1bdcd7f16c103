//! A node: the real binary, with its configuration, its signals and its logs.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::clocks::Clocks;
use crate::{Settings, binary, http, ports, wait};

/// From the start to readiness, on a machine that does other things.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A node that runs, or did; killed when dropped.
#[derive(Debug)]
pub struct Node {
    public: SocketAddr,
    admin: SocketAddr,
    directory: TempDir,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Node {
    /// Starts a node and waits until it is ready.
    #[must_use]
    pub fn start(settings: &Settings) -> Self {
        let node = Self::launch(settings);
        node.wait_ready();
        node
    }

    /// Starts nodes together and waits until all are ready.
    #[must_use]
    pub fn start_all<const N: usize>(settings: [&Settings; N]) -> [Self; N] {
        let nodes = settings.map(Self::launch);
        for node in &nodes {
            node.wait_ready();
        }
        nodes
    }

    /// Starts a node without waiting for it.
    #[must_use]
    pub fn launch(settings: &Settings) -> Self {
        Self::launch_by(settings, binary::command())
    }

    /// Starts a node that may have this many files open, and waits until it is ready.
    #[must_use]
    pub fn start_with_files(settings: &Settings, files: u32) -> Self {
        let node = Self::launch_by(settings, binary::command_with_files(files));
        node.wait_ready();
        node
    }

    /// Starts a node that has these clocks, and waits until it is ready.
    #[must_use]
    pub fn start_with_clocks(settings: &Settings, clocks: &Clocks) -> Self {
        let node = Self::launch_with_clocks(settings, clocks);
        node.wait_ready();
        node
    }

    /// Starts a node that has these clocks without waiting for it.
    #[must_use]
    pub fn launch_with_clocks(settings: &Settings, clocks: &Clocks) -> Self {
        let mut command = binary::command();
        clocks.give(&mut command);
        Self::launch_by(settings, command)
    }

    fn launch_by(settings: &Settings, command: Command) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let file = directory.path().join("tapecast.toml");
        std::fs::write(&file, settings.to_toml()).expect("a file can be written");
        let (public, admin) = (ports::free(), ports::free());
        let log = Arc::default();
        let child = spawn(command, &directory, public, admin, &log);
        Self {
            public,
            admin,
            directory,
            child,
            log,
        }
    }

    /// Restarts the node on the same ports.
    pub fn start_again(&mut self) {
        let (public, admin) = (self.public, self.admin);
        self.child = spawn(binary::command(), &self.directory, public, admin, &self.log);
    }

    /// Replaces its configuration file, which it reads when asked to.
    pub fn rewrite(&self, settings: &Settings) {
        let file = self.directory.path().join("tapecast.toml");
        std::fs::write(file, settings.to_toml()).expect("a file can be written");
    }

    /// Asks it to read its configuration again, with SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends a request to the admin listener.
    #[must_use]
    pub fn admin(&self, method: &str, path: &str) -> Option<http::Answer> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.admin
        );
        http::ask(self.admin, &head)
    }

    /// Where clients connect with TLS, by the name that its certificate has.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("wss://localhost:{}/ws", self.public.port())
    }

    /// Waits until the node reports that it is ready.
    pub fn wait_ready(&self) {
        let what = format!("readiness of {}", self.admin);
        wait::until(READY_WITHIN, &what, || {
            let answer = http::get(self.admin, "/readyz")?;
            (answer.status == 200).then_some(())
        });
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.public)
    }

    /// Where clients connect.
    #[must_use]
    pub const fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where operators connect.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// All metrics as text.
    #[must_use]
    pub fn metrics(&self) -> String {
        http::get(self.admin, "/metrics").map_or_else(String::new, |answer| answer.body)
    }

    /// The sum of a family's samples with these labels.
    #[must_use]
    pub fn metric(&self, family: &str, labels: &[&str]) -> f64 {
        http::metric(&self.metrics(), family, labels)
    }

    /// What the node has written to standard error.
    #[must_use]
    pub fn log(&self) -> String {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Kills it with SIGKILL.
    pub fn kill9(&mut self) {
        self.child.kill().expect("a node can be killed");
        self.child.wait().expect("a killed node can be reaped");
    }

    /// Asks it to end with SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops it with SIGSTOP, like a suspended machine, and returns when it has stopped.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        wait::until(READY_WITHIN, "the stop of a node", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
            stat.contains(") T ").then_some(())
        });
    }

    /// Continues it with SIGCONT.
    pub fn unpause(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a child has an id");
        kill_process(pid, signal).expect("a node can be signalled");
    }

    /// Its exit status, if it has ended.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Waits until it has ended.
    pub fn wait_end(&mut self, within: Duration) -> ExitStatus {
        wait::until(within, "the end of a node", || self.end())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and need not be.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            println!("log of {}:\n{}", self.public, self.log());
        }
    }
}

fn spawn(
    mut command: Command,
    directory: &TempDir,
    public: SocketAddr,
    admin: SocketAddr,
    log: &Arc<Mutex<String>>,
) -> Child {
    let mut child = command
        .arg("serve")
        .arg("--config")
        .arg(directory.path().join("tapecast.toml"))
        .args(["--listen", &public.to_string()])
        .args(["--admin", &admin.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tapecast serve starts");
    let stderr = child.stderr.take().expect("standard error is piped");
    let log = Arc::clone(log);
    // Ends with the node, whose end of the pipe closes.
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push_str(&line);
            log.push('\n');
        }
    });
    child
}
