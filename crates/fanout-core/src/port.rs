use std::collections::HashMap;
use std::sync::Arc;

use market::{Epoch, Monotonic, Now, Position, Seq};
use streams::{CaughtUp, Joined, Origin, Publisher, Rejected, Room, Start, StreamId, StreamKey};
use wire::Encoding;

use crate::message::{Ask, Command, Delivery, Handover, JoinError, RunRoute, StreamSlot};
use crate::trace::Marks;

/// The publisher's side of the protocol with the shards: carries out their commands and routes each
/// stream's runs to them.
///
/// Invariant: a watched stream has at least one shard, and each shard once.
pub struct Port {
    watches: HashMap<(StreamKey, Encoding), StreamId>,
    /// Destinations of each watched stream's runs, by watch number.
    places: Vec<Vec<StreamSlot>>,
    /// Runs of the current batch, per shard.
    batches: Vec<Vec<RunRoute>>,
    runs: u64,
    /// Whether subscriptions are accepted.
    open: bool,
}

/// How a subscription joins a stream.
#[derive(Clone, Copy)]
struct Entry {
    resume: Option<Position>,
    moves: bool,
    room: Room,
}

impl Port {
    /// Creates a port for a number of shards; it accepts no subscriptions yet.
    #[must_use]
    pub fn new(shards: usize) -> Self {
        Self {
            watches: HashMap::new(),
            places: Vec::new(),
            batches: (0..shards).map(|_| Vec::new()).collect(),
            runs: 0,
            open: false,
        }
    }

    /// Accepts subscriptions from now on: the publisher has caught up.
    pub const fn open(&mut self) {
        self.open = true;
    }

    /// Returns whether subscriptions are accepted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Returns the number of runs handed to shards.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.runs
    }

    /// Hands everything published since the last call to the subscribed shards.
    pub fn hand_over(
        &mut self,
        publisher: &mut Publisher,
        now: Monotonic,
        marks: Option<&Arc<Marks>>,
        deliver: &mut impl FnMut(usize, Delivery),
    ) {
        self.end_streams(publisher, deliver);
        let runs = publisher.flush(now);
        for (number, run) in runs.iter().enumerate() {
            for place in self.places.get(run.stream.0 as usize).into_iter().flatten() {
                self.runs += 1;
                let batch = &mut self.batches[place.shard];
                if batch.is_empty() {
                    batch.reserve(runs.len());
                }
                batch.push(RunRoute {
                    slot: place.slot,
                    generation: place.generation,
                    run: number,
                });
            }
        }
        for (shard, batch) in self.batches.iter_mut().enumerate() {
            if !batch.is_empty() {
                let delivery = Delivery::Runs {
                    runs: Arc::clone(&runs),
                    places: std::mem::take(batch),
                    marks: marks.cloned(),
                };
                deliver(shard, delivery);
            }
        }
    }

    /// Ends the streams that the publisher can no longer provide.
    fn end_streams(
        &mut self,
        publisher: &mut Publisher,
        deliver: &mut impl FnMut(usize, Delivery),
    ) {
        for ended in publisher.take_ended() {
            self.watches.retain(|_, watch| *watch != ended);
            let places = self.places.get_mut(ended.0 as usize);
            for place in places.into_iter().flat_map(|places| places.drain(..)) {
                let StreamSlot {
                    shard,
                    slot,
                    generation,
                } = place;
                deliver(shard, Delivery::Ended { slot, generation });
            }
            publisher.close_stream(ended);
        }
    }

    /// Carries out a command. Replays are started elsewhere; see [`Port::origin`].
    pub fn carry_out(
        &mut self,
        command: &Command,
        publisher: &mut Publisher,
        now: Now,
        deliver: &mut impl FnMut(usize, Delivery),
    ) {
        let Command {
            stream,
            key,
            encoding,
            ask,
        } = command;
        let (stream, of) = (*stream, (*key, *encoding));
        let delivery = match *ask {
            Ask::Join {
                id,
                resume,
                moves,
                later,
            } => {
                let room = if later { Room::None } else { Room::Page };
                let entry = Entry {
                    resume,
                    moves,
                    room,
                };
                let outcome = if self.open {
                    self.join(stream, of, entry, publisher, now, deliver)
                } else {
                    Err(JoinError::NotReady)
                };
                Delivery::Joined { id, outcome }
            }
            Ask::Start { id, from } => Delivery::Started {
                id,
                started: self.begin(stream, of, from, publisher, now, deliver),
            },
            Ask::Handover { id, epoch } => Delivery::HandedOver {
                id,
                handover: self.hand_on(stream, of, epoch, publisher, now),
            },
            Ask::CatchUp { id, from } => {
                // A subscription that was replaying may be the first to hold the stream.
                let watch = self.hold(stream, of, publisher, now);
                Delivery::CaughtUp {
                    id,
                    caught_up: watch.and_then(|watch| publisher.catch_up(watch, from, now)),
                }
            }
            Ask::Replay { id, .. } => Delivery::Joined {
                id,
                outcome: Err(JoinError::NoHistory),
            },
            Ask::Leave => return self.leave(stream, of, publisher),
        };
        deliver(stream.shard, delivery);
    }

    /// Returns the source of a stream, for reading its past.
    pub fn origin(&self, key: &StreamKey, publisher: &Publisher) -> Result<Origin, JoinError> {
        if !self.open {
            return Err(JoinError::NotReady);
        }
        let origin = publisher.origin(key).map_err(JoinError::Refused)?;
        origin.ok_or(JoinError::NotReady)
    }

    fn join(
        &mut self,
        stream: StreamSlot,
        of: (StreamKey, Encoding),
        entry: Entry,
        publisher: &mut Publisher,
        now: Now,
        deliver: &mut impl FnMut(usize, Delivery),
    ) -> Result<Joined, JoinError> {
        let watch = self
            .watch(of, publisher, now.monotonic)
            .map_err(JoinError::Refused)?;
        let joined = self.enter(watch, entry, publisher, now, deliver);
        let joined = joined.ok_or(JoinError::Refused(Rejected::UnknownInstrument));
        let joined = joined.and_then(|joined| {
            // Another node may know a topic that this one has not discovered yet, so a resuming
            // client must not lose its position. A client without a position loses nothing.
            let has = entry.resume.is_some_and(|from| from.epoch != Epoch::NONE);
            let is_unknown = has && joined.position.epoch == Epoch::NONE;
            if is_unknown {
                Err(JoinError::NotReady)
            } else {
                Ok(joined)
            }
        });
        match &joined {
            Ok(_) => self.add(watch, stream),
            Err(_) => self.forget_if_unused(of, watch, publisher),
        }
        joined
    }

    /// Joins a subscription to a stream after everything published so far.
    fn enter(
        &mut self,
        watch: StreamId,
        entry: Entry,
        publisher: &mut Publisher,
        now: Now,
        deliver: &mut impl FnMut(usize, Delivery),
    ) -> Option<Joined> {
        let has = if entry.moves {
            Some(Seq(i64::MAX))
        } else {
            entry.resume.map(|resume| resume.seq)
        };
        if has.is_some_and(|has| publisher.publish_unsent(watch, has, now)) {
            self.hand_over(publisher, now.monotonic, None, deliver);
        }
        publisher.join_within(watch, entry.resume, entry.room, now)
    }

    /// Returns the initial state of a subscription that joined earlier: what its answer promised,
    /// or else a catch-up as for a lagging subscription.
    fn begin(
        &mut self,
        stream: StreamSlot,
        of: (StreamKey, Encoding),
        from: Option<Position>,
        publisher: &mut Publisher,
        now: Now,
        deliver: &mut impl FnMut(usize, Delivery),
    ) -> Option<CaughtUp> {
        let watch = self.hold(stream, of, publisher, now)?;
        let entry = Entry {
            resume: from,
            moves: false,
            room: Room::Page,
        };
        let joined = self.enter(watch, entry, publisher, now, deliver)?;
        match (joined.start, from) {
            (Start::Snapshot(Some(_)), Some(from)) => publisher.catch_up(watch, from, now),
            _ => Some(CaughtUp {
                run: joined.run,
                position: joined.position,
                more: joined.more,
                missed: None,
            }),
        }
    }

    /// Hands the live stream to a subscription at the end of its replay.
    fn hand_on(
        &mut self,
        stream: StreamSlot,
        of: (StreamKey, Encoding),
        epoch: Option<Epoch>,
        publisher: &mut Publisher,
        now: Now,
    ) -> Option<Handover> {
        let watch = self.hold(stream, of, publisher, now)?;
        let position = publisher.position(watch)?;
        if epoch == Some(position.epoch) {
            return Some(Handover {
                position,
                start: None,
            });
        }
        let joined = publisher.join(watch, None, now)?;
        Some(Handover {
            position: joined.position,
            start: joined.run,
        })
    }

    fn leave(&mut self, stream: StreamSlot, of: (StreamKey, Encoding), publisher: &mut Publisher) {
        let Some(watch) = self.watches.get(&of).copied() else {
            return;
        };
        self.places[watch.0 as usize].retain(|place| *place != stream);
        self.forget_if_unused(of, watch, publisher);
    }

    /// Removes a stream whose runs have no destination.
    fn forget_if_unused(
        &mut self,
        of: (StreamKey, Encoding),
        watch: StreamId,
        publisher: &mut Publisher,
    ) {
        if self.places[watch.0 as usize].is_empty() {
            self.watches.remove(&of);
            publisher.close_stream(watch);
        }
    }

    /// Watches a stream, if it is not watched yet, and routes its runs to a shard.
    fn hold(
        &mut self,
        stream: StreamSlot,
        of: (StreamKey, Encoding),
        publisher: &mut Publisher,
        now: Now,
    ) -> Option<StreamId> {
        let watch = self.watch(of, publisher, now.monotonic).ok()?;
        self.add(watch, stream);
        Some(watch)
    }

    fn add(&mut self, watch: StreamId, stream: StreamSlot) {
        let places = &mut self.places[watch.0 as usize];
        if !places.contains(&stream) {
            places.push(stream);
        }
    }

    fn watch(
        &mut self,
        of: (StreamKey, Encoding),
        publisher: &mut Publisher,
        now: Monotonic,
    ) -> Result<StreamId, Rejected> {
        if let Some(watch) = self.watches.get(&of) {
            return Ok(*watch);
        }
        let (key, encoding) = of;
        let watch = publisher.open_stream(key, encoding, now)?;
        self.watches.insert(of, watch);
        let index = watch.0 as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Vec::new);
        }
        self.places[index].clear();
        Ok(watch)
    }
}
