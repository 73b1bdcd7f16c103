//! A publisher and its shards, with the sessions that are subscribed there.

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

/// Bytes of runs that a shard holds for slow sessions: for one stream, and for all of them.
const RING_BYTES: usize = 2 * 1024;
const SLOW_BYTES: usize = 1024;
/// More turns than anything takes that comes to an end.
const MOST_TURNS: usize = 20_000;

pub(crate) struct Node {
    pub(crate) publisher: Publisher,
    port: Port,
    listings: Vec<Arc<Listing>>,
    pub(crate) shards: Vec<Shard>,
    /// What shards ask, and the publisher has not read.
    commands: VecDeque<Command>,
    /// Whether the queues between publisher and shards take one at a time.
    pub(crate) is_hindered: bool,
    /// The monotonic time in seconds.
    pub(crate) now: u64,
    /// And what is more than whole seconds.
    pub(crate) fine: Duration,
    directory: Arc<Directory>,
    pub(crate) models: Vec<Model>,
    pub(crate) connections: Vec<Connection>,
    pub(crate) seats: Vec<Seat>,
    /// For each instrument, subscribers of its full raw streams since the very beginning.
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

/// A subscriber and its place.
pub(crate) struct Seat {
    pub(crate) client: Client,
    pub(crate) phase: Phase,
    /// Reads only when told.
    pub(crate) slow: bool,
    /// Bytes that its socket holds while it does not read.
    pub(crate) holds: usize,
    pub(crate) policy: Policy,
    pub(crate) connection: Option<usize>,
    /// How it began, or why it did not.
    pub(crate) began: Option<Result<Start, ErrorCode>>,
    /// How many messages it had when it last began with a state.
    begun_at: usize,
    /// What it is after the update that was asked for.
    becomes: Option<StreamKey>,
    /// Whether the node ended its stream since it was asked for last.
    pub(crate) ended: bool,
    /// From which message on it has exactly the witness's: in its own list, in the witness's.
    same_from: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Live,
    /// It asked to subscribe.
    Entering,
    Away,
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

/// So many seconds after the start. The wall clock shows them as nanoseconds.
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

/// What a view shows of a book whose prices have that scale.
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
        run_bytes: RING_BYTES,
        ring_budget: 8 * RING_BYTES,
        run_bytes_for_slow: SLOW_BYTES,
        run_bytes_per_slow: SLOW_BYTES / 4,
        ..fanout_core::Settings::default()
    }
}

/// How clients name a stream.
pub(crate) fn wire_key(key: &StreamKey) -> control::StreamKey {
    let own = control::StreamKey::new(key.channel, name(instrument_of(key)));
    let ViewParams {
        depth,
        speed,
        group,
        interval,
    } = key.params;
    control::StreamKey {
        depth,
        speed,
        group,
        interval: interval.unwrap_or(own.interval),
        ..own
    }
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

impl Seat {
    fn new(client: Client) -> Self {
        Self {
            client,
            phase: Phase::Away,
            slow: false,
            holds: 0,
            policy: Policy::default(),
            connection: None,
            began: None,
            begun_at: 0,
            ended: false,
            becomes: None,
            same_from: None,
        }
    }
}

impl Node {
    /// A node that knows all instruments and reads every partition from its beginning.
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
            is_hindered: false,
            now,
            fine: Duration::ZERO,
            directory,
            models: vec![Model::default(); NAMES.len()],
            connections: Vec::new(),
            seats: Vec::new(),
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

    /// A shard starts, without sessions, in the place of one that has stopped.
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
    pub(crate) fn watch_all(&mut self) -> Checked {
        for instrument in 0..NAMES.len() {
            let connection = self.connect(0, Encoding::Sbe);
            let mut seats = Vec::new();
            for channel in [
                Channel::Book,
                Channel::Bbo,
                Channel::Trades,
                Channel::Status,
            ] {
                let key = key(instrument, channel, Depth::Full);
                let seat = self.seat(Client::new(key, Encoding::Sbe));
                self.witnesses.insert(key, seat);
                self.seats[seat].same_from = Some((0, 0));
                seats.push(seat);
            }
            self.ask_to_enter(connection, &seats, |_| None);
            self.pump()?;
        }
        Ok(())
    }

    pub(crate) fn witness(&self, instrument: usize, channel: Channel) -> &Client {
        &self.seats[self.witnesses[&key(instrument, channel, Depth::Full)]].client
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

    /// Lets somebody in; its index.
    pub(crate) fn join(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
    ) -> Result<usize, TestCaseError> {
        let seat = self.seat(Client::new(key, encoding));
        self.enter(seat, None)?;
        Ok(seat)
    }

    /// Somebody who came from elsewhere takes a seat here.
    pub(crate) fn seat(&mut self, client: Client) -> usize {
        self.seats.push(Seat::new(client));
        self.seats.len() - 1
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

    /// Subscribes in a session of its own, with or without a position; how it began.
    pub(crate) fn enter(
        &mut self,
        seat: usize,
        resume: Option<Position>,
    ) -> Result<Start, TestCaseError> {
        self.flush()?;
        let client = &self.seats[seat].client;
        let (key, encoding) = (client.key, client.encoding);
        let before = client.applied.len();
        let connection = match self.seats[seat].connection {
            Some(connection) => connection,
            None => self.connect(seat % 2, encoding),
        };
        // It reads until it has begun.
        let slow = std::mem::take(&mut self.seats[seat].slow);
        self.ask_to_enter(connection, &[seat], |_| resume);
        self.pump()?;
        self.seats[seat].slow = slow;
        let start = match self.seats[seat].began {
            Some(Ok(start)) => start,
            // The prices are coarser by now.
            Some(Err(ErrorCode::UnsupportedGroup)) => return Err(TestCaseError::reject("group")),
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let position = self.position(key, encoding);
        let mine = self.seats[seat].client.mine;
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
            .map(|index| &self.seats[*index].client.applied);
        let started = self.seats[seat].client.applied.len();
        self.seats[seat].same_from = witness.map(|applied| match start {
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

    /// Where a stream stands at its publisher.
    pub(crate) fn position(&mut self, key: StreamKey, encoding: Encoding) -> Position {
        let now = self.present().monotonic;
        let watch = self.publisher.open_stream(key, encoding, now).unwrap();
        let position = self.publisher.position(watch).unwrap();
        self.publisher.close_stream(watch);
        position
    }

    /// Has a client ask for the streams of some seats in one request.
    pub(crate) fn ask_to_enter(
        &mut self,
        connection: usize,
        seats: &[usize],
        resume: impl Fn(&Client) -> Option<Position>,
    ) {
        let mut streams = Vec::new();
        for seat in seats {
            let seat = &self.seats[*seat];
            let mut stream = control::StreamRequest::from(wire_key(&seat.client.key));
            stream.policy = seat.policy;
            if let Some(from) = resume(&seat.client) {
                stream = stream.resume(from.epoch, from.seq);
            }
            streams.push(stream);
        }
        self.ask(connection, seats, |id| Request::subscribe(id, streams));
    }

    /// Has a client make a request whose results are those of some seats that are to begin.
    pub(crate) fn ask(
        &mut self,
        index: usize,
        seats: &[usize],
        request: impl FnOnce(u64) -> Request,
    ) {
        let connection = &mut self.connections[index];
        connection.asked.push_back(seats.to_vec());
        connection.request(request);
        for number in seats {
            let seat = &mut self.seats[*number];
            (seat.phase, seat.began, seat.ended) = (Phase::Entering, None, false);
            seat.connection = Some(index);
            if !connection.seats.contains(number) {
                connection.seats.push(*number);
            }
        }
    }

    /// Has a client end the streams of some seats.
    pub(crate) fn ask_to_leave(&mut self, connection: usize, seats: &[usize]) {
        let keys = seats
            .iter()
            .map(|seat| wire_key(&self.seats[*seat].client.key));
        let keys: Vec<_> = keys.collect();
        let connection = &mut self.connections[connection];
        connection.asked.push_back(seats.to_vec());
        connection.request(|id| Request::unsubscribe(id, keys));
    }

    /// Has a client change a seat's stream.
    pub(crate) fn ask_to_change(&mut self, seat: usize, to: control::StreamChange) {
        let key = self.seats[seat].client.key;
        let key = wire_key(&key);
        let params = to.of(&key).params();
        let becomes = &mut self.seats[seat];
        becomes.becomes = Some(StreamKey {
            params,
            ..becomes.client.key
        });
        let connection = &mut self.connections[becomes.connection.unwrap()];
        connection.asked.push_back(vec![seat]);
        connection.request(|id| Request::update(id, [control::StreamUpdate { key, to }]));
    }

    /// Ends a subscription, and the stream with its last one.
    pub(crate) fn leave(&mut self, seat: usize) -> Checked {
        if self.seats[seat].phase == Phase::Away {
            return Ok(());
        }
        let connection = self.seats[seat].connection.unwrap();
        if seat % 4 < 2 {
            self.cut(connection);
        } else {
            let slow = std::mem::take(&mut self.seats[seat].slow);
            self.ask_to_leave(connection, &[seat]);
            self.pump()?;
            self.seats[seat].slow = slow;
            prop_assert_eq!(self.seats[seat].phase, Phase::Away);
        }
        Ok(())
    }

    /// A connection is lost, and with it what its client has not read.
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
        for seat in std::mem::take(&mut connection.seats) {
            let seat = &mut self.seats[seat];
            (seat.phase, seat.connection, seat.becomes) = (Phase::Away, None, None);
        }
    }

    /// Hands over what was published; whoever is not slow reads it.
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

    /// Lets a slow subscriber's socket take some bytes more, and reads what is in it.
    pub(crate) fn read_bytes(&mut self, seat: usize, bytes: usize) -> Checked {
        if let Some(index) = self.seats[seat].connection {
            self.trickle(index, bytes)?;
            self.pump()?;
            self.take_in(index)?;
        }
        Ok(())
    }

    /// A slow client reads what its socket has, which then takes some bytes more.
    pub(crate) fn trickle(&mut self, index: usize, bytes: usize) -> Checked {
        self.update_sockets();
        let connection = &mut self.connections[index];
        connection.room = connection.room.saturating_add(bytes);
        self.report_room(index);
        self.take_in(index)?;
        Ok(())
    }

    /// Whoever has trades, and was not told of a loss, has all of them since it began.
    pub(crate) fn check_for_gaps(&self, seat: &Seat) -> Checked {
        let client = &seat.client;
        let witness = self.witnesses.get(&client.key);
        let Some(witness) = witness.filter(|_| client.key.channel == Channel::Trades) else {
            return Ok(());
        };
        let witness = &self.seats[*witness].client;
        if !client.lags.is_empty() || !witness.lags.is_empty() {
            return Ok(());
        }
        let mine = &client.messages[seat.begun_at..];
        prop_assert!(witness.messages.ends_with(mine), "trades are missing");
        Ok(())
    }

    /// Goes on until nothing is left to do.
    pub(crate) fn pump(&mut self) -> Checked {
        self.update_sockets();
        let fallen: Vec<u64> = self.fallen();
        let before: Vec<_> = self.seats.iter().map(lags_and_epoch).collect();
        for turns in 0.. {
            prop_assert!(turns < MOST_TURNS, "it comes to no end");
            if !self.turn()? {
                break;
            }
        }
        for (seat, before) in self.seats.iter_mut().zip(before) {
            let Some(connection) = seat.connection.map(|index| &self.connections[index]) else {
                continue;
            };
            let shard = connection.shard;
            let has_evicted = self.shards[shard].metrics.cursors_fallen.get() > fallen[shard];
            if has_evicted && (connection.was_blocked || lags_and_epoch(seat) != before) {
                seat.same_from = None;
            }
        }
        for connection in &mut self.connections {
            connection.was_blocked = connection.blocked;
        }
        Ok(())
    }

    fn fallen(&self) -> Vec<u64> {
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
        let most = if self.is_hindered { 1 } else { usize::MAX };
        let mut busy = false;
        if !self.commands.is_empty() {
            // Whoever joins comes after all that was published.
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
            if self.connections[index].slow.is_none() {
                busy |= self.take_in(index)?;
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
                let piece = connection
                    .sent
                    .len()
                    .min(if self.is_hindered { 700 } else { 4096 });
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
            let seats = connection.seats.iter().map(|seat| &self.seats[*seat]);
            let slow = seats.filter(|seat| seat.slow).map(|seat| seat.holds).min();
            match (connection.slow, slow.or(connection.held)) {
                (_, None) => connection.room = usize::MAX,
                (None, Some(holds)) => connection.room = holds,
                (Some(_), Some(_)) => {}
            }
            connection.slow = slow.or(connection.held);
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

    /// Has a client read what its socket has. Returns whether that was anything.
    pub(crate) fn take_in(&mut self, index: usize) -> Result<bool, TestCaseError> {
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
                    for seat in std::mem::take(&mut connection.seats) {
                        let seat = &mut self.seats[seat];
                        (seat.phase, seat.connection, seat.becomes) = (Phase::Away, None, None);
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
        for seat in &connection.seats {
            let seat = &mut self.seats[*seat];
            let key = &seat.client.key;
            let is_its = key.instrument == instrument && key.params.view() == view;
            if !is_its || seat.phase != Phase::Live {
                continue;
            }
            if channel == Some(key.channel) || connection.seats.len() == 1 {
                seat.client.take_frame(frame)?;
                taken = true;
            } else if channel.is_none() {
                // What an instrument is concerns all of its streams.
                seat.client.take_definition(frame)?;
                taken = true;
            }
        }
        let phases = connection.seats.iter().map(|seat| {
            let seat = &self.seats[*seat];
            (seat.phase, seat.client.key)
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
                let seats = self.connections[index].asked.pop_front().unwrap();
                prop_assert_eq!(results.len(), seats.len());
                for (seat, result) in seats.into_iter().zip(results) {
                    prop_assert!(result.is_ok(), "{:?}", result);
                    self.seats[seat].phase = Phase::Away;
                }
                return Ok(());
            }
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let seats = self.connections[index].asked.pop_front().unwrap();
        prop_assert_eq!(results.len(), seats.len());
        for (seat, result) in seats.into_iter().zip(results) {
            let seat = &mut self.seats[seat];
            let becomes = seat.becomes.take();
            let subscribed = match result {
                Ok(subscribed) => subscribed,
                Err(error) => {
                    seat.began = Some(Err(error.error.code));
                    if !is_update {
                        seat.phase = Phase::Away;
                    }
                    continue;
                }
            };
            let start = backlog_of(&subscribed);
            if let Some(becomes) = becomes {
                seat.same_from = None;
                seat.client.key = becomes;
            }
            let key = &seat.client.key;
            prop_assert_eq!(subscribed.view, key.params.view());
            prop_assert_eq!(subscribed.instrument, key.instrument);
            if let Start::Snapshot(_) = start {
                seat.client.forget();
                seat.begun_at = seat.client.messages.len();
            }
            seat.client.learn(subscribed.epoch, subscribed.exponents);
            (seat.phase, seat.began) = (Phase::Live, Some(Ok(start)));
        }
        Ok(())
    }

    /// The node ended a stream by itself: a grouped one that its client has.
    fn take_end(&mut self, index: usize, ended: &control::StreamError) -> Checked {
        prop_assert_eq!(ended.error.code, ErrorCode::StreamEnded);
        let key = ended.key();
        let seat = self.connections[index].seats.iter().copied().find(|seat| {
            let seat = &self.seats[*seat];
            seat.phase == Phase::Live && Some(wire_key(&seat.client.key)) == key
        });
        let seat = &mut self.seats[seat.expect("it has the stream")];
        prop_assert!(seat.client.key.params.group.is_some());
        (seat.phase, seat.ended, seat.becomes) = (Phase::Away, true, None);
        Ok(())
    }

    /// Whether a request about the seat has not been answered.
    pub(crate) fn is_waiting(&self, seat: usize) -> bool {
        let connection = self.seats[seat].connection;
        let asked = connection.map(|index| &self.connections[index].asked);
        asked.is_some_and(|asked| asked.iter().flatten().any(|it| *it == seat))
    }

    /// Whether the subscriber has all that was published.
    pub(crate) fn is_up_to_date(&self, seat: &Seat) -> bool {
        let connection = seat.connection.map(|index| &self.connections[index]);
        let has_all = connection.is_some_and(|it| !it.blocked && it.has_read_all());
        seat.phase == Phase::Live && has_all
    }

    /// Lets a second go by, which is the interval of the slowest stream.
    pub(crate) fn speak(&mut self) {
        self.tick(1);
    }

    /// Flushes, and compares everybody who has read all with what is right.
    pub(crate) fn check(&mut self) -> Checked {
        self.speak();
        self.flush()?;
        let seats = 0..self.seats.len();
        let current: Vec<usize> = seats
            .filter(|index| self.is_up_to_date(&self.seats[*index]))
            .collect();
        for index in &current {
            let seat = &self.seats[*index];
            self.check_by_model(seat)?;
            self.check_by_witness(seat)?;
        }
        self.check_by_fresh(&current)
    }

    fn check_by_model(&self, seat: &Seat) -> Checked {
        let client = &seat.client;
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

    fn check_by_witness(&self, seat: &Seat) -> Checked {
        let client = &seat.client;
        let Some((mine, its)) = seat.same_from else {
            return Ok(());
        };
        let witness = &self.seats[self.witnesses[&client.key]].client;
        prop_assert_eq!(&client.messages[mine..], &witness.messages[its..]);
        if client.encoding == Encoding::Sbe {
            prop_assert_eq!(&client.applied[mine..], &witness.applied[its..]);
        }
        Ok(())
    }

    /// Who joins now is told what everybody else has.
    fn check_by_fresh(&mut self, seats: &[usize]) -> Checked {
        let (first, connections) = (self.seats.len(), self.connections.len());
        let mut fresh: HashMap<(StreamKey, Encoding), usize> = HashMap::new();
        for encoding in Encoding::ALL {
            let mut new = Vec::new();
            for seat in seats {
                let client = &self.seats[*seat].client;
                let of = (client.key, client.encoding);
                if encoding == of.1 && !fresh.contains_key(&of) {
                    let seat = self.seat(Client::new(of.0, of.1));
                    fresh.insert(of, seat);
                    new.push(seat);
                }
            }
            if !new.is_empty() {
                let connection = self.connect(new.len() % 2, encoding);
                for some in new.chunks(16) {
                    self.ask_to_enter(connection, some, |_| None);
                }
            }
        }
        self.pump()?;
        for seat in seats {
            let client = &self.seats[*seat].client;
            let key = client.key;
            let fresh = &self.seats[fresh[&(key, client.encoding)]].client;
            let epoch = |client: &Client| client.mine.map(|mine| mine.epoch);
            let connection = &self.connections[self.seats[*seat].connection.unwrap()];
            if key.channel == Channel::Bars
                && connection.seats.len() > 1
                && epoch(fresh) != epoch(client)
            {
                // Only a definition says so far that another epoch has begun, and not of which of
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
        self.seats.truncate(first);
        self.connections.truncate(connections);
        self.pump()
    }

    fn about(&self, key: StreamKey) -> market::State {
        let handle = market::Handle(u32::try_from(instrument_of(&key)).unwrap());
        self.publisher.info(handle).unwrap().state
    }

    /// All trades reached whoever was there from the beginning.
    pub(crate) fn check_trades(&self) -> Checked {
        for (instrument, model) in self.models.iter().enumerate() {
            let told: Vec<i64> = self
                .witness(instrument, Channel::Trades)
                .trades()
                .iter()
                .map(|(seq, _)| seq.0)
                .collect();
            prop_assert_eq!(&told, &model.trades);
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

fn lags_and_epoch(seat: &Seat) -> (usize, Option<market::Epoch>) {
    (
        seat.client.lags.len(),
        seat.client.mine.map(|mine| mine.epoch),
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
