//! All that takes part: Kafka, three nodes, a balancer, a market and the clients.

use super::balancer::Balancer;
use super::cable::Cable;
use super::node::Node;
use super::plan::Plan;
use super::program::Program;
use super::witness::{self, Seen, Witness};
use anyhow::Context;
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::KafkaBroker;
use testkit::kafka::{Door, ports};

pub(super) const NODES: usize = 3;
const TOPIC: &str = "drill";
/// Each speaks so often a second, on the beat: a client has one of them, and so a pause is one.
const INSTRUMENTS: usize = 25;
const BEATS: usize = 2;
/// How soon all are connected: TLS handshakes of so many at once would be all that is done.
const CONNECT_RATE: usize = 400;
/// How long the last may take behind that, on a machine that does other things.
const JOINED_WITHIN: Duration = Duration::from_secs(180);
/// The clients' processes; each is one thread.
const WITNESSES: usize = 2;
/// For the last sessions, and for who reconnects before a balancer knows of the end of the first.
const MORE_SESSIONS: usize = 1_000;

/// Dropped, all of it ends: what depends on others first.
pub(super) struct Fleet {
    pub(super) witnesses: Vec<Witness>,
    market: Program,
    _balancer: Program,
    pub(super) nodes: Vec<Node>,
    pub(super) cables: Vec<Cable>,
    kafka: KafkaBroker,
}

impl Fleet {
    /// Starts all, and waits until every client has its first book.
    pub(super) fn start(
        balancer: Balancer,
        plan: &Plan,
        directory: &Path,
        (node, loadtest): (&Path, &Path),
    ) -> anyhow::Result<Self> {
        let mut free = Ports::default();
        let mut doors = Vec::new();
        for _ in 0..NODES {
            doors.push(Door {
                listens: free.next()?,
                told: free.next()?,
            });
        }
        let kafka = KafkaBroker::start_with(&doors)?;
        let mut cables = Vec::new();
        let mut nodes = Vec::new();
        for (number, door) in (1..).zip(&doors) {
            cables.push(Cable::lay(door.told, door.listens)?);
            let ports = (free.next()?, free.next()?);
            let config = config(door.told, plan);
            nodes.push(Node::new(number, node, directory, ports, &config)?);
        }
        let market = market(loadtest, kafka.bootstrap(), directory)?;
        for node in &mut nodes {
            node.start()?;
        }
        for node in &mut nodes {
            node.wait_ready()?;
            // A topic that was not there when they looked is found a little later.
            node.wait_books(INSTRUMENTS)?;
        }
        let ports = [free.next()?, free.next()?, free.next()?];
        let sessions = plan.clients + MORE_SESSIONS;
        let behind = balancer.start(directory, ports, sessions, &nodes)?;
        let mut fleet = Self {
            witnesses: Vec::new(),
            market,
            _balancer: behind,
            nodes,
            cables,
            kafka,
        };
        for number in 0..WITNESSES {
            let clients = plan.clients / WITNESSES + usize::from(number < plan.clients % WITNESSES);
            let witness = fleet.witness(number, clients, ports[1], directory, loadtest)?;
            fleet.witnesses.push(witness);
        }
        let joined =
            JOINED_WITHIN + Duration::from_secs(u64::try_from(plan.clients / CONNECT_RATE)?);
        let late = witness::wait_fresh(&mut fleet.witnesses, joined)?;
        anyhow::ensure!(late == 0, "{late} clients did not come in");
        Ok(fleet)
    }

    fn witness(
        &self,
        number: usize,
        clients: usize,
        port: u16,
        directory: &Path,
        loadtest: &Path,
    ) -> anyhow::Result<Witness> {
        let mut command = Command::new(loadtest);
        command.arg("witness");
        command.args(["--url", &format!("wss://localhost:{port}/ws")]);
        command
            .arg("--authorities")
            .arg(directory.join("authority.pem"));
        command.args(["--brokers", self.kafka.bootstrap(), "--topic", TOPIC]);
        for (name, value) in [
            ("--clients", clients),
            ("--instruments", INSTRUMENTS),
            ("--connect-rate", CONNECT_RATE / WITNESSES),
        ] {
            command.args([name, &value.to_string()]);
        }
        let log = directory.join(format!("witness{number}.log"));
        Witness::start(number, &mut command, &log)
    }

    /// What clients see from here on belongs to that phase.
    pub(super) fn begin(&mut self, phase: &str) -> anyhow::Result<()> {
        for witness in &mut self.witnesses {
            witness.say(&format!("phase {phase}"))?;
        }
        Ok(())
    }

    /// The node that most clients have something to lose with.
    pub(super) fn busiest(&self) -> anyhow::Result<usize> {
        let mut busiest = (0, 0);
        for (index, node) in self.nodes.iter().enumerate() {
            busiest = busiest.max((node.sessions()?, index));
        }
        Ok(busiest.1)
    }

    /// Ends the market, and has the clients compare what they have with the log.
    pub(super) fn end(mut self) -> anyhow::Result<Seen> {
        self.market.signal(Signal::TERM)?;
        self.market.wait_end(Duration::from_secs(10))?;
        for witness in &mut self.witnesses {
            witness.say("end")?;
        }
        let mut seen = Seen::default();
        for witness in std::mem::take(&mut self.witnesses) {
            seen.add(witness.end()?);
        }
        Ok(seen)
    }
}

/// A node's configuration: what users are told to set where they have a fleet, and nothing else.
fn config(kafka: u16, plan: &Plan) -> String {
    let (over, delay) = (plan.drain_for.as_secs(), plan.drain_delay.as_secs());
    format!(
        "[kafka]\nbrokers = \"127.0.0.1:{kafka}\"\n\
         [[topics]]\npattern = \"{TOPIC}\"\nformat = \"tapecast\"\n\
         [session]\ndrain_for = \"{over}s\"\ndrain_delay = \"{delay}s\"\n"
    )
}

fn market(loadtest: &Path, brokers: &str, directory: &Path) -> anyhow::Result<Program> {
    let mut command = Command::new(loadtest);
    command.args(["publish", "--brokers", brokers, "--topic", TOPIC]);
    command.args(["--in-turn", "--seconds", "0"]);
    for (name, value) in [
        ("--instruments", INSTRUMENTS),
        ("--rate", INSTRUMENTS * BEATS),
    ] {
        command.args([name, &value.to_string()]);
    }
    Program::start("the market", &mut command, &directory.join("market.log"))
}

/// Free ports, none twice.
#[derive(Default)]
struct Ports(Vec<u16>);

impl Ports {
    fn next(&mut self) -> anyhow::Result<u16> {
        // Of twelve thousand the same one seldom comes twice, and never so often.
        for _ in 0..100 {
            let port = ports::free()?;
            if !self.0.contains(&port) {
                self.0.push(port);
                return Ok(port);
            }
        }
        anyhow::bail!("no port is free")
    }
}

/// Where a run leaves its logs, emptied.
pub(super) fn directory(balancer: Balancer) -> anyhow::Result<PathBuf> {
    let directory = crate::workspace::target()
        .join("drill")
        .join(balancer.name());
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    Ok(directory)
}
