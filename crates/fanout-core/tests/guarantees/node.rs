//! A publisher with its subscribers, as a shard of the node has them.

use std::collections::{HashMap, hash_map};
use std::time::Duration;

use market::{Channel, Epoch, Exponents, InstrumentName, Monotonic, Nanos, Now, Position, Seq};
use proptest::prelude::*;
use streams::{Chunks, Cursor, Publisher, Refused, Ring, Settings, Start, StreamKey, WatchId};
use wire::{BarInterval, Depth, Encoding, PriceStep, Speed, ViewParams};

use crate::client::{Checked, Client, PlainBook};
use crate::log::{Entry, NAMES, identity};
use crate::model::Model;
use crate::venue::{PARTITIONS, book_partition};

/// Bytes of runs that a stream holds for slow subscribers.
const RING_BYTES: usize = 2 * 1024;

pub(crate) struct Node {
    pub(crate) publisher: Publisher,
    /// The monotonic time in seconds.
    pub(crate) now: u64,
    pub(crate) models: Vec<Model>,
    watches: HashMap<(StreamKey, Encoding), Watch>,
    spare: Chunks,
    pub(crate) seats: Vec<Seat>,
    /// For each instrument, subscribers of its full raw streams since the very beginning.
    witnesses: HashMap<StreamKey, usize>,
}

struct Watch {
    id: WatchId,
    ring: Ring,
    users: usize,
}

/// A subscriber and its place.
pub(crate) struct Seat {
    pub(crate) client: Client,
    pub(crate) phase: Phase,
    /// Reads only when told.
    pub(crate) slow: bool,
    /// From which message on it has exactly the witness's: in its own list, in the witness's.
    same_from: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Live { cursor: Cursor, epoch: Epoch },
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
    let step = params.group.and_then(|step| step.at(price_exponent).ok());
    let Some(step) = step else {
        return book.top(params.depth.levels());
    };
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
        for instrument in 0..NAMES.len() {
            publisher
                .add_instrument(
                    &name(instrument),
                    Exponents::default(),
                    present(now).monotonic,
                )
                .unwrap();
        }
        for (partition, (turns, start)) in (0..).zip(starts) {
            publisher.open(partition, identity(partition, *turns), Seq(*start));
        }
        Self {
            publisher,
            now,
            models: vec![Model::default(); NAMES.len()],
            watches: HashMap::new(),
            spare: Chunks::default(),
            seats: Vec::new(),
            witnesses: HashMap::new(),
        }
    }

    /// Subscribes to every full raw stream.
    pub(crate) fn watch_all(&mut self) -> Checked {
        for instrument in 0..NAMES.len() {
            for channel in [
                Channel::Book,
                Channel::Bbo,
                Channel::Trades,
                Channel::Status,
            ] {
                let key = key(instrument, channel, Depth::Full);
                let seat = self.join(key, Encoding::Sbe)?;
                self.witnesses.insert(key, seat);
            }
        }
        Ok(())
    }

    pub(crate) fn witness(&self, instrument: usize, channel: Channel) -> &Client {
        &self.seats[self.witnesses[&key(instrument, channel, Depth::Full)]].client
    }

    pub(crate) fn read(&mut self, entry: &Entry) {
        self.now += 10;
        match entry {
            Entry::Record(record) => {
                self.models[record.instrument].read(record);
                record.read(&mut self.publisher, present(self.now));
            }
            Entry::Reopen { partition, turns } => {
                for (instrument, model) in self.models.iter_mut().enumerate() {
                    if book_partition(instrument) == *partition {
                        model.restart();
                    }
                }
                let identity = identity(*partition, *turns);
                self.publisher
                    .reopen(*partition, identity, Seq(0), present(self.now));
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
        self.publisher.lost(partition, Seq(next), present(self.now));
    }

    /// Lets somebody in; its index.
    pub(crate) fn join(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
    ) -> Result<usize, TestCaseError> {
        self.seats.push(Seat {
            client: Client::new(key, encoding),
            phase: Phase::Away,
            slow: false,
            same_from: None,
        });
        let seat = self.seats.len() - 1;
        self.enter(seat, None)?;
        Ok(seat)
    }

    /// Somebody who came from elsewhere takes a seat here.
    pub(crate) fn seat(&mut self, client: Client) -> usize {
        self.seats.push(Seat {
            client,
            phase: Phase::Away,
            slow: false,
            same_from: None,
        });
        self.seats.len() - 1
    }

    /// Subscribes, with or without a position; how it began.
    pub(crate) fn enter(
        &mut self,
        seat: usize,
        resume: Option<Position>,
    ) -> Result<Start, TestCaseError> {
        self.flush()?;
        let (key, encoding) = (
            self.seats[seat].client.key,
            self.seats[seat].client.encoding,
        );
        let now = present(self.now);
        let publisher = &mut self.publisher;
        let watch = match self.watches.entry((key, encoding)) {
            hash_map::Entry::Occupied(watch) => watch.into_mut(),
            hash_map::Entry::Vacant(vacant) => vacant.insert(Watch {
                id: match publisher.watch(key, encoding, now.monotonic) {
                    // The prices are coarser by now.
                    Err(Refused::Group { .. }) => return Err(TestCaseError::reject("group")),
                    watched => watched.unwrap(),
                },
                ring: Ring::new(),
                users: 0,
            }),
        };
        watch.users += 1;
        let id = watch.id;
        if let Some(from) = resume
            && self.publisher.speak_to(id, from.seq, now)
        {
            self.flush()?;
        }
        let watch = &self.watches[&(key, encoding)];
        let joined = self.publisher.join(id, resume, now).unwrap();
        prop_assert_eq!(joined.view, key.params.view());
        let cursor = watch.ring.cursor_at_end(joined.position.seq);
        let client = &mut self.seats[seat].client;
        let before = client.applied.len();
        if let Start::Snapshot(why) = joined.start {
            prop_assert_eq!(why.is_some(), resume.is_some());
            client.forget();
        }
        client.learn(joined.position.epoch, joined.exponents);
        if let Some(run) = &joined.run {
            client.take(run)?;
        }
        if let Some(mine) = client.mine {
            prop_assert_eq!(mine, joined.position);
        }
        let begun = client.applied.len();
        // A state is resumed as it is now, without those between.
        let witness = self
            .witnesses
            .get(&key)
            .filter(|_| key.channel != Channel::Status)
            .map(|index| &self.seats[*index].client.applied);
        self.seats[seat].same_from = witness.map(|applied| match joined.start {
            Start::Snapshot(_) => (begun, applied.len()),
            Start::Resumed => {
                let from = resume.unwrap();
                let behind = applied
                    .iter()
                    .rposition(|(at, _)| at.epoch != from.epoch || at.seq <= from.seq);
                (before, behind.map_or(0, |index| index + 1))
            }
        });
        self.seats[seat].phase = Phase::Live {
            cursor,
            epoch: joined.position.epoch,
        };
        Ok(joined.start)
    }

    /// Ends a subscription, and the stream with its last one.
    pub(crate) fn leave(&mut self, seat: usize) {
        if self.seats[seat].phase == Phase::Away {
            return;
        }
        self.seats[seat].phase = Phase::Away;
        let client = &self.seats[seat].client;
        let watch = self
            .watches
            .get_mut(&(client.key, client.encoding))
            .unwrap();
        watch.users -= 1;
        if watch.users == 0 {
            self.publisher.unwatch(watch.id);
            self.watches.remove(&(client.key, client.encoding));
        }
    }

    /// Hands over what was published; whoever is not slow reads it.
    pub(crate) fn flush(&mut self) -> Checked {
        self.now += 5;
        let spare = &mut self.spare;
        let mut by_id: HashMap<WatchId, &mut Ring> = self
            .watches
            .values_mut()
            .map(|watch| (watch.id, &mut watch.ring))
            .collect();
        for run in self.publisher.flush(present(self.now).monotonic).iter() {
            // A test may watch a stream by itself.
            if let Some(ring) = by_id.get_mut(&run.watch) {
                ring.push(&run.frames, RING_BYTES, spare);
            }
        }
        for seat in 0..self.seats.len() {
            if !self.seats[seat].slow {
                self.read_runs(seat, usize::MAX)?;
            }
        }
        Ok(())
    }

    /// Lets a subscriber read at most so many frames; who has fallen off is caught up first.
    pub(crate) fn read_runs(&mut self, seat: usize, mut frames: usize) -> Checked {
        let seat = &mut self.seats[seat];
        let Phase::Live {
            mut cursor,
            mut epoch,
        } = seat.phase
        else {
            return Ok(());
        };
        let watch = &self.watches[&(seat.client.key, seat.client.encoding)];
        if watch.ring.has_fallen(cursor) {
            let mut from = Position {
                epoch,
                seq: cursor.seq,
            };
            // Page by page, while there are more.
            loop {
                let caught = self
                    .publisher
                    .catch_up(watch.id, from, present(self.now))
                    .unwrap();
                if let Some(run) = &caught.run {
                    seat.client.take(run)?;
                }
                from = caught.position;
                if let Some(mine) = seat.client.mine {
                    prop_assert_eq!(mine, from);
                }
                if !caught.more {
                    break;
                }
            }
            cursor = watch.ring.cursor_at_end(from.seq);
            epoch = from.epoch;
            seat.same_from = None;
        }
        while frames > 0
            && let Some(next) = watch.ring.frames_from(cursor, 0)
        {
            // At most no bytes, but at least one frame.
            prop_assert_eq!(next.len(), 1);
            next.pass(&mut cursor, next.bytes().len());
            seat.client.take_frame(next.bytes(), cursor.seq)?;
            frames -= 1;
        }
        seat.phase = Phase::Live { cursor, epoch };
        Ok(())
    }

    /// Whether the subscriber has all that was published.
    fn is_up_to_date(&self, seat: &Seat) -> bool {
        let Phase::Live { cursor, .. } = seat.phase else {
            return false;
        };
        self.watches[&(seat.client.key, seat.client.encoding)]
            .ring
            .is_at_end(cursor)
    }

    /// Lets a second go by, which is the interval of the slowest stream.
    pub(crate) fn speak(&mut self) {
        self.tick(1);
    }

    /// Flushes, and compares everybody who has read all with what is right.
    pub(crate) fn check(&mut self) -> Checked {
        self.speak();
        self.flush()?;
        for index in 0..self.seats.len() {
            let seat = &self.seats[index];
            if self.is_up_to_date(seat) {
                self.check_by_model(seat)?;
                self.check_by_witness(seat)?;
                self.check_by_fresh(index)?;
            }
        }
        Ok(())
    }

    fn instrument_of(&self, key: &StreamKey) -> usize {
        (0..NAMES.len())
            .find(|index| name(*index).id() == key.instrument)
            .unwrap()
    }

    fn check_by_model(&self, seat: &Seat) -> Checked {
        let client = &seat.client;
        let model = &self.models[self.instrument_of(&client.key)];
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
    fn check_by_fresh(&mut self, index: usize) -> Checked {
        let (key, encoding) = (
            self.seats[index].client.key,
            self.seats[index].client.encoding,
        );
        let watch = self.watches[&(key, encoding)].id;
        let joined = self.publisher.join(watch, None, present(self.now)).unwrap();
        let mut fresh = Client::new(key, encoding);
        fresh.learn(joined.position.epoch, joined.exponents);
        if let Some(run) = &joined.run {
            fresh.take(run)?;
        }
        let client = &self.seats[index].client;
        prop_assert_eq!(fresh.holds(), client.holds(), "{:?}", key);
        client.check_closed_bars(&fresh)?;
        if let (Some(fresh), Some(mine)) = (fresh.mine, client.mine) {
            prop_assert_eq!(fresh, mine);
        }
        let about = self.about(key);
        prop_assert_eq!(fresh.about.unwrap().state, about);
        Ok(())
    }

    fn about(&self, key: StreamKey) -> market::State {
        let handle = streams::Handle(u32::try_from(self.instrument_of(&key)).unwrap());
        self.publisher.about(handle).unwrap().state
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
        let now = present(self.now);
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
