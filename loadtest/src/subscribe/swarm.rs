use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use mio::{Events, Poll, Token};

use super::SubscribeArgs;
use super::counting::{ClientState, Counting, Shared};
use super::socket::Node;
use super::streams::Choice;
use super::tally::Tally;

/// Maximum wait for sockets, after which due clients are handled.
const LOOK: Duration = Duration::from_millis(10);
/// How often slow clients read.
const SLOW_TICK: Duration = Duration::from_millis(20);
/// Delay of a client before it reconnects to a full or dead node, and its number of attempts.
const RETRY_AFTER: Duration = Duration::from_millis(100);
const TRIES: u32 = 100;
/// Ready sockets that are handled at once.
const EVENTS: usize = 1_024;
/// Bytes of one read at most.
const READ: usize = 256 * 1024;
/// Reads of a client before the others get their turn.
const READS: usize = 4;

/// All counting clients, on one thread.
pub(super) struct Swarm {
    poll: Poll,
    events: Events,
    /// Ready sockets: the client, whether it is writable, and whether it is readable.
    ready: Vec<(usize, bool, bool)>,
    shared: Shared,
    clients: Vec<Counting>,
    nodes: Vec<Node>,
    sources: Vec<IpAddr>,
    /// New connections per second, and how many may be in progress.
    connect_rate: Option<f64>,
    handshakes: usize,
    /// Clients that have not started to connect.
    waiting: VecDeque<usize>,
    /// Clients that reconnect, and when.
    retrying: VecDeque<(Instant, usize)>,
    /// Clients whose sockets may have more to read.
    unread: Vec<usize>,
    /// The first `slow` clients are slow: each may read this many bytes per tick.
    slow: usize,
    slow_bytes: usize,
    slow_ticked: Instant,
    begun: Instant,
    started: usize,
    under_way: usize,
    live: usize,
    failed: usize,
    /// When the last client became live.
    last_live: Instant,
}

impl Swarm {
    pub(super) fn new(args: &SubscribeArgs, choice: Choice, tally: Tally) -> anyhow::Result<Self> {
        let mut shared = Shared {
            tally,
            choice,
            policy: args.policy,
            positions: args.storm.is_some(),
            buffer: vec![0; READ].into_boxed_slice(),
        };
        let nodes = args.url.iter().map(Node::find);
        let nodes = nodes.collect::<anyhow::Result<Vec<_>>>()?;
        let clients: Vec<_> = (0..args.counting())
            .map(|_| Counting::new(shared.choice.next()))
            .collect();
        let now = Instant::now();
        Ok(Self {
            poll: Poll::new().context("cannot wait for sockets")?,
            events: Events::with_capacity(EVENTS),
            ready: Vec::with_capacity(EVENTS),
            shared,
            sources: args.sources(nodes.iter().all(Node::is_local)),
            nodes,
            connect_rate: (args.connect_rate > 0).then_some(f64::from(args.connect_rate)),
            handshakes: args.handshakes.max(1),
            waiting: (0..clients.len()).collect(),
            clients,
            retrying: VecDeque::new(),
            unread: Vec::new(),
            slow: args.slow,
            slow_bytes: args.slow_bytes(SLOW_TICK),
            slow_ticked: now,
            begun: now,
            started: 0,
            under_way: 0,
            live: 0,
            failed: 0,
            last_live: now,
        })
    }

    pub(super) const fn tally(&mut self) -> &mut Tally {
        &mut self.shared.tally
    }

    pub(super) fn into_tally(self) -> Tally {
        self.shared.tally
    }

    /// Returns whether every client is live or has failed for good.
    pub(super) const fn is_settled(&self) -> bool {
        self.live + self.failed >= self.clients.len()
    }

    pub(super) const fn live(&self) -> usize {
        self.live
    }

    pub(super) const fn len(&self) -> usize {
        self.clients.len()
    }

    /// Time from the first connect until the last client was live.
    pub(super) fn took(&self) -> Duration {
        self.last_live.saturating_duration_since(self.begun)
    }

    /// Time since the last client became live.
    pub(super) fn quiet(&self) -> Duration {
        self.last_live.elapsed()
    }

    /// Drops all connections at once. The clients reconnect and resume.
    pub(super) fn cut(&mut self) {
        self.begun = Instant::now();
        self.last_live = self.begun;
        (self.started, self.under_way, self.live, self.failed) = (0, 0, 0, 0);
        self.waiting = (0..self.clients.len()).collect();
        self.retrying.clear();
        self.unread.clear();
        for client in &mut self.clients {
            client.cut(ClientState::Waiting);
            (client.is_back, client.tries) = (true, 0);
        }
    }

    /// Closes all connections.
    pub(super) fn leave(&mut self) {
        self.clients.iter_mut().for_each(Counting::leave);
    }

    /// Handles what is ready, or waits a little.
    pub(super) fn turn(&mut self) -> anyhow::Result<()> {
        self.connect_due();
        let wait = if self.unread.is_empty() {
            LOOK
        } else {
            Duration::ZERO
        };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot wait for sockets"),
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.extend(self.events.iter().map(|event| {
            let reads = event.is_readable() || event.is_read_closed();
            (event.token().0, event.is_writable(), reads)
        }));
        for (index, writes, reads) in ready.drain(..) {
            if writes {
                let node = &self.nodes[index % self.nodes.len()];
                let written = self.clients[index].write(node, &mut self.shared);
                if let Err(error) = written {
                    self.fail(index, &error);
                }
            }
            if reads {
                self.read(index);
            }
        }
        self.ready = ready;
        for index in std::mem::take(&mut self.unread) {
            self.read(index);
        }
        self.read_slowly();
        Ok(())
    }

    fn connect_due(&mut self) {
        let elapsed = self.begun.elapsed().as_secs_f64();
        let due = self.connect_rate.map(|rate| elapsed * rate);
        while self.under_way < self.handshakes {
            let now = Instant::now();
            let again = self.retrying.front().is_some_and(|(when, _)| *when <= now);
            let next = if again {
                self.retrying.pop_front().map(|(_, index)| index)
            } else if due.is_none_or(|due| self.started as f64 <= due) {
                let next = self.waiting.pop_front();
                self.started += usize::from(next.is_some());
                next
            } else {
                None
            };
            let Some(index) = next else { break };
            self.under_way += 1;
            let client = &mut self.clients[index];
            if !again {
                client.begun = now;
            }
            let node = &self.nodes[index % self.nodes.len()];
            let sources = self.sources.len();
            let source = (sources > 0).then(|| self.sources[index / self.nodes.len() % sources]);
            let begun = client.connect(node, source, self.poll.registry(), Token(index));
            if let Err(error) = begun {
                self.fail(index, &error);
            }
        }
    }

    fn read(&mut self, index: usize) {
        if index < self.slow && self.clients[index].state == ClientState::Live {
            return;
        }
        let mut more = true;
        for _ in 0..READS {
            let client = &mut self.clients[index];
            let was_live = client.state == ClientState::Live;
            match client.read(READ, &mut self.shared) {
                Ok(read) => more = read,
                Err(error) => {
                    self.fail(index, &error);
                    return;
                }
            }
            if !was_live && self.clients[index].state == ClientState::Live {
                self.is_live(index);
            }
            if !more {
                return;
            }
        }
        if more {
            self.unread.push(index);
        }
    }

    /// Lets slow clients read what they may.
    fn read_slowly(&mut self) {
        if self.slow == 0 || self.slow_ticked.elapsed() < SLOW_TICK {
            return;
        }
        self.slow_ticked = Instant::now();
        for index in 0..self.slow.min(self.clients.len()) {
            let client = &mut self.clients[index];
            if client.state == ClientState::Live
                && let Err(error) = client.read(self.slow_bytes, &mut self.shared)
            {
                self.fail(index, &error);
            }
        }
    }

    fn is_live(&mut self, index: usize) {
        self.under_way -= 1;
        self.live += 1;
        self.last_live = Instant::now();
        let client = &mut self.clients[index];
        let took = self.last_live.saturating_duration_since(client.begun);
        let tally = &mut self.shared.tally;
        if client.is_back {
            tally.rejoin.record(took);
        } else {
            tally.join.record(took);
            tally.counts.live += 1;
        }
    }

    /// Handles a lost connection. A client that was not live yet tries again for a while.
    fn fail(&mut self, index: usize, error: &anyhow::Error) {
        let client = &mut self.clients[index];
        let was = client.state;
        self.shared.tally.trouble(format_args!("{error:#}"));
        if was == ClientState::Live {
            self.live -= 1;
        } else {
            self.under_way -= 1;
            if client.tries < TRIES {
                client.cut(ClientState::Waiting);
                self.shared.tally.counts.retried += 1;
                self.retrying
                    .push_back((Instant::now() + RETRY_AFTER, index));
                return;
            }
        }
        client.cut(ClientState::Ended);
        self.failed += 1;
        self.shared.tally.counts.failed += 1;
    }
}
