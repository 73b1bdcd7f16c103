//! One node of the fleet: the release binary.

use super::process::{Process, wait};
use anyhow::Context;
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Time to start and catch up with Kafka, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// An admin listener responds in milliseconds.
const RESPONSE_WITHIN: Duration = Duration::from_secs(2);

/// A node and its ports, which it keeps across restarts.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) number: usize,
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Node {
    /// Writes its configuration, without starting it.
    pub(crate) fn new(
        number: usize,
        binary: &Path,
        directory: &Path,
        ports: (u16, u16),
        config: &str,
    ) -> anyhow::Result<Self> {
        let path = directory.join(format!("node{number}.toml"));
        fs::write(&path, config).with_context(|| path.display().to_string())?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self {
            number,
            public: local(ports.0),
            admin: local(ports.1),
            binary: binary.to_owned(),
            config: path,
            log: directory.join(format!("node{number}.log")),
            process: None,
        })
    }

    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(&self.config);
        command.args(["--listen", &self.public.to_string()]);
        command.args(["--admin", &self.admin.to_string()]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TAPECAST_")) {
            command.env_remove(name);
        }
        let name = format!("node {}", self.number);
        self.process = Some(Process::start(&name, &mut command, &self.log)?);
        Ok(())
    }

    pub(crate) fn wait_ready(&mut self) -> anyhow::Result<()> {
        let what = format!("readiness of node {}", self.number);
        wait(READY_WITHIN, &what, || {
            self.process()?.check_running()?;
            Ok(self.is_ready().then_some(()))
        })
    }

    pub(crate) fn is_ready(&self) -> bool {
        let response = get(self.admin, "/readyz");
        response.is_ok_and(|response| response.starts_with("HTTP/1.1 200"))
    }

    /// Waits until that many books are live.
    pub(crate) fn wait_books(&mut self, count: usize) -> anyhow::Result<()> {
        let what = format!("live books of node {}", self.number);
        wait(READY_WITHIN, &what, || {
            self.process()?.check_running()?;
            let live = self.metric("tapecast_books{state=\"live\"}")?;
            Ok((live >= count as u64).then_some(()))
        })
    }

    /// The number of its sessions.
    pub(crate) fn sessions(&self) -> anyhow::Result<u64> {
        self.metric("tapecast_sessions")
    }

    fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let response = get(self.admin, "/metrics")?;
        let mut lines = response.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.with_context(|| format!("no metric {name}"))?;
        value.parse().with_context(|| format!("{name} {value:?}"))
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.process()?.signal(signal)
    }

    /// Waits until it has ended. Returns whether it exited with success.
    pub(crate) fn wait_end(&mut self, within: Duration) -> anyhow::Result<bool> {
        Ok(self.process()?.wait_end(within)?.success())
    }

    fn process(&mut self) -> anyhow::Result<&mut Process> {
        let number = self.number;
        self.process
            .as_mut()
            .with_context(|| format!("node {number} was not started"))
    }
}

/// Requests a path from an admin listener, and returns the whole response with its head.
fn get(admin: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, RESPONSE_WITHIN)?;
    stream.set_read_timeout(Some(RESPONSE_WITHIN))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
