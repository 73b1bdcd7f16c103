//! A publisher and its shards, with the sessions that are subscribed there.
//!
//! Long because subscribers, connections, shards and publisher advance together, turn by turn, and every check looks at all of
//! them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fanout_core::{
    Ask, Batch, Command, Core, Delivery, Directory, Grant, Listing, Opening, Port, Sent,
};
use market::{
    Channel, Exponents, InstrumentName, Monotonic, Nanos, Now, PartitionIndex, Position, Seq,
};
use metrics::ShardMetrics;
use proptest::prelude::*;
use streams::{Publisher, ResumeFailure, Settings, Start, StreamKey};
use wire::control::{self, Answer, ErrorCode, Policy, Request, StartKind, StartReason, Subscribed};
use wire::{BarInterval, Depth, Encoding, PriceStep, Speed, ViewParams};

use crate::client::{Checked, Client, PlainBook};
use crate::connection::{Connection, Frame, address};
use crate::log::{Entry, NAMES, identity};
use crate::model::Model;
use crate::venue::{PARTITIONS, book_partition};

/// Bytes of runs that a shard holds for lagging sessions: of one stream, and for all of them.
const RUN_BYTES: usize = 2 * 1024;
const LAGGING_BYTES: usize = 1024;
/// More turns than anything that terminates takes.
const MOST_TURNS: usize = 20_000;

pub(crate) struct Node {
    pub(crate) publisher: Publisher,
    port: Port,
    listings: Vec<Arc<Listing>>,
    pub(crate) shards: Vec<Shard>,
    /// Commands of shards that the publisher has not read.
    commands: VecDeque<Command>,
    /// Whether the queues between publisher and shards take one item at a time.
    pub(crate) has_short_queues: bool,
    /// The monotonic time in seconds.
    pub(crate) now: u64,
    /// The fraction of a second.
    pub(crate) fine: Duration,
    directory: Arc<Directory>,
    pub(crate) models: Vec<Model>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) subscribers: Vec<Subscriber>,
    /// For each instrument, subscribers to its full raw streams from the very start.
    witnesses: HashMap<StreamKey, usize>,
}

pub(crate) struct Shard {
    pub(crate) core: Core,
    pub(crate) metrics: Arc<ShardMetrics>,
    batch: Batch,
    /// What the publisher delivered, and the shard has not read.
    inbox: VecDeque<Delivery>,
    /// The connections by their sessions' places.
    sessions: HashMap<usize, usize>,
}

/// A client that has, had, or wants a subscription here.
pub(crate) struct Subscriber {
    pub(crate) client: Client,
    pub(crate) phase: Phase,
    /// Reads only when the test does.
    pub(crate) stalled: bool,
    /// Bytes that its socket holds while it does not read.
    pub(crate) holds: usize,
    pub(crate) policy: Policy,
    pub(crate) connection: Option<usize>,
    /// How the last request for it ended.
    pub(crate) outcome: Option<Result<Start, ErrorCode>>,
    /// How many messages it had when it last started with a snapshot.
    started_at: usize,
    /// Its stream after the requested update.
    becomes: Option<StreamKey>,
    /// Whether the node has ended its stream since the last request for it.
    pub(crate) ended: bool,
    /// From which message on it has exactly those of the witness: the index in its own list and in the witness's.
    same_from: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Live,
    /// It has requested the subscription.
    Subscribing,
    Unsubscribed,
}

pub(crate) fn settings() -> Settings {
    Settings {
        log_bytes: 4 * 1024,
        log_budget: 64 * 1024,
        heartbeat_after: Duration::from_secs(5_000),
        stale_after: Some(Duration::from_secs(30_000)),
        book_levels: 60,
        ..Settings::default()
    }
}

/// This many seconds after the start. The wall clock shows them as nanoseconds.
pub(crate) fn present(seconds: u64) -> Now {
    Now {
        monotonic: Monotonic(0) + Duration::from_secs(seconds),
        wall: Nanos(seconds),
    }
}

pub(crate) fn name(instrument: usize) -> InstrumentName {
    InstrumentName::parse(NAMES[instrument]).unwrap()
}

pub(crate) fn key(instrument: usize, channel: Channel, depth: Depth) -> StreamKey {
    StreamKey {
        instrument: name(instrument).id(),
        channel,
        params: ViewParams {
            depth,
            ..ViewParams::default()
        },
    }
}

/// A stream of bars.
pub(crate) fn bars(interval: BarInterval, speed: Speed) -> ViewParams {
    ViewParams {
        speed,
        interval: Some(interval),
        ..ViewParams::default()
    }
}

/// A stream with parameters.
pub(crate) fn view_key(instrument: usize, channel: Channel, params: ViewParams) -> StreamKey {
    StreamKey {
        params,
        ..key(instrument, channel, Depth::Full)
    }
}

/// A depth, a speed, and how many of the smallest price of the usual scale are grouped; 0 groups
/// nothing.
pub(crate) fn params(depth: Depth, speed: Speed, group: u32) -> ViewParams {
    let step = || PriceStep::parse(&format!("{group}e-8")).unwrap();
    ViewParams {
        depth,
        speed,
        group: (group > 0).then(step),
        interval: None,
    }
}

/// What a view shows of a book whose prices have this scale.
fn seen(book: &PlainBook, params: ViewParams, price_exponent: i8) -> PlainBook {
    let Some(step) = params.group else {
        return book.top(params.depth.levels());
    };
    let step = step
        .at(price_exponent)
        .expect("a stream ends when its step no longer fits");
    let mut grouped = PlainBook::default();
    for (price, size) in &book.bids {
        *grouped
            .bids
            .entry(price.div_euclid(step) * step)
            .or_default() += size;
    }
    for (price, size) in &book.asks {
        let up = -(-price).div_euclid(step) * step;
        *grouped.asks.entry(up).or_default() += size;
    }
    grouped.top(params.depth.levels())
}

/// Small bounds, and no deadline that a test does not ask for.
pub(crate) fn session_settings() -> fanout_core::Settings {
    fanout_core::Settings {
        inbound_rate: 1_000_000,
        inbound_burst: 1_000_000,
        ping_interval: Duration::from_secs(1_000_000),
        pong_timeout: Duration::from_secs(1_000_000),
        grouped_views_per_session: 1_000,
        streams_per_request: 1_000,
        idle_session_timeout: Duration::ZERO,
        run_bytes: RUN_BYTES,
        ring_budget: 8 * RUN_BYTES,
        run_bytes_for_slow: LAGGING_BYTES,
        run_bytes_per_slow: LAGGING_BYTES / 4,
        ..fanout_core::Settings::default()
    }
}

/// How clients name a stream.
pub(crate) fn wire_key(key: &StreamKey) -> control::StreamKey {
    control::StreamKey::with_params(key.channel, name(instrument_of(key)), key.params)
}

fn instrument_of(key: &StreamKey) -> usize {
    (0..NAMES.len())
        .find(|index| name(*index).id() == key.instrument)
        .unwrap()
}

fn backlog_of(subscribed: &Subscribed) -> Start {
    match (subscribed.start, subscribed.reason) {
        (StartKind::Resumed, None) => Start::Resumed,
        (StartKind::Snapshot, None) => Start::Snapshot(None),
        (StartKind::Snapshot, Some(reason)) => Start::Snapshot(Some(match reason {
            StartReason::EpochChanged => ResumeFailure::EpochChanged,
            StartReason::LogExceeded => ResumeFailure::LogExceeded,
            StartReason::AheadOfLog => ResumeFailure::AheadOfLog,
            StartReason::NoState => ResumeFailure::NoState,
            other => panic!("{other:?}"),
        })),
        other => panic!("{other:?}"),
    }
}

impl Shard {
    fn new(index: usize, directory: &Arc<Directory>, now: Now) -> Self {
        let metrics = Arc::<ShardMetrics>::default();
        let core = Core::new(
            index,
            Arc::new(session_settings()),
            Arc::clone(directory),
            Arc::clone(&metrics),
            now,
        );
        Self {
            core,
            metrics,
            batch: Batch::default(),
            inbox: VecDeque::new(),
            sessions: HashMap::new(),
        }
    }
}

impl Subscriber {
    fn new(client: Client) -> Self {
        Self {
            client,
            phase: Phase::Unsubscribed,
            stalled: false,
            holds: 0,
            policy: Policy::default(),
            connection: None,
            outcome: None,
            started_at: 0,
            ended: false,
            becomes: None,
            same_from: None,
        }
    }
}

impl Node {
    /// A node that knows all instruments and reads every partition from its start.
    pub(crate) fn new(settings: Settings) -> Self {
        let starts = [(0, 0); PARTITIONS as usize];
        Self::starting_at(settings, &starts)
    }

    /// The same, with the turns and the first offset of each partition.
    pub(crate) fn starting_at(settings: Settings, starts: &[(u32, i64)]) -> Self {
        let mut publisher = Publisher::new(settings);
        let now = 1_000;
        let directory = Arc::new(Directory::new(1));
        let mut listings = Vec::new();
        for instrument in 0..NAMES.len() {
            let (name, exponents) = (name(instrument), Exponents::default());
            publisher
                .add_instrument(&name, exponents, present(now).monotonic)
                .unwrap();
            listings.push(directory.list(&name, exponents));
        }
        for (partition, (turns, start)) in (0..).zip(starts) {
            publisher.open(
                PartitionIndex(partition),
                identity(partition, *turns),
                Seq(*start),
            );
        }
        let shards = (0..2).map(|index| Shard::new(index, &directory, present(now)));
        let shards: Vec<_> = shards.collect();
        let mut port = Port::new(shards.len());
        port.open();
        Self {
            publisher,
            port,
            listings,
            shards,
            commands: VecDeque::new(),
            has_short_queues: false,
            now,
            fine: Duration::ZERO,
            directory,
            models: vec![Model::default(); NAMES.len()],
            connections: Vec::new(),
            subscribers: Vec::new(),
            witnesses: HashMap::new(),
        }
    }

    pub(crate) fn present(&self) -> Now {
        let Now { monotonic, wall } = present(self.now);
        Now {
            monotonic: monotonic + self.fine,
            wall: Nanos(wall.0 + self.fine.as_nanos() as u64),
        }
    }

    /// Replaces a shard by a new one without sessions.
    pub(crate) fn restart_shard(
        &mut self,
        index: usize,
        settings: fanout_core::Settings,
    ) -> Checked {
        for connection in 0..self.connections.len() {
            if self.connections[connection].shard == index {
                self.cut(connection);
            }
        }
        self.pump()?;
        self.shards[index] = Shard::new(index, &self.directory, self.present());
        self.shards[index].core.set_settings(Arc::new(settings));
        Ok(())
    }

    /// Subscribes to every full raw stream.
    pub(crate) fn subscribe_witnesses(&mut self) -> Checked {
        for instrument in 0..NAMES.len() {
            let connection = self.connect(0, Encoding::Sbe);
            let mut subscribers = Vec::new();
            for channel in [
                Channel::Book,
                Channel::Bbo,
                Channel::Trades,
                Channel::Status,
            ] {
                let key = key(instrument, channel, Depth::Full);
                let subscriber = self.add_subscriber(Client::new(key, Encoding::Sbe));
                self.witnesses.insert(key, subscriber);
                self.subscribers[subscriber].same_from = Some((0, 0));
                subscribers.push(subscriber);
            }
            self.request_subscribe(connection, &subscribers, |_| None);
            self.pump()?;
        }
        Ok(())
    }

    pub(crate) fn witness(&self, instrument: usize, channel: Channel) -> &Client {
        &self.subscribers[self.witnesses[&key(instrument, channel, Depth::Full)]].client
    }

    pub(crate) fn read(&mut self, entry: &Entry) {
        self.now += 10;
        self.read_now(entry);
    }

    pub(crate) fn read_now(&mut self, entry: &Entry) {
        let now = self.present();
        match entry {
            Entry::Record(record) => {
                self.models[record.instrument].read(record);
                record.read(&mut self.publisher, now);
            }
            Entry::Reopen { partition, turns } => {
                for (instrument, model) in self.models.iter_mut().enumerate() {
                    if book_partition(instrument) == *partition {
                        model.restart();
                    }
                }
                let identity = identity(*partition, *turns);
                self.publisher
                    .reopen(PartitionIndex(*partition), identity, Seq(0), now);
            }
        }
    }

    /// Records before `next` were deleted before they were read.
    pub(crate) fn lose(&mut self, partition: u32, next: i64) {
        for (instrument, model) in self.models.iter_mut().enumerate() {
            if book_partition(instrument) == partition {
                model.lose();
            }
        }
        let now = self.present();
        self.publisher
            .lost(PartitionIndex(partition), Seq(next), now);
    }

    /// Adds a client and subscribes it; returns its index.
    pub(crate) fn subscribe_new(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
    ) -> Result<usize, TestCaseError> {
        let subscriber = self.add_subscriber(Client::new(key, encoding));
        self.subscribe(subscriber, None)?;
        Ok(subscriber)
    }

    /// Adds a client, which may have come from another node, without subscribing it.
    pub(crate) fn add_subscriber(&mut self, client: Client) -> usize {
        self.subscribers.push(Subscriber::new(client));
        self.subscribers.len() - 1
    }

    /// Opens a session.
    pub(crate) fn connect(&mut self, shard: usize, encoding: Encoding) -> usize {
        let opening = Opening {
            encoding,
            grant: Arc::new(Grant::default()),
            sse: None,
        };
        let now = self.present();
        let shard_of = &mut self.shards[shard];
        let session = shard_of.core.open(opening, now);
        let connection = self.connections.len();
        assert_eq!(shard_of.sessions.insert(session, connection), None);
        self.connections
            .push(Connection::new(shard, session, encoding));
        connection
    }

    /// Subscribes in a session of its own, with or without a position; returns how it started.
    pub(crate) fn subscribe(
        &mut self,
        subscriber: usize,
        resume: Option<Position>,
    ) -> Result<Start, TestCaseError> {
        self.flush()?;
        let client = &self.subscribers[subscriber].client;
        let (key, encoding) = (client.key, client.encoding);
        let before = client.applied.len();
        let connection = match self.subscribers[subscriber].connection {
            Some(connection) => connection,
            None => self.connect(subscriber % 2, encoding),
        };
        // It reads until it has started.
        let stalled = std::mem::take(&mut self.subscribers[subscriber].stalled);
        self.request_subscribe(connection, &[subscriber], |_| resume);
        self.pump()?;
        self.subscribers[subscriber].stalled = stalled;
        let start = match self.subscribers[subscriber].outcome {
            Some(Ok(start)) => start,
            // The prices are coarser by now.
            Some(Err(ErrorCode::UnsupportedGroup)) => return Err(TestCaseError::reject("group")),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let position = self.position(key, encoding);
        let mine = self.subscribers[subscriber].client.mine;
        if let Start::Snapshot(why) = start {
            prop_assert_eq!(why.is_some(), resume.is_some());
        }
        if let Some(mine) = mine {
            let from = resume.filter(|_| start == Start::Resumed);
            let seq = from.map_or(position.seq, |from| from.seq.max(position.seq));
            prop_assert_eq!(mine, Position { seq, ..position });
        }
        // A state is resumed as it is now, without those between.
        let witness = self
            .witnesses
            .get(&key)
            .filter(|_| key.channel != Channel::Status)
            .map(|index| &self.subscribers[*index].client.applied);
        let started = self.subscribers[subscriber].client.applied.len();
        self.subscribers[subscriber].same_from = witness.map(|applied| match start {
            Start::Snapshot(_) => (started, applied.len()),
            Start::Resumed => {
                let from = resume.unwrap();
                let behind = applied
                    .iter()
                    .rposition(|(at, _)| at.epoch != from.epoch || at.seq <= from.seq);
                (before, behind.map_or(0, |index| index + 1))
            }
        });
        Ok(start)
    }

    /// The position of a stream at its publisher.
    pub(crate) fn position(&mut self, key: StreamKey, encoding: Encoding) -> Position {
        let now = self.present().monotonic;
        let watch = self.publisher.open_stream(key, encoding, now).unwrap();
        let position = self.publisher.position(watch).unwrap();
        self.publisher.close_stream(watch);
        position
    }

    /// Sends one request for the streams of some subscribers.
    pub(crate) fn request_subscribe(
        &mut self,
        connection: usize,
        subscribers: &[usize],
        resume: impl Fn(&Client) -> Option<Position>,
    ) {
        let mut streams = Vec::new();
        for subscriber in subscribers {
            let subscriber = &self.subscribers[*subscriber];
            let mut stream = control::StreamRequest::from(wire_key(&subscriber.client.key));
            stream.policy = subscriber.policy;
            if let Some(from) = resume(&subscriber.client) {
                stream = stream.resume(from.epoch, from.seq);
            }
            streams.push(stream);
        }
        self.ask(connection, subscribers, |id| {
            Request::subscribe(id, streams)
        });
    }

    /// Sends a request whose results belong to these subscribers.
    pub(crate) fn ask(
        &mut self,
        index: usize,
        subscribers: &[usize],
        request: impl FnOnce(u64) -> Request,
    ) {
        let connection = &mut self.connections[index];
        connection.asked.push_back(subscribers.to_vec());
        connection.request(request);
        for number in subscribers {
            let subscriber = &mut self.subscribers[*number];
            (subscriber.phase, subscriber.outcome, subscriber.ended) =
                (Phase::Subscribing, None, false);
            subscriber.connection = Some(index);
            if !connection.subscribers.contains(number) {
                connection.subscribers.push(*number);
            }
        }
    }

    /// Sends a request to unsubscribe these subscribers.
    pub(crate) fn request_unsubscribe(&mut self, connection: usize, subscribers: &[usize]) {
        let keys = subscribers
            .iter()
            .map(|subscriber| wire_key(&self.subscribers[*subscriber].client.key));
        let keys: Vec<_> = keys.collect();
        let connection = &mut self.connections[connection];
        connection.asked.push_back(subscribers.to_vec());
        connection.request(|id| Request::unsubscribe(id, keys));
    }

    /// Sends a request to change a subscriber's stream.
    pub(crate) fn request_update(&mut self, subscriber: usize, to: control::StreamChange) {
        let key = self.subscribers[subscriber].client.key;
        let key = wire_key(&key);
        let params = to.of(&key).params();
        let becomes = &mut self.subscribers[subscriber];
        becomes.becomes = Some(StreamKey {
            params,
            ..becomes.client.key
        });
        let connection = &mut self.connections[becomes.connection.unwrap()];
        connection.asked.push_back(vec![subscriber]);
        connection.request(|id| Request::update(id, [control::StreamUpdate { key, to }]));
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&mut self, subscriber: usize) -> Checked {
        if self.subscribers[subscriber].phase == Phase::Unsubscribed {
            return Ok(());
        }
        let connection = self.subscribers[subscriber].connection.unwrap();
        if subscriber % 4 < 2 {
            self.cut(connection);
        } else {
            let stalled = std::mem::take(&mut self.subscribers[subscriber].stalled);
            self.request_unsubscribe(connection, &[subscriber]);
            self.pump()?;
            self.subscribers[subscriber].stalled = stalled;
            prop_assert_eq!(self.subscribers[subscriber].phase, Phase::Unsubscribed);
        }
        Ok(())
    }

    /// Loses a connection, and with it what its client has not read.
    pub(crate) fn cut(&mut self, connection: usize) {
        let connection = &mut self.connections[connection];
        connection.received.clear();
        connection.sent.clear();
        if let Some(session) = connection.session.take() {
            let shard = &mut self.shards[connection.shard];
            shard.core.lost(session);
            shard.core.remove_ended();
            shard.core.outputs().ended.clear();
            shard.sessions.remove(&session);
            self.commands.extend(commands_of(&mut shard.core));
        }
        for subscriber in std::mem::take(&mut connection.subscribers) {
            let subscriber = &mut self.subscribers[subscriber];
            (subscriber.phase, subscriber.connection, subscriber.becomes) =
                (Phase::Unsubscribed, None, None);
        }
    }

    /// Hands over what was published; clients that are not stalled read it.
    pub(crate) fn flush(&mut self) -> Checked {
        self.now += 5;
        self.hand_over();
        self.pump()
    }

    /// Hands over what was published.
    pub(crate) fn hand_over(&mut self) {
        let (now, shards) = (self.present().monotonic, &mut self.shards);
        let mut deliver = |shard: usize, delivery| shards[shard].inbox.push_back(delivery);
        self.port
            .hand_over(&mut self.publisher, now, None, &mut deliver);
    }

    /// Lets a stalled subscriber's socket take some bytes more, and reads what is in it.
    pub(crate) fn read_bytes(&mut self, subscriber: usize, bytes: usize) -> Checked {
        if let Some(index) = self.subscribers[subscriber].connection {
            self.trickle(index, bytes)?;
            self.pump()?;
            self.read_socket(index)?;
        }
        Ok(())
    }

    /// Lets a stalled client read what its socket has, which then takes some bytes more.
    pub(crate) fn trickle(&mut self, index: usize, bytes: usize) -> Checked {
        self.update_sockets();
        let connection = &mut self.connections[index];
        connection.room = connection.room.saturating_add(bytes);
        self.report_room(index);
        self.read_socket(index)?;
        Ok(())
    }

    /// Checks that a subscriber to trades without a lag notice has all of them since its start.
    pub(crate) fn check_for_gaps(&self, subscriber: &Subscriber) -> Checked {
        let client = &subscriber.client;
        let witness = self.witnesses.get(&client.key);
        let Some(witness) = witness.filter(|_| client.key.channel == Channel::Trades) else {
            return Ok(());
        };
        let witness = &self.subscribers[*witness].client;
        if !client.lags.is_empty() || !witness.lags.is_empty() {
            return Ok(());
        }
        let mine = &client.messages[subscriber.started_at..];
        prop_assert!(witness.messages.ends_with(mine), "trades are missing");
        Ok(())
    }

    /// Runs until nothing is left to do.
    pub(crate) fn pump(&mut self) -> Checked {
        self.update_sockets();
        let evicted: Vec<u64> = self.evicted();
        let before: Vec<_> = self.subscribers.iter().map(lags_and_epoch).collect();
        for turns in 0.. {
            prop_assert!(turns < MOST_TURNS, "it does not terminate");
            if !self.turn()? {
                break;
            }
        }
        for (subscriber, before) in self.subscribers.iter_mut().zip(before) {
            let Some(connection) = subscriber.connection.map(|index| &self.connections[index])
            else {
                continue;
            };
            let shard = connection.shard;
            let has_evicted = self.shards[shard].metrics.cursors_fallen.get() > evicted[shard];
            if has_evicted && (connection.was_blocked || lags_and_epoch(subscriber) != before) {
                subscriber.same_from = None;
            }
        }
        for connection in &mut self.connections {
            connection.was_blocked = connection.blocked;
        }
        Ok(())
    }

    fn evicted(&self) -> Vec<u64> {
        let shards = self.shards.iter();
        shards
            .map(|shard| shard.metrics.cursors_fallen.get())
            .collect()
    }

    /// One turn of the publisher and of each shard. Returns whether there was anything to do.
    pub(crate) fn turn(&mut self) -> Result<bool, TestCaseError> {
        let now = self.present();
        for handle in self.publisher.take_changed() {
            let about = self.publisher.info(handle).unwrap();
            let exponents = self.publisher.exponents(handle).unwrap();
            self.listings[handle.0 as usize].set(exponents, about.state);
        }
        let most = if self.has_short_queues { 1 } else { usize::MAX };
        let mut busy = false;
        if !self.commands.is_empty() {
            // A new subscriber starts after everything published so far.
            self.hand_over();
        }
        for command in self.commands.drain(..most.min(self.commands.len())) {
            busy = true;
            let shards = &mut self.shards;
            let mut deliver = |shard: usize, delivery| shards[shard].inbox.push_back(delivery);
            self.port
                .carry_out(&command, &mut self.publisher, now, &mut deliver);
        }
        for index in 0..self.shards.len() {
            busy |= self.turn_shard(index, most, now)?;
        }
        for index in 0..self.connections.len() {
            if self.connections[index].stalled.is_none() {
                busy |= self.read_socket(index)?;
            }
        }
        let waits = self.shards.iter().any(|shard| !shard.inbox.is_empty());
        Ok(busy || waits || !self.commands.is_empty())
    }

    fn turn_shard(&mut self, index: usize, most: usize, now: Now) -> Result<bool, TestCaseError> {
        let shard = &mut self.shards[index];
        let mut busy = false;
        for delivery in shard.inbox.drain(..most.min(shard.inbox.len())) {
            busy = true;
            shard.core.deliver(delivery, now);
        }
        let mut readable = Vec::new();
        shard.core.take_readable(&mut readable);
        for session in readable {
            busy = true;
            shard.core.resume(session as usize, now);
        }
        for connection in &mut self.connections {
            if let Some(session) = connection.session.filter(|_| connection.shard == index)
                && !connection.sent.is_empty()
                && shard.core.may_receive(session)
            {
                busy = true;
                // A request arrives in pieces.
                let piece =
                    connection
                        .sent
                        .len()
                        .min(if self.has_short_queues { 700 } else { 4096 });
                let piece: Vec<u8> = connection.sent.drain(..piece).collect();
                shard.core.received(session, &piece, now);
            }
        }
        if shard
            .core
            .next_due()
            .is_some_and(|due| due <= now.monotonic)
        {
            shard.core.advance(now);
        }
        let mut left = shard.core.sendable();
        busy |= left > 0;
        while left > 0 {
            let visited = shard.core.fill(&mut shard.batch, left.min(7), now);
            if visited == 0 {
                break;
            }
            left -= visited;
            for send in 0..shard.batch.len() {
                let session = shard.batch.session(send).unwrap();
                let connection = &mut self.connections[shard.sessions[&session]];
                let (bytes, has_room) = connection.take(shard.core.bytes(&shard.batch, send));
                let sent = Sent::Bytes { bytes, has_room };
                shard.core.sent(&shard.batch, send, sent, now.monotonic);
            }
            if left > 0
                && let Some(delivery) = shard.inbox.pop_front()
            {
                shard.core.deliver(delivery, now);
            }
        }
        shard.core.end_pass(now);
        shard.core.remove_ended();
        let ended: Vec<_> = shard.core.outputs().ended.drain(..).collect();
        shard.core.outputs().finished.clear();
        self.commands.extend(commands_of(&mut shard.core));
        for ended in ended {
            let connection = shard.sessions.remove(&ended.session).unwrap();
            self.connections[connection].session = None;
        }
        Ok(busy)
    }

    /// Sockets of clients that read again have room; others are as full as they are.
    pub(crate) fn update_sockets(&mut self) {
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let subscribers = connection
                .subscribers
                .iter()
                .map(|subscriber| &self.subscribers[*subscriber]);
            let stalled = subscribers
                .filter(|subscriber| subscriber.stalled)
                .map(|subscriber| subscriber.holds)
                .min();
            match (connection.stalled, stalled.or(connection.held)) {
                (_, None) => connection.room = usize::MAX,
                (None, Some(holds)) => connection.room = holds,
                (Some(_), Some(_)) => {}
            }
            connection.stalled = stalled.or(connection.held);
            self.report_room(index);
        }
    }

    fn report_room(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if let Some(session) = connection.session
            && connection.room > 0
            && std::mem::take(&mut connection.blocked)
        {
            self.shards[connection.shard].core.writable(session);
        }
    }

    /// Lets a client read what its socket has. Returns whether there was anything.
    pub(crate) fn read_socket(&mut self, index: usize) -> Result<bool, TestCaseError> {
        let mut busy = false;
        while let Some(frame) = self.connections[index].next_frame() {
            busy = true;
            match frame {
                Frame::Data(frame) => self.take_message(index, &frame)?,
                Frame::Answer(text) => self.take_answer(index, Answer::parse(&text).unwrap())?,
                Frame::Ping => {
                    let connection = &mut self.connections[index];
                    connection.pings += 1;
                    connection.send(0x8a, b"");
                }
                Frame::Close(code) => {
                    let connection = &mut self.connections[index];
                    connection.closed = Some(code);
                    connection.send(0x88, &code.to_be_bytes());
                    for subscriber in std::mem::take(&mut connection.subscribers) {
                        let subscriber = &mut self.subscribers[subscriber];
                        (subscriber.phase, subscriber.connection, subscriber.becomes) =
                            (Phase::Unsubscribed, None, None);
                    }
                }
            }
        }
        Ok(busy)
    }

    fn take_message(&mut self, index: usize, frame: &[u8]) -> Checked {
        let connection = &self.connections[index];
        let (instrument, view, channel) = address(frame, connection.encoding);
        let mut taken = false;
        for subscriber in &connection.subscribers {
            let subscriber = &mut self.subscribers[*subscriber];
            let key = &subscriber.client.key;
            let is_its = key.instrument == instrument && key.params.view() == view;
            if !is_its || subscriber.phase != Phase::Live {
                continue;
            }
            if channel == Some(key.channel) || connection.subscribers.len() == 1 {
                subscriber.client.take_frame(frame)?;
                taken = true;
            } else if channel.is_none() {
                // What an instrument is concerns all of its streams.
                subscriber.client.take_definition(frame)?;
                taken = true;
            }
        }
        let phases = connection.subscribers.iter().map(|subscriber| {
            let subscriber = &self.subscribers[*subscriber];
            (subscriber.phase, subscriber.client.key)
        });
        prop_assert!(
            taken,
            "a message of no stream that the client has: {:?} {:?}",
            (instrument, view, channel),
            phases.collect::<Vec<_>>()
        );
        Ok(())
    }

    fn take_answer(&mut self, index: usize, answer: Answer) -> Checked {
        let (results, is_update) = match answer {
            Answer::Subscribed { results, .. } => (results, false),
            Answer::Updated { results, .. } => (results, true),
            Answer::Unsubscribed { id: None, results } => {
                prop_assert_eq!(results.len(), 1);
                return self.take_end(index, results[0].as_ref().unwrap_err());
            }
            Answer::Unsubscribed { results, .. } => {
                let subscribers = self.connections[index].asked.pop_front().unwrap();
                prop_assert_eq!(results.len(), subscribers.len());
                for (subscriber, result) in subscribers.into_iter().zip(results) {
                    prop_assert!(result.is_ok(), "{:?}", result);
                    self.subscribers[subscriber].phase = Phase::Unsubscribed;
                }
                return Ok(());
            }
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let subscribers = self.connections[index].asked.pop_front().unwrap();
        prop_assert_eq!(results.len(), subscribers.len());
        for (subscriber, result) in subscribers.into_iter().zip(results) {
            let subscriber = &mut self.subscribers[subscriber];
            let becomes = subscriber.becomes.take();
            let subscribed = match result {
                Ok(subscribed) => subscribed,
                Err(error) => {
                    subscriber.outcome = Some(Err(error.error.code));
                    if !is_update {
                        subscriber.phase = Phase::Unsubscribed;
                    }
                    continue;
                }
            };
            let start = backlog_of(&subscribed);
            if let Some(becomes) = becomes {
                subscriber.same_from = None;
                subscriber.client.key = becomes;
            }
            let key = &subscriber.client.key;
            prop_assert_eq!(subscribed.view, key.params.view());
            prop_assert_eq!(subscribed.instrument, key.instrument);
            if let Start::Snapshot(_) = start {
                subscriber.client.forget();
                subscriber.started_at = subscriber.client.messages.len();
            }
            subscriber
                .client
                .learn(subscribed.epoch, subscribed.exponents);
            (subscriber.phase, subscriber.outcome) = (Phase::Live, Some(Ok(start)));
        }
        Ok(())
    }

    /// Handles the end of a stream by the node: it is a grouped one that its client has.
    fn take_end(&mut self, index: usize, ended: &control::StreamError) -> Checked {
        prop_assert_eq!(ended.error.code, ErrorCode::StreamEnded);
        let key = ended.key();
        let subscriber = self.connections[index]
            .subscribers
            .iter()
            .copied()
            .find(|subscriber| {
                let subscriber = &self.subscribers[*subscriber];
                subscriber.phase == Phase::Live && Some(wire_key(&subscriber.client.key)) == key
            });
        let subscriber = &mut self.subscribers[subscriber.expect("it has the stream")];
        prop_assert!(subscriber.client.key.params.group.is_some());
        (subscriber.phase, subscriber.ended, subscriber.becomes) =
            (Phase::Unsubscribed, true, None);
        Ok(())
    }

    /// Returns whether a request for the subscriber is unanswered.
    pub(crate) fn is_waiting(&self, subscriber: usize) -> bool {
        let connection = self.subscribers[subscriber].connection;
        let asked = connection.map(|index| &self.connections[index].asked);
        asked.is_some_and(|asked| asked.iter().flatten().any(|it| *it == subscriber))
    }

    /// Returns whether the subscriber has everything that was published.
    pub(crate) fn is_up_to_date(&self, subscriber: &Subscriber) -> bool {
        let connection = subscriber.connection.map(|index| &self.connections[index]);
        let has_all = connection.is_some_and(|it| !it.blocked && it.has_read_all());
        subscriber.phase == Phase::Live && has_all
    }

    /// Lets a second pass, the interval of the slowest stream.
    pub(crate) fn publish_throttled(&mut self) {
        self.tick(1);
    }

    /// Flushes, and checks every subscriber that has read everything.
    pub(crate) fn check(&mut self) -> Checked {
        self.publish_throttled();
        self.flush()?;
        let subscribers = 0..self.subscribers.len();
        let current: Vec<usize> = subscribers
            .filter(|index| self.is_up_to_date(&self.subscribers[*index]))
            .collect();
        for index in &current {
            let subscriber = &self.subscribers[*index];
            self.check_by_model(subscriber)?;
            self.check_by_witness(subscriber)?;
        }
        self.check_by_fresh(&current)
    }

    fn check_by_model(&self, subscriber: &Subscriber) -> Checked {
        let client = &subscriber.client;
        let model = &self.models[instrument_of(&client.key)];
        match client.key.channel {
            Channel::Book => {
                let scale = client.mine.and_then(|mine| client.scale(mine.epoch));
                let expected = seen(&model.book, client.key.params, scale.unwrap_or(-8));
                prop_assert_eq!(&client.book, &expected, "{:?}", client.key.params);
                prop_assert_eq!(client.broken.is_none(), model.live, "{:?}", client.broken);
            }
            Channel::Bbo => {
                prop_assert_eq!(client.bbo, model.book.bbo());
                prop_assert_eq!(client.broken.is_none(), model.live, "{:?}", client.broken);
            }
            _ => {}
        }
        Ok(())
    }

    fn check_by_witness(&self, subscriber: &Subscriber) -> Checked {
        let client = &subscriber.client;
        let Some((mine, its)) = subscriber.same_from else {
            return Ok(());
        };
        let witness = &self.subscribers[self.witnesses[&client.key]].client;
        prop_assert_eq!(&client.messages[mine..], &witness.messages[its..]);
        if client.encoding == Encoding::Sbe {
            prop_assert_eq!(&client.applied[mine..], &witness.applied[its..]);
        }
        Ok(())
    }

    /// Checks that new subscribers get what the others have.
    fn check_by_fresh(&mut self, subscribers: &[usize]) -> Checked {
        let (first, connections) = (self.subscribers.len(), self.connections.len());
        let mut fresh: HashMap<(StreamKey, Encoding), usize> = HashMap::new();
        for encoding in Encoding::ALL {
            let mut new = Vec::new();
            for subscriber in subscribers {
                let client = &self.subscribers[*subscriber].client;
                let of = (client.key, client.encoding);
                if encoding == of.1 && !fresh.contains_key(&of) {
                    let subscriber = self.add_subscriber(Client::new(of.0, of.1));
                    fresh.insert(of, subscriber);
                    new.push(subscriber);
                }
            }
            if !new.is_empty() {
                let connection = self.connect(new.len() % 2, encoding);
                for some in new.chunks(16) {
                    self.request_subscribe(connection, some, |_| None);
                }
            }
        }
        self.pump()?;
        for subscriber in subscribers {
            let client = &self.subscribers[*subscriber].client;
            let key = client.key;
            let fresh = &self.subscribers[fresh[&(key, client.encoding)]].client;
            let epoch = |client: &Client| client.mine.map(|mine| mine.epoch);
            let connection = &self.connections[self.subscribers[*subscriber].connection.unwrap()];
            if key.channel == Channel::Bars
                && connection.subscribers.len() > 1
                && epoch(fresh) != epoch(client)
            {
                // So far only a definition shows that another epoch has started, and not for which of
                // the instrument's streams: the next bar or heartbeat does.
                continue;
            }
            prop_assert_eq!(fresh.holds(), client.holds(), "{:?}", key);
            client.check_closed_bars(fresh)?;
            if let (Some(fresh), Some(mine)) = (fresh.mine, client.mine) {
                prop_assert_eq!(fresh, mine, "{:?}", client);
            }
            let about = self.about(key);
            prop_assert_eq!(fresh.about.as_ref().unwrap().state, about);
        }
        for connection in connections..self.connections.len() {
            self.cut(connection);
        }
        self.subscribers.truncate(first);
        self.connections.truncate(connections);
        self.pump()
    }

    fn about(&self, key: StreamKey) -> market::State {
        let handle = market::Handle(u32::try_from(instrument_of(&key)).unwrap());
        self.publisher.info(handle).unwrap().state
    }

    /// Checks that the witnesses received all trades.
    pub(crate) fn check_trades(&self) -> Checked {
        for (instrument, model) in self.models.iter().enumerate() {
            let received: Vec<i64> = self
                .witness(instrument, Channel::Trades)
                .trades()
                .iter()
                .map(|(seq, _)| seq.0)
                .collect();
            prop_assert_eq!(&received, &model.trades);
        }
        Ok(())
    }

    pub(crate) fn tick(&mut self, after: u64) {
        self.now += after;
        let now = self.present();
        self.publisher.advance(now);
        while self
            .publisher
            .next_due()
            .is_some_and(|due| due <= now.monotonic)
        {
            self.publisher.advance(now);
        }
    }
}

fn lags_and_epoch(subscriber: &Subscriber) -> (usize, Option<market::Epoch>) {
    (
        subscriber.client.lags.len(),
        subscriber.client.mine.map(|mine| mine.epoch),
    )
}

/// What a shard asks of its publisher.
fn commands_of(core: &mut Core) -> Vec<Command> {
    let outputs = core.outputs();
    assert!(outputs.replay_commands.is_empty() && outputs.left_replays.is_empty());
    let commands = outputs.commands.drain(..);
    let commands = commands.map(|(publisher, command)| {
        assert_eq!(publisher, 0);
        assert!(!matches!(command.ask, Ask::Replay { .. }));
        command
    });
    commands.collect()
}
