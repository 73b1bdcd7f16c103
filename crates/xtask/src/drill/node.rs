//! One node of the fleet: the shipped binary.

use super::program::{Program, wait};
use anyhow::Context;
use rustix::process::Signal;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// From the start until it has caught up with Kafka, on a machine that does other things.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// An admin listener answers in milliseconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A node with its ports, which it keeps.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) number: usize,
    pub(super) public: SocketAddr,
    pub(super) admin: SocketAddr,
    binary: PathBuf,
    config: PathBuf,
    log: PathBuf,
    program: Option<Program>,
}

impl Node {
    /// Writes its configuration.
    pub(super) fn new(
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
            program: None,
        })
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--config").arg(&self.config);
        command.args(["--listen", &self.public.to_string()]);
        command.args(["--admin", &self.admin.to_string()]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TAPECAST_")) {
            command.env_remove(name);
        }
        let name = format!("node {}", self.number);
        self.program = Some(Program::start(&name, &mut command, &self.log)?);
        Ok(())
    }

    pub(super) fn wait_ready(&mut self) -> anyhow::Result<()> {
        let what = format!("readiness of node {}", self.number);
        wait(READY_WITHIN, &what, || {
            self.program()?.lives()?;
            Ok(self.is_ready().then_some(()))
        })
    }

    pub(super) fn is_ready(&self) -> bool {
        let answer = ask(self.admin, "/readyz");
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// Waits until it has a right book of so many instruments.
    pub(super) fn wait_books(&mut self, instruments: usize) -> anyhow::Result<()> {
        let what = format!("the books of node {}", self.number);
        wait(READY_WITHIN, &what, || {
            self.program()?.lives()?;
            let live = self.metric("tapecast_books{state=\"live\"}")?;
            Ok((live >= instruments as u64).then_some(()))
        })
    }

    /// How many sessions it has.
    pub(super) fn sessions(&self) -> anyhow::Result<u64> {
        self.metric("tapecast_sessions")
    }

    fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let answer = ask(self.admin, "/metrics")?;
        let mut lines = answer.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = value.with_context(|| format!("a node does not tell {name}"))?;
        value.parse().with_context(|| format!("{name} {value:?}"))
    }

    pub(super) fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.program()?.signal(signal)
    }

    /// Waits until it has ended; whether in order.
    pub(super) fn wait_end(&mut self, within: Duration) -> anyhow::Result<bool> {
        Ok(self.program()?.wait_end(within)?.success())
    }

    fn program(&mut self) -> anyhow::Result<&mut Program> {
        let number = self.number;
        self.program
            .as_mut()
            .with_context(|| format!("node {number} was not started"))
    }
}

/// Asks an admin listener; the whole answer.
fn ask(admin: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
