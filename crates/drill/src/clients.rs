//! The clients: groups of them, each on a thread of its own, that verify all they receive.
//!
//! Each client subscribes to the book, the trades and the status of one instrument, keeps the book,
//! verifies checksums, reconnects and resumes, as the clients of users do. What the client library
//! does not judge is judged here: whether the items that it returns have no gap and no repetition,
//! whether all clients are sent the same bytes, and in the end whether that is what Kafka's log has,
//! record by record and level by level.
//!
//! Modules in reading order: [`history`] is what a client received on a stream; [`payloads`] compares
//! the bytes of all clients; [`phase_stats`] counts what happens in a phase; [`verification`]
//! compares with the log; [`observations`] holds all of these; [`verifying_client`] is one client.

mod history;
mod observations;
mod payloads;
mod phase_stats;
mod verification;
mod verifying_client;

#[cfg(test)]
pub(crate) use phase_stats::Fault;
pub(crate) use phase_stats::PhaseStats;
pub(crate) use verification::Verification;

use crate::kafka_log::KafkaLog;
use crate::process;
use anyhow::{Context as _, anyhow};
use observations::Observations;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use verifying_client::VerifyingClient;

/// Streams of a client that are verified item by item: [`BOOK`] and [`TRADES`].
const STREAMS: usize = 2;
const BOOK: usize = 0;
const TRADES: usize = 1;
/// A thread has as many clients as one core can serve.
const GROUPS: usize = 2;
/// How often a group counts its clients that are up to date.
const COUNT_INTERVAL: Duration = Duration::from_millis(500);
/// How long all clients must be up to date before that counts: a client counts as up to date for
/// 2 s after its last item.
const STEADY: Duration = Duration::from_secs(3);
/// Time for the last messages to reach every client.
const LAST_WITHIN: Duration = Duration::from_secs(60);
/// Commands in a group's queue: a drill sends one a minute.
const COMMANDS: usize = 16;

/// What all clients of a drill need to know.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) url: String,
    /// PEM certificates to trust.
    pub(crate) authorities: Vec<u8>,
    pub(crate) instruments: usize,
    /// New connections a second, over all groups.
    pub(crate) connect_rate: u32,
}

/// All clients of a drill.
#[derive(Debug)]
pub(crate) struct Clients(Vec<Group>);

/// Clients that share a thread.
#[derive(Debug)]
struct Group {
    clients: usize,
    commands: mpsc::Sender<Command>,
    up_to_date: watch::Receiver<usize>,
    thread: JoinHandle<anyhow::Result<Results>>,
}

enum Command {
    BeginPhase(&'static str),
    /// Nothing more is published: compare with the log.
    End(Arc<KafkaLog>),
}

/// What clients observed over a drill.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) clients: usize,
    /// The first one is the start, before any phase.
    pub(crate) phases: Vec<PhaseStats>,
    pub(crate) check: Verification,
}

impl Clients {
    /// Starts to connect that many clients.
    pub(crate) fn start(clients: usize, setup: &Setup) -> anyhow::Result<Self> {
        let groups = (0..GROUPS).map(|number| {
            let clients = clients / GROUPS + usize::from(number < clients % GROUPS);
            Group::start(number, clients, setup.clone())
        });
        groups.collect::<anyhow::Result<_>>().map(Self)
    }

    /// What clients observe from now on belongs to that phase.
    pub(crate) fn begin_phase(&self, name: &'static str) -> anyhow::Result<()> {
        let mut groups = self.0.iter();
        groups.try_for_each(|group| group.send(Command::BeginPhase(name)))
    }

    /// Waits until all clients are up to date and stay so. Returns how many are not when the time
    /// is up.
    pub(crate) fn wait_up_to_date(&mut self, within: Duration) -> anyhow::Result<usize> {
        let mut since: Option<Instant> = None;
        let waited = process::wait(within, "state in which all clients are up to date", || {
            let late = self.late()?;
            since = if late == 0 {
                since.or_else(|| Some(Instant::now()))
            } else {
                None
            };
            Ok(since.filter(|since| since.elapsed() >= STEADY).map(drop))
        });
        match waited {
            Ok(()) => Ok(0),
            Err(error) => match self.late()? {
                0 => Err(error),
                late => Ok(late),
            },
        }
    }

    /// How many clients are not up to date.
    fn late(&self) -> anyhow::Result<usize> {
        let late = self.0.iter().map(|group| {
            let is_running = group.up_to_date.has_changed().is_ok();
            is_running
                .then(|| group.clients - *group.up_to_date.borrow())
                .context("a group of clients has ended")
        });
        late.sum()
    }

    /// Compares what the clients received with the log.
    pub(crate) fn end(self, log: &Arc<KafkaLog>) -> anyhow::Result<Results> {
        for group in &self.0 {
            group.send(Command::End(Arc::clone(log)))?;
        }
        let mut all = Results {
            clients: 0,
            phases: Vec::new(),
            check: Verification::default(),
        };
        for group in self.0 {
            let joined = group.thread.join();
            all.add(joined.map_err(|_| anyhow!("a group of clients panicked"))??);
        }
        Ok(all)
    }
}

impl Results {
    /// Adds what other clients observed at the same time.
    fn add(&mut self, other: Self) {
        self.clients += other.clients;
        self.check.add(other.check);
        for (number, phase) in other.phases.into_iter().enumerate() {
            match self.phases.get_mut(number) {
                Some(same) => same.add(phase),
                None => self.phases.push(phase),
            }
        }
    }
}

impl Group {
    fn start(number: usize, clients: usize, setup: Setup) -> anyhow::Result<Self> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (count, up_to_date) = watch::channel(0);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start a runtime")?;
        let thread = std::thread::Builder::new()
            .name(format!("clients-{number}"))
            .spawn(move || LocalSet::new().block_on(&runtime, run(clients, &setup, inbox, &count)))
            .context("cannot start a thread")?;
        Ok(Self {
            clients,
            commands,
            up_to_date,
            thread,
        })
    }

    fn send(&self, command: Command) -> anyhow::Result<()> {
        let sent = self.commands.try_send(command);
        sent.map_err(|_| anyhow!("a group of clients has ended"))
    }
}

/// Runs a group until it is asked to end.
async fn run(
    clients: usize,
    setup: &Setup,
    mut commands: mpsc::Receiver<Command>,
    up_to_date: &watch::Sender<usize>,
) -> anyhow::Result<Results> {
    let observations = Observations::new(clients, setup.instruments);
    let observations = Rc::new(RefCell::new(observations));
    let (end, ended) = watch::channel(None);
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let client = VerifyingClient::new(setup, number, Rc::clone(&observations))?;
        let rate = f64::from(setup.connect_rate) / GROUPS as f64;
        let delay = Duration::from_secs_f64(number as f64 / rate);
        tasks.spawn_local(client.run(delay, ended.clone()));
    }
    let mut interval = tokio::time::interval(COUNT_INTERVAL);
    let log = loop {
        tokio::select! {
            command = commands.recv() => match command.context("the drill has ended")? {
                Command::BeginPhase(name) => observations.borrow_mut().begin_phase(name),
                Command::End(log) => break log,
            },
            _ = interval.tick() => {
                up_to_date.send_replace(observations.borrow().up_to_date());
            }
        }
    };
    let all_have = async {
        while !observations.borrow().all_have(&log) {
            tokio::time::sleep(COUNT_INTERVAL / 5).await;
        }
    };
    // What a client still misses by then is in the results.
    let _in_time = tokio::time::timeout(LAST_WITHIN, all_have).await;
    end.send_replace(Some(Arc::clone(&log)));
    while tasks.join_next().await.is_some() {}
    let results = observations.borrow().results(&log);
    Ok(results)
}
