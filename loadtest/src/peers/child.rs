//! A server process: started on its core, told what to publish, monitored, and ended.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::install::Cache;
use super::peer::Peer;
use super::scenario::rate;
use crate::usage::Usage;

/// Time for a server to listen, and how often that is checked.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of a server's log to show when it failed.
const LAST_WORDS: usize = 2_000;
/// A rate that stands for no messages at all.
const NEVER: f64 = 1e-6;

/// The core of the servers and that of the clients.
#[derive(Debug)]
pub(super) struct Cores {
    server: CpuSet,
    clients: CpuSet,
}

impl Cores {
    /// The first and the last core that this process may use. Returns `None` if there is only one.
    pub(super) fn divide() -> anyhow::Result<Option<Self>> {
        let all = sched_getaffinity(None).context("cannot read the available cores")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (first, last) = (cores.next(), cores.next_back());
        let only = |core| {
            let mut set = CpuSet::new();
            set.set(core);
            set
        };
        Ok(first.zip(last).map(|(first, last)| Self {
            server: only(first),
            clients: only(last),
        }))
    }
}

/// What a server is started with.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) peer: Peer,
    pub(super) schedule: &'a Path,
    pub(super) topics: usize,
    pub(super) size: u32,
    /// Time between two messages, in ns.
    pub(super) period: Option<u64>,
}

/// A running server; killed on drop.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) addr: SocketAddr,
    main: Ended,
    /// The process that publishes to it, if it does not publish by itself.
    publisher: Option<Ended>,
    log: PathBuf,
}

/// A child process; killed on drop.
#[derive(Debug)]
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

impl Server {
    /// Starts it, and waits until it listens.
    pub(super) fn start(cache: &Cache, cores: Option<&Cores>, job: &Job) -> anyhow::Result<Self> {
        cache.unpack(job.peer)?;
        let logs = cache.dir("logs");
        fs::create_dir_all(&logs).context("cannot create the directory of logs")?;
        let log = logs.join(format!("{}.log", job.peer.name()));
        let starter = Starter {
            cores,
            log: File::create(&log).context("cannot write a log")?,
        };
        let addr = free_addr()?;
        let mut server = if job.peer == Peer::Nats {
            let tcp = free_addr()?;
            let config = cache.dir("nats.conf");
            fs::write(&config, nats_config(tcp, addr))
                .context("cannot write NATS' configuration")?;
            let main = starter.start(Command::new("nats-server").arg("-c").arg(&config))?;
            wait_for(tcp, &log, &main)?;
            let mut command = own("nats-publisher", tcp.port(), job)?;
            Self {
                addr,
                main,
                publisher: Some(starter.start(&mut command)?),
                log,
            }
        } else {
            Self {
                addr,
                main: starter.start(&mut command(cache, addr, job)?)?,
                publisher: None,
                log,
            }
        };
        wait_for(addr, &server.log, &server.main)?;
        server.check()?;
        Ok(server)
    }

    /// Starts to publish, with `period` ns between two messages.
    pub(super) fn publish(&mut self, period: u64) -> anyhow::Result<()> {
        let child = self.publisher.as_mut().unwrap_or(&mut self.main);
        if let Some(commands) = &mut child.0.stdin {
            writeln!(commands, "start {period}").context("it accepts no commands")?;
        }
        Ok(())
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        of(&self.main)
    }

    /// What the publisher uses, if it is another process.
    pub(super) fn publisher_usage(&self) -> anyhow::Result<Option<Usage>> {
        self.publisher.as_ref().map(of).transpose()
    }

    /// Fails with the end of its log if it has ended.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        for child in self.publisher.iter_mut().chain([&mut self.main]) {
            if let Some(status) = child.0.try_wait().context("cannot check a server")? {
                bail!("it ended with {status}: {}", last_words(&self.log));
            }
        }
        Ok(())
    }
}

struct Starter<'a> {
    cores: Option<&'a Cores>,
    log: File,
}

impl Starter<'_> {
    /// A child inherits the cores of the thread that starts it, and so do all of its threads.
    fn start(&self, command: &mut Command) -> anyhow::Result<Ended> {
        let log = || self.log.try_clone().context("cannot write a log");
        command.stdin(Stdio::piped()).stdout(log()?).stderr(log()?);
        if let Some(cores) = self.cores {
            sched_setaffinity(None, &cores.server).context("cannot pin to a core")?;
        }
        let child = command.spawn();
        if let Some(cores) = self.cores {
            sched_setaffinity(None, &cores.clients).context("cannot pin to a core")?;
        }
        let program = command.get_program().to_string_lossy().into_owned();
        child
            .map(Ended)
            .with_context(|| format!("cannot start {program}"))
    }
}

fn command(cache: &Cache, addr: SocketAddr, job: &Job) -> anyhow::Result<Command> {
    let dir = cache.dir(job.peer.name());
    let of = |program: PathBuf, script: Option<&str>| {
        let mut command = Command::new(program);
        command.current_dir(&dir).args(script);
        command.arg(addr.port().to_string()).arg(job.schedule);
        command.arg(job.size.to_string());
        command
    };
    Ok(match job.peer {
        Peer::NodeWs | Peer::Socketio => of("node".into(), Some("server.js")),
        Peer::Uwebsockets => of(dir.join("venv/bin/python"), Some("server.py")),
        Peer::Centrifugo => of(dir.join("server"), None),
        Peer::Tapecast => tapecast(addr, job)?,
        Peer::Loop | Peer::Fastwebsockets | Peer::Tungstenite => {
            own(job.peer.name(), addr.port(), job)?
        }
        Peer::Nats => bail!("its publisher is a separate process"),
    })
}

/// The command of a server in this binary.
fn own(what: &str, port: u16, job: &Job) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["peers", "serve", what, "--port", &port.to_string()]);
    command
        .args(["--size", &job.size.to_string()])
        .arg("--schedule")
        .arg(job.schedule);
    Ok(command)
}

/// The command of our own fan-out, with the same rate and the same distribution.
fn tapecast(addr: SocketAddr, job: &Job) -> anyhow::Result<Command> {
    let rate = job.period.map_or(NEVER, rate);
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["publish", "--in-process", "--mix", "bbo", "--shards", "1"]);
    // Nobody resumes here, and the others keep no logs either.
    command.args(["--on-command", "--log-bytes", "0"]);
    command.args(["--seconds", "0", "--listen", &addr.to_string()]);
    command.args(["--instruments", &job.topics.to_string()]);
    command.args(["--rate", &rate.to_string()]);
    Ok(command)
}

fn nats_config(tcp: SocketAddr, websocket: SocketAddr) -> String {
    format!(
        "listen: \"{tcp}\"\n\
         websocket {{ listen: \"{websocket}\", no_tls: true, compression: false }}\n"
    )
}

/// A free address for a server to listen on.
fn free_addr() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

fn wait_for(addr: SocketAddr, log: &Path, child: &Ended) -> anyhow::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(addr).is_err() {
        // An ended process that was not waited for has no memory.
        if begun.elapsed() > PATIENCE || of(child).is_ok_and(|usage| usage.rss_kib == 0) {
            bail!("it does not listen: {}", last_words(log));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn of(child: &Ended) -> anyhow::Result<Usage> {
    Usage::of(&child.0.id().to_string()).context("the server has ended")
}

fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let from = text.len().saturating_sub(LAST_WORDS);
    String::from_utf8_lossy(&text[from..]).trim().to_owned()
}
