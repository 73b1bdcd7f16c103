//! The servers in this binary: each publishes by itself what is requested.
//!
//! Standard input has `start NANOSECONDS`, the time between two messages, and `stop`. A server ends
//! at the end of its standard input, so that none outlives the process that started it.
//!
//! Modules in reading order: the [`pacer`] of all; [`bare_loop`]; the [`hub`] of channels that
//! [`tungstenite`] and [`fastwebsockets`] share; [`nats_publisher`].

pub(super) mod bare_loop;
mod fastwebsockets;
mod hub;
mod nats_publisher;
pub(super) mod pacer;
mod tungstenite;

use std::io::BufRead as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, channel};

use crate::open_files::raise_open_files;
use pacer::{Command, Source};

/// Commands in the queue; there is one a minute.
const COMMANDS: usize = 16;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Serve {
    /// Run a server; used by loadtest itself
    #[command(hide = true)]
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    what: Built,
    /// Port to listen on, or that of NATS for its publisher
    #[arg(long)]
    port: u16,
    /// File with the topics of the messages, 16 bits each
    #[arg(long)]
    schedule: PathBuf,
    /// Bytes of a message
    #[arg(long)]
    size: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Built {
    Loop,
    Tungstenite,
    Fastwebsockets,
    NatsPublisher,
}

pub(super) fn run(serve: &Serve) -> anyhow::Result<()> {
    let Serve::Serve(args) = serve;
    raise_open_files();
    let schedule = std::fs::read(&args.schedule).context("cannot read the schedule")?;
    let source = Source::new(&schedule, args.size)?;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let commands = commands();
    match args.what {
        Built::Loop => bare_loop::run(listener(addr)?, source, commands),
        Built::Tungstenite => hub::block_on(tungstenite::run(listener(addr)?, source, commands)),
        Built::Fastwebsockets => {
            hub::block_on(fastwebsockets::run(listener(addr)?, source, commands))
        }
        Built::NatsPublisher => nats_publisher::run(addr, source, commands),
    }
}

fn listener(addr: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(addr).with_context(|| format!("cannot listen on {addr}"))
}

/// Reads commands from standard input.
fn commands() -> Receiver<Command> {
    let (give, commands) = channel(COMMANDS);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        for command in lines.filter_map(|line| Command::parse(&line)) {
            if give.blocking_send(command).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    commands
}

/// The first message of a client of our own servers.
#[derive(Debug, Deserialize)]
struct Request {
    subscribe: Vec<u16>,
}

impl Request {
    fn parse(text: &[u8], topics: usize) -> anyhow::Result<Self> {
        let request: Self = serde_json::from_slice(text).context("not a subscription")?;
        let wrong = request
            .subscribe
            .iter()
            .find(|topic| usize::from(**topic) >= topics);
        anyhow::ensure!(wrong.is_none(), "topic {wrong:?} is not one of {topics}");
        Ok(request)
    }

    fn answer(&self) -> String {
        format!(r#"{{"subscribed":{}}}"#, self.subscribe.len())
    }
}
