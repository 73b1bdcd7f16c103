//! Sessions with many subscriptions that start, lag and change while their clients read little.

use market::Channel;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use streams::{Settings, StreamKey};
use wire::control::{Policy, Request, StreamChange, StreamRequest, Symbol};
use wire::{BarInterval, Depth, Encoding, Speed, ViewParams, close};

use crate::client::{Checked, Client};
use crate::node::{Node, Phase, bars, params, settings, view_key};
use crate::script::{A, at, delta, of, snapshot};
use crate::venue::{Act, Flaw, PARTITIONS, Scribe, act};

/// Streams of each client, and clients.
const STREAMS: usize = 28;
const CLIENTS: usize = 3;
/// How much a session may hold before it requests another initial state.
const HELD: usize = 32 * 1024;

/// The streams of one client.
fn keys() -> Vec<StreamKey> {
    let mut keys = Vec::new();
    for instrument in 0..4 {
        for (channel, params) in [
            (Channel::Book, ViewParams::default()),
            (Channel::Book, params(Depth::D5, Speed::Raw, 0)),
            (Channel::Book, params(Depth::D25, Speed::Ms100, 0)),
            (Channel::Bbo, ViewParams::default()),
            (Channel::Trades, ViewParams::default()),
            (Channel::Bars, bars(BarInterval::S1, Speed::Raw)),
            (Channel::Status, ViewParams::default()),
        ] {
            keys.push(view_key(instrument, channel, params));
        }
    }
    assert_eq!(keys.len(), STREAMS);
    keys
}

#[derive(Debug, Clone)]
enum Step {
    Act(Act),
    HandOver,
    Turns(usize),
    Subscribe {
        client: usize,
        streams: Vec<usize>,
        resumes: bool,
        disconnects: bool,
    },
    Unsubscribe {
        client: usize,
        streams: Vec<usize>,
    },
    Change {
        client: usize,
        stream: usize,
        depth: Depth,
    },
    /// Its socket holds this many unread bytes; with `None` it reads.
    Stall(usize, Option<usize>),
    Read(usize, usize),
    Cut(usize),
    Tick(u64),
    Lose(u32, i64),
    Check,
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..CLIENTS;
    let streams = || vec(0..STREAMS, 1..20);
    prop_oneof![
        60 => act().prop_map(Step::Act),
        20 => Just(Step::HandOver),
        20 => (1usize..6).prop_map(Step::Turns),
        10 => (client.clone(), streams(), any::<bool>(), 0..8).prop_map(
            |(client, streams, resumes, policy)| Step::Subscribe {
                client,
                streams,
                resumes,
                disconnects: policy == 0,
            }
        ),
        4 => (client.clone(), streams()).prop_map(|(client, streams)| Step::Unsubscribe { client, streams }),
        4 => (client.clone(), 0..STREAMS, select(vec![Depth::Full, Depth::D1, Depth::D10, Depth::D50]))
            .prop_map(|(client, stream, depth)| Step::Change { client, stream, depth }),
        6 => (client.clone(), 0usize..4_000).prop_map(|(client, holds)| Step::Stall(client, Some(holds))),
        4 => client.clone().prop_map(|client| Step::Stall(client, None)),
        10 => (client.clone(), 0usize..3_000).prop_map(|(client, bytes)| Step::Read(client, bytes)),
        1 => client.prop_map(Step::Cut),
        2 => select(vec![1u64, 6_000, 40_000]).prop_map(Step::Tick),
        1 => (0..PARTITIONS, 1i64..4).prop_map(|(partition, lost)| Step::Lose(partition, lost)),
        3 => Just(Step::Check),
    ]
}

/// A node with a few clients that have many subscriptions each.
struct Crowd {
    node: Node,
    scribe: Scribe,
    /// The connection of each client.
    connections: Vec<usize>,
    /// The first subscriber of each client.
    first: Vec<usize>,
}

impl Crowd {
    fn new(has_short_queues: bool) -> Result<Self, TestCaseError> {
        let mut node = Node::new(settings());
        node.subscribe_witnesses()?;
        node.has_short_queues = has_short_queues;
        let mut crowd = Self {
            node,
            scribe: Scribe::new(false),
            connections: Vec::new(),
            first: Vec::new(),
        };
        for (client, encoding) in Encoding::ALL.into_iter().enumerate() {
            let connection = crowd.node.connect(client % 2, encoding);
            crowd.connections.push(connection);
            crowd.first.push(crowd.node.subscribers.len());
            for key in keys() {
                crowd.node.add_subscriber(Client::new(key, encoding));
            }
        }
        assert_eq!(crowd.connections.len(), CLIENTS);
        Ok(crowd)
    }

    /// The subscribers to these streams of a client that are in a phase and wait for no answer, each once.
    fn pick(&self, client: usize, streams: &[usize], phase: Phase) -> Vec<usize> {
        let mut subscribers: Vec<usize> =
            streams.iter().map(|it| self.first[client] + it).collect();
        subscribers.sort_unstable();
        subscribers.dedup();
        subscribers.retain(|subscriber| {
            self.node.subscribers[*subscriber].phase == phase && !self.node.is_waiting(*subscriber)
        });
        subscribers
    }

    fn step(&mut self, step: &Step) -> Checked {
        match step {
            Step::Act(act) => {
                self.scribe.write(act);
                for entry in self.scribe.log.drain(..) {
                    self.node.read(&entry);
                }
            }
            Step::HandOver => {
                self.node.now += 5;
                self.node.hand_over();
            }
            Step::Turns(turns) => {
                self.node.update_sockets();
                for _ in 0..*turns {
                    self.node.turn()?;
                }
            }
            Step::Subscribe {
                client,
                streams,
                resumes,
                disconnects,
            } => {
                let mut subscribers = self.pick(*client, streams, Phase::Unsubscribed);
                subscribers.truncate(16);
                for subscriber in &subscribers {
                    self.node.subscribers[*subscriber].policy = match disconnects {
                        true => Policy::Disconnect,
                        false => Policy::Conflate,
                    };
                }
                let from = |client: &Client| client.mine.filter(|_| *resumes);
                if !subscribers.is_empty() {
                    self.node
                        .request_subscribe(self.connections[*client], &subscribers, from);
                }
            }
            Step::Unsubscribe { client, streams } => {
                let subscribers = self.pick(*client, streams, Phase::Live);
                if !subscribers.is_empty() {
                    self.node
                        .request_unsubscribe(self.connections[*client], &subscribers);
                }
            }
            Step::Change {
                client,
                stream,
                depth,
            } => {
                let subscribers = self.pick(*client, &[*stream], Phase::Live);
                let books = |subscriber: &&usize| {
                    self.node.subscribers[**subscriber].client.key.channel == Channel::Book
                };
                if let Some(subscriber) = subscribers.iter().find(books) {
                    let to = StreamChange {
                        depth: Some(*depth),
                        ..StreamChange::default()
                    };
                    self.node.request_update(*subscriber, to);
                }
            }
            Step::Stall(client, holds) => {
                self.node.connections[self.connections[*client]].held = *holds;
            }
            Step::Read(client, bytes) => self.node.trickle(self.connections[*client], *bytes)?,
            Step::Cut(client) => self.reconnect(*client),
            Step::Tick(after) => self.node.tick(*after),
            Step::Lose(partition, lost) => {
                if let Some(next) = self.scribe.skip(*partition, *lost) {
                    self.node.lose(*partition, next);
                }
            }
            Step::Check => self.check()?,
        }
        self.check_bounds()?;
        self.replace_closed()
    }

    fn reconnect(&mut self, client: usize) {
        let old = self.connections[client];
        self.node.cut(old);
        let (shard, encoding) = (
            self.node.connections[old].shard,
            self.node.connections[old].encoding,
        );
        self.connections[client] = self.node.connect(1 - shard, encoding);
    }

    /// Reconnects clients that were disconnected, as their policy asks for.
    fn replace_closed(&mut self) -> Checked {
        for client in 0..CLIENTS {
            if let Some(code) = self.node.connections[self.connections[client]].closed {
                prop_assert_eq!(code, close::TOO_SLOW);
                let subscribers = &self.node.subscribers[self.first[client]..][..STREAMS];
                prop_assert!(
                    subscribers
                        .iter()
                        .any(|subscriber| subscriber.policy == Policy::Disconnect)
                );
                self.reconnect(client);
            }
        }
        Ok(())
    }

    /// Checks that what sessions hold of initial states is bounded; these are small.
    fn check_bounds(&self) -> Checked {
        for connection in &self.node.connections {
            if let Some(session) = connection.session {
                let core = &self.node.shards[connection.shard].core;
                prop_assert!(core.backlog_bytes(session) < HELD);
            }
        }
        Ok(())
    }

    /// Lets every client read, and checks that each ends up right.
    fn check(&mut self) -> Checked {
        let held: Vec<_> = self
            .connections
            .iter()
            .map(|it| self.node.connections[*it].held)
            .collect();
        for connection in &self.connections {
            self.node.connections[*connection].held = None;
        }
        self.node.check()?;
        self.replace_closed()?;
        for (connection, held) in self.connections.iter().zip(held) {
            let connection = &mut self.node.connections[*connection];
            prop_assert!(connection.has_read_all() && !connection.blocked);
            connection.held = held;
            let Some(session) = connection.session else {
                continue;
            };
            let core = &self.node.shards[connection.shard].core;
            prop_assert_eq!(core.backlog_bytes(session), 0);
        }
        for client in 0..CLIENTS {
            for subscriber in self.first[client]..self.first[client] + STREAMS {
                let subscriber = &self.node.subscribers[subscriber];
                prop_assert!(
                    subscriber.phase != Phase::Subscribing,
                    "{:?} of {:?}: {:?}",
                    subscriber.client.key,
                    subscriber.connection,
                    subscriber.connection.map(|it| &self.node.connections[it])
                );
                if subscriber.phase == Phase::Live {
                    prop_assert!(self.node.is_up_to_date(subscriber));
                    self.node.check_for_gaps(subscriber)?;
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(3),
        ..ProptestConfig::default()
    })]

    #[test]
    fn many_subscriptions_in_one_session_converge_without_a_silent_gap(
        steps in vec(step(), 1..150),
        has_short_queues: bool,
    ) {
        let mut crowd = Crowd::new(has_short_queues)?;
        for step in &steps {
            crowd.step(step)?;
        }
        crowd.check()?;
    }
}

/// Its session has room, and its request waits for the other streams.
#[test]
fn a_subscription_waiting_for_its_answer_is_not_lagging() -> Checked {
    let mut crowd = Crowd::new(true)?;
    let (client, trades) = (1, 4);
    crowd.step(&Step::Act(Act::Snapshot {
        instrument: 0,
        behind: 0,
        levels: usize::MAX,
        flaw: Flaw::None,
    }))?;
    crowd.step(&Step::Subscribe {
        client,
        streams: vec![2, 5, trades, 0],
        resumes: false,
        disconnects: false,
    })?;
    crowd.step(&Step::Turns(4))?;
    for _ in 0..3 {
        let (instrument, count) = (0, 1);
        crowd.step(&Step::Act(Act::Trade { instrument, count }))?;
    }
    crowd.check()?;
    let subscriber = &crowd.node.subscribers[crowd.first[client] + trades];
    assert_eq!(subscriber.client.trades().len(), 3);
    let shard = &crowd.node.shards[crowd.node.connections[crowd.connections[client]].shard];
    assert_eq!(shard.metrics.cursors_fallen.get(), 0);
    Ok(())
}

/// A node whose first instrument has this many levels per side.
fn deep(levels: i64) -> Result<Node, TestCaseError> {
    let mut node = Node::new(Settings {
        book_levels: 100_000,
        log_bytes: 1 << 20,
        log_budget: 16 << 20,
        ..settings()
    });
    node.subscribe_witnesses()?;
    let side = |from: i64, step: i64| (0..levels).map(move |it| (from + it * step, 1 + it % 7));
    let (bids, asks): (Vec<_>, Vec<_>) = (side(50_000, -1).collect(), side(50_001, 1).collect());
    node.read(&at(0, snapshot(Some(1), &bids, &asks)));
    node.flush()?;
    Ok(node)
}

/// Every view of the deep book at every speed, in one request, by a client that reads nothing for a
/// while and then a little at a time.
#[test]
fn a_client_that_does_not_read_is_sent_one_initial_state_at_a_time() -> Checked {
    for encoding in Encoding::ALL {
        let mut node = deep(4_000)?;
        let connection = node.connect(1, encoding);
        let mut subscribers = Vec::new();
        for depth in [Depth::Full, Depth::D1000, Depth::D500] {
            for speed in Speed::ALL {
                let key = view_key(A, Channel::Book, params(depth, speed, 0));
                subscribers.push(node.add_subscriber(Client::new(key, encoding)));
            }
        }
        node.connections[connection].held = Some(5_000);
        node.request_subscribe(connection, &subscribers, |_| None);
        let one = 4_000 * 2 * if encoding == Encoding::Json { 40 } else { 16 } + 1_000;
        let mut most = 0;
        let mut reads = 0;
        while !subscribers.iter().all(|subscriber| {
            node.subscribers[*subscriber].phase == Phase::Live
                && node.subscribers[*subscriber].client.mine.is_some()
        }) {
            node.trickle(connection, 9_000)?;
            node.pump()?;
            let session = node.connections[connection].session.unwrap();
            most = most.max(node.shards[1].core.backlog_bytes(session));
            reads += 1;
            assert!(reads < 10_000);
            // The book changes meanwhile.
            let number = 1 + reads;
            let size = i64::try_from(number).unwrap();
            let link = Some((number, number + 1));
            node.read(&at(size, delta(link, &[(50_000, size)], &[])));
            node.flush()?;
        }
        assert!(most > 0 && most <= HELD + one, "{encoding:?}: {most}");
        node.connections[connection].held = None;
        node.check()?;
    }
    Ok(())
}

/// More than a hundred shallow books in one request, each a small initial state, by a client that reads
/// nothing for a while.
#[test]
fn many_small_initial_states_are_bounded_like_one_large_one() -> Checked {
    let mut node = Node::new(settings());
    node.subscribe_witnesses()?;
    let long = 100_000_000_000_000_007;
    let side = |step: i64| (1..=20).map(move |rank| (long + step * rank * 1_001, long - rank));
    let (bids, asks): (Vec<_>, Vec<_>) = (side(-1).collect(), side(1).collect());
    for (instrument, partition) in [(0, 0), (1, 0), (2, 1), (3, 1)] {
        let offset = i64::try_from(instrument).unwrap();
        let book = snapshot(None, &bids, &asks);
        node.read(&of(instrument, partition, offset, book));
    }
    node.flush()?;
    let connection = node.connect(0, Encoding::Json);
    let (mut subscribers, mut streams) = (Vec::new(), Vec::new());
    for group in 1..=30 {
        let params = params(Depth::D10, Speed::Raw, group);
        for instrument in 0..4 {
            let key = view_key(instrument, Channel::Book, params);
            subscribers.push(node.add_subscriber(Client::new(key, Encoding::Json)));
        }
        let all = StreamRequest::new(Channel::Book, Symbol::parse("*").unwrap());
        streams.push(all.depth(Depth::D10).group(params.group.unwrap()));
    }
    node.connections[connection].held = Some(1_000);
    node.ask(connection, &subscribers, |id| {
        Request::subscribe(id, streams)
    });
    let mut most = 0;
    for _ in 0..1_000 {
        node.pump()?;
        let session = node.connections[connection].session.unwrap();
        most = most.max(node.shards[0].core.backlog_bytes(session));
        node.trickle(connection, 1_000)?;
    }
    // Sixteen may be asked for at once, of at most 2 KiB each.
    assert!(most > 0 && most <= HELD + 16 * 2 * 1024, "{most}");
    node.connections[connection].held = None;
    node.check()?;
    let started = |subscriber: &usize| node.subscribers[*subscriber].client.mine.is_some();
    assert!(subscribers.iter().all(started));
    Ok(())
}
