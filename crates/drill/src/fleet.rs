//! Everything that runs: Kafka, three nodes, a balancer, a market and the clients.

use super::balancer::Balancer;
use super::clients::{Clients, Results, Setup};
use super::kafka_log::KafkaLog;
use super::node::Node;
use super::plan::Plan;
use super::process::Process;
use super::tcp_proxy::TcpProxy;
use anyhow::{Context, ensure};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use testkit::KafkaBroker;
use testkit::kafka::{Listener, ports};

const NODES: usize = 3;
const TOPIC: &str = "drill";
/// Each client has one of them, so that a pause of its instrument is a pause of the client.
const INSTRUMENTS: usize = 25;
/// Updates of each instrument a second, at regular intervals.
const UPDATE_RATE: usize = 2;
/// New connections a second. TLS handshakes of all clients at once would take the whole machine.
const CONNECT_RATE: u32 = 400;
/// Time for the last client to be up to date after it has connected, on a busy machine.
const UP_TO_DATE_WITHIN: Duration = Duration::from_secs(180);
/// Spare sessions of the balancer, for clients that reconnect before it notices the end of their
/// first session.
const SPARE_SESSIONS: usize = 1_000;

/// Fields are dropped in order, dependents first.
pub(crate) struct Fleet {
    pub(crate) clients: Clients,
    market: Process,
    _balancer: Process,
    pub(crate) nodes: Vec<Node>,
    /// Between each node and Kafka.
    pub(crate) proxies: Vec<TcpProxy>,
    kafka: KafkaBroker,
}

impl Fleet {
    /// Starts everything, and waits until every client is up to date.
    pub(crate) fn start(balancer: Balancer, plan: &Plan, directory: &Path) -> anyhow::Result<Self> {
        let mut listeners = Vec::new();
        for _ in 0..NODES {
            listeners.push(Listener {
                port: ports::free()?,
                advertised: ports::free()?,
            });
        }
        let kafka = KafkaBroker::start_with(&listeners)?;
        let mut proxies = Vec::new();
        let mut nodes = Vec::new();
        let node = sibling("tapecast")?;
        for (number, listener) in (1..).zip(&listeners) {
            proxies.push(TcpProxy::start(listener.advertised, listener.port)?);
            let ports = (ports::free()?, ports::free()?);
            let config = config(listener.advertised, plan);
            nodes.push(Node::new(number, &node, directory, ports, &config)?);
        }
        let market = start_market(kafka.bootstrap(), directory)?;
        for node in &mut nodes {
            node.start()?;
        }
        for node in &mut nodes {
            node.wait_ready()?;
            // A topic that did not exist when a node started is found a little later.
            node.wait_books(INSTRUMENTS)?;
        }
        let ports = [ports::free()?, ports::free()?, ports::free()?];
        let sessions = plan.clients + SPARE_SESSIONS;
        let balancer = balancer.start(directory, ports, sessions, &nodes)?;

        raise_open_files();
        let authorities = directory.join("authority.pem");
        let setup = Setup {
            url: format!("wss://localhost:{}/ws", ports[1]),
            authorities: std::fs::read(&authorities)
                .with_context(|| authorities.display().to_string())?,
            instruments: INSTRUMENTS,
            connect_rate: CONNECT_RATE,
        };
        let mut clients = Clients::start(plan.clients, &setup)?;
        let connected = Duration::from_secs(plan.clients as u64 / u64::from(CONNECT_RATE));
        let late = clients.wait_up_to_date(UP_TO_DATE_WITHIN + connected)?;
        ensure!(late == 0, "{late} clients did not come up to date");
        Ok(Self {
            clients,
            market,
            _balancer: balancer,
            nodes,
            proxies,
            kafka,
        })
    }

    /// The index of the node with the most sessions.
    pub(crate) fn busiest(&self) -> anyhow::Result<usize> {
        let mut busiest = (0, 0);
        for (index, node) in self.nodes.iter().enumerate() {
            busiest = busiest.max((node.sessions()?, index));
        }
        Ok(busiest.1)
    }

    /// Stops the market, and compares what the clients received with the log.
    pub(crate) fn end(mut self) -> anyhow::Result<Results> {
        self.market.signal(Signal::TERM)?;
        self.market.wait_end(Duration::from_secs(10))?;
        let log = KafkaLog::read(self.kafka.bootstrap(), TOPIC, INSTRUMENTS)?;
        ensure!(
            log.is_live(),
            "the log does not end with a live book of each instrument"
        );
        self.clients.end(&Arc::new(log))
    }
}

/// A node's configuration: only what a fleet is advised to set.
fn config(kafka: u16, plan: &Plan) -> String {
    let (over, delay) = (plan.drain_for.as_secs(), plan.drain_delay.as_secs());
    format!(
        "[kafka]\nbrokers = \"127.0.0.1:{kafka}\"\n\
         [[topics]]\npattern = \"{TOPIC}\"\nformat = \"tapecast\"\n\
         [session]\ndrain_for = \"{over}s\"\ndrain_delay = \"{delay}s\"\n"
    )
}

fn start_market(brokers: &str, directory: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(sibling("loadtest")?);
    command.args(["publish", "--brokers", brokers, "--topic", TOPIC]);
    command.args(["--in-turn", "--seconds", "0"]);
    for (name, value) in [
        ("--instruments", INSTRUMENTS),
        ("--rate", INSTRUMENTS * UPDATE_RATE),
    ] {
        command.args([name, &value.to_string()]);
    }
    Process::start("the market", &mut command, &directory.join("market.log"))
}

/// A binary of the workspace, built with the same profile.
fn sibling(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.is_file(), "there is no {}", path.display());
    Ok(path)
}

/// Allows as many connections as the system permits.
fn raise_open_files() {
    let now = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: now.maximum,
        maximum: now.maximum,
    };
    // If it fails, connecting reports it.
    let _raised = setrlimit(Resource::Nofile, raised);
}
