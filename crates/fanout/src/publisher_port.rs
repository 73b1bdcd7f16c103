use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use market::{Epoch, Monotonic, Nanos, Now, Position, Seq};
use streams::{Joined, Publisher, Refused, StreamKey, WatchId};
use tokio::sync::mpsc::Sender;
use wire::Encoding;

use crate::clock::wall_clock;
use crate::fetcher::{Fetch, Found, Question};
use crate::history::{Handover, History, ReplayRequest, Wanted};
use crate::link::{Command, Delivery, NotJoined, RunFor, StreamSlot, SubscriberId};
use crate::trace::{Mark, Marks, Tracer};

/// Commands that are carried out between two batches; the others wait for the next turn, so that
/// a storm of subscriptions cannot hold up the market.
const COMMANDS_A_TURN: usize = 1024;
/// Fetches that are answered between two batches. Each costs at most some tenths of a millisecond (a
/// full book of the deepest kind), so that those who ask over HTTP hold the market up for less than
/// one.
const FETCHES_A_TURN: usize = 4;

/// A publisher's end of its links: hands runs to shards and carries out their commands.
///
/// Lives on the publisher's thread, which may wait here for a shard whose inbox is full; a shard
/// never waits for it.
pub struct PublisherPort {
    commands: Receiver<Command>,
    fetches: Receiver<Fetch>,
    /// Wakes this publisher, when a turn ends before all is done.
    wake: Arc<dyn Fn() + Send + Sync>,
    shards: Vec<Sender<Delivery>>,
    watches: HashMap<(StreamKey, Encoding), WatchId>,
    /// Where each watch's runs go, by its number.
    places: Vec<Vec<StreamSlot>>,
    /// The runs of the batch at hand, by shard.
    batches: Vec<Vec<RunFor>>,
    runs: u64,
    /// Whether subscribers are let in.
    open: bool,
    history: Option<Arc<dyn History>>,
    /// The batch's records that are followed, and who is told of them.
    marks: Vec<Mark>,
    tracer: Option<Arc<dyn Tracer>>,
    /// When the last batch with such records was ready to be handed over.
    handed_over: Nanos,
}

/// How a subscriber comes into a stream.
struct Entry {
    resume: Option<Position>,
    moves: bool,
}

impl PublisherPort {
    pub(crate) fn new(
        commands: Receiver<Command>,
        fetches: Receiver<Fetch>,
        wake: Arc<dyn Fn() + Send + Sync>,
        shards: Vec<Sender<Delivery>>,
    ) -> Self {
        Self {
            commands,
            fetches,
            wake,
            batches: shards.iter().map(|_| Vec::new()).collect(),
            shards,
            watches: HashMap::new(),
            places: Vec::new(),
            runs: 0,
            open: false,
            history: None,
            marks: Vec::new(),
            tracer: None,
            handed_over: Nanos(0),
        }
    }

    /// Lets records be followed.
    pub fn set_tracer(&mut self, tracer: Arc<dyn Tracer>) {
        self.tracer = Some(tracer);
    }

    /// Follows a record of the batch that is handed over next; with nobody to be told, none is.
    pub fn follow(&mut self, mark: Mark) {
        if self.tracer.is_some() {
            self.marks.push(mark);
        }
    }

    /// Lets subscribers begin in the past.
    pub fn set_history(&mut self, history: Arc<dyn History>) {
        self.history = Some(history);
    }

    /// Has the publisher do what is due, hands over the batch, then carries out commands and
    /// answers fetches; to be called after every batch, when woken, and when
    /// [`Publisher::next_due`] says.
    ///
    /// It carries out a bounded number of each, and wakes its own thread where there may be more.
    pub fn advance(&mut self, publisher: &mut Publisher, now: Now) {
        publisher.advance(now);
        self.hand_over(publisher, now.monotonic);
        let mut commands = 0;
        while commands < COMMANDS_A_TURN
            && let Ok(command) = self.commands.try_recv()
        {
            self.carry_out(command, publisher, now);
            commands += 1;
        }
        let mut fetches = 0;
        while fetches < FETCHES_A_TURN
            && let Ok(fetch) = self.fetches.try_recv()
        {
            self.answer(fetch, publisher, now);
            fetches += 1;
        }
        if commands == COMMANDS_A_TURN || fetches == FETCHES_A_TURN {
            (self.wake)();
        }
    }

    /// Answers one who asks once; whoever does not wait any more costs nothing.
    fn answer(&self, Fetch { question, reply }: Fetch, publisher: &mut Publisher, now: Now) {
        if reply.is_closed() {
            return;
        }
        let found = match question {
            // What it would say is of the past.
            _ if !self.open => Err(NotJoined::NotReady),
            Question::Start(key, encoding) => publisher
                .fetch(key, encoding, now)
                .map(Found::Messages)
                .map_err(NotJoined::Refused),
            Question::Trades(instrument, encoding, limit) => publisher
                .latest_trades(instrument, encoding, limit, now)
                .map(Found::Messages)
                .map_err(NotJoined::Refused),
            Question::Reports(instruments) => {
                let reports = instruments.iter().filter_map(|id| publisher.report(*id));
                Ok(Found::Reports(reports.collect()))
            }
        };
        // Who asked has gone.
        let _gone = reply.send(found);
    }

    /// The publisher has caught up: subscribers are let in from now on.
    pub const fn open(&mut self) {
        self.open = true;
    }

    /// When the last batch of which records are followed was ready to be handed over.
    #[must_use]
    pub const fn handed_over(&self) -> Nanos {
        self.handed_over
    }

    /// How many runs were handed to shards.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.runs
    }

    fn hand_over(&mut self, publisher: &mut Publisher, now: Monotonic) {
        let runs = publisher.flush(now);
        for (number, run) in runs.iter().enumerate() {
            for place in self.places.get(run.watch.0 as usize).into_iter().flatten() {
                self.runs += 1;
                let batch = &mut self.batches[place.shard];
                if batch.is_empty() {
                    batch.reserve(runs.len());
                }
                batch.push(RunFor {
                    slot: place.slot,
                    generation: place.generation,
                    run: number,
                });
            }
        }
        let marks = self.take_marks();
        for (shard, batch) in self.shards.iter().zip(&mut self.batches) {
            if !batch.is_empty() {
                let delivery = Delivery::Runs {
                    runs: Arc::clone(&runs),
                    places: std::mem::take(batch),
                    marks: marks.clone(),
                };
                deliver(shard, delivery);
            }
        }
    }

    fn take_marks(&mut self) -> Option<Arc<Marks>> {
        let tracer = self.tracer.as_ref().filter(|_| !self.marks.is_empty())?;
        self.handed_over = wall_clock();
        Some(Arc::new(Marks {
            tracer: Arc::clone(tracer),
            published: self.handed_over,
            marks: std::mem::take(&mut self.marks),
        }))
    }

    fn carry_out(&mut self, command: Command, publisher: &mut Publisher, now: Now) {
        match command {
            Command::Join {
                stream,
                key,
                encoding,
                subscriber,
                resume,
                moves,
                replay: None,
            } => {
                let outcome = if self.open {
                    let entry = Entry { resume, moves };
                    self.join(stream, key, encoding, entry, publisher, now)
                } else {
                    Err(NotJoined::NotReady)
                };
                let delivery = Delivery::Joined {
                    subscriber,
                    outcome,
                };
                deliver(&self.shards[stream.shard], delivery);
            }
            Command::Join {
                stream,
                key,
                encoding,
                subscriber,
                replay: Some(request),
                ..
            } => {
                let begun = self.replay(stream, &key, encoding, subscriber, request, publisher);
                if let Err(why) = begun {
                    let delivery = Delivery::Joined {
                        subscriber,
                        outcome: Err(why),
                    };
                    deliver(&self.shards[stream.shard], delivery);
                }
            }
            Command::Handover {
                stream,
                key,
                encoding,
                subscriber,
                epoch,
            } => {
                let delivery = Delivery::HandedOver {
                    subscriber,
                    handover: self.hand_on(stream, key, encoding, epoch, publisher, now),
                };
                deliver(&self.shards[stream.shard], delivery);
            }
            Command::CatchUp {
                stream,
                key,
                encoding,
                subscriber,
                from,
            } => {
                // One that was being sent the past may be the first to hold the stream.
                let watch = self.hold(stream, key, encoding, publisher, now.monotonic);
                let caught_up = watch.and_then(|watch| publisher.catch_up(watch, from, now));
                let delivery = Delivery::CaughtUp {
                    subscriber,
                    caught_up,
                };
                deliver(&self.shards[stream.shard], delivery);
            }
            Command::Leave {
                stream,
                key,
                encoding,
            } => {
                let Some(watch) = self.watches.get(&(key, encoding)).copied() else {
                    return;
                };
                let places = &mut self.places[watch.0 as usize];
                places.retain(|place| *place != stream);
                if places.is_empty() {
                    self.watches.remove(&(key, encoding));
                    publisher.unwatch(watch);
                }
            }
        }
    }

    fn join(
        &mut self,
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
        Entry { resume, moves }: Entry,
        publisher: &mut Publisher,
        now: Now,
    ) -> Result<Joined, NotJoined> {
        let watch = self
            .watch(key, encoding, publisher, now.monotonic)
            .map_err(NotJoined::Refused)?;
        let has = if moves {
            Some(Seq(i64::MAX))
        } else {
            resume.map(|resume| resume.seq)
        };
        if has.is_some_and(|has| publisher.speak_to(watch, has, now)) {
            self.hand_over(publisher, now.monotonic);
        }
        let joined = publisher
            .join(watch, resume, now)
            .ok_or(NotJoined::Refused(Refused::UnknownInstrument))?;
        if resume.is_some() && joined.position.epoch == Epoch::NONE {
            // This node has not found the topic yet that others have: what the client has is not
            // to be thrown away for that.
            return Err(NotJoined::NotReady);
        }
        let places = &mut self.places[watch.0 as usize];
        if !places.contains(&stream) {
            places.push(stream);
        }
        Ok(joined)
    }

    /// Lets somebody else read the past for a subscriber.
    fn replay(
        &self,
        stream: StreamSlot,
        key: &StreamKey,
        encoding: Encoding,
        subscriber: SubscriberId,
        request: ReplayRequest,
        publisher: &Publisher,
    ) -> Result<(), NotJoined> {
        let history = self.history.as_ref().ok_or(NotJoined::NoHistory)?;
        if !self.open {
            return Err(NotJoined::NotReady);
        }
        let origin = publisher.origin(key).map_err(NotJoined::Refused)?;
        let origin = origin.ok_or(NotJoined::NotReady)?;
        let shard = self.shards[stream.shard].clone();
        let wanted = Wanted::new(origin, encoding, request, shard, subscriber);
        history.begin(wanted).map_err(|wanted| {
            wanted.settle();
            NotJoined::Busy
        })
    }

    /// Lets a subscriber hold the live stream that has been sent its past.
    fn hand_on(
        &mut self,
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
        epoch: Option<Epoch>,
        publisher: &mut Publisher,
        now: Now,
    ) -> Option<Handover> {
        let watch = self.hold(stream, key, encoding, publisher, now.monotonic)?;
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

    /// Makes a stream, if it is not made yet, and hands its runs to a shard.
    fn hold(
        &mut self,
        stream: StreamSlot,
        key: StreamKey,
        encoding: Encoding,
        publisher: &mut Publisher,
        now: Monotonic,
    ) -> Option<WatchId> {
        let watch = self.watch(key, encoding, publisher, now).ok()?;
        let places = &mut self.places[watch.0 as usize];
        if !places.contains(&stream) {
            places.push(stream);
        }
        Some(watch)
    }

    fn watch(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        publisher: &mut Publisher,
        now: Monotonic,
    ) -> Result<WatchId, streams::Refused> {
        if let Some(watch) = self.watches.get(&(key, encoding)) {
            return Ok(*watch);
        }
        let watch = publisher.watch(key, encoding, now)?;
        self.watches.insert((key, encoding), watch);
        let index = watch.0 as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Vec::new);
        }
        self.places[index].clear();
        Ok(watch)
    }
}

/// Waits while the shard's inbox is full; a shard that has ended takes nothing any more.
fn deliver(shard: &Sender<Delivery>, delivery: Delivery) {
    let _ended = shard.blocking_send(delivery);
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::sync_channel;

    use market::{Channel, InstrumentName};
    use tokio::sync::oneshot;
    use wire::ViewParams;

    use super::*;

    /// How often a port wakes its thread when it is advanced with so much waiting, and once more
    /// for the rest.
    fn wakes(commands: usize, fetches: usize) -> (usize, usize) {
        let (to_do, received) = sync_channel(commands.max(1));
        let (to_fetch, fetched) = sync_channel(fetches.max(1));
        let count = Arc::new(AtomicUsize::new(0));
        let woken = Arc::clone(&count);
        let wake = Arc::new(move || {
            woken.fetch_add(1, Ordering::Relaxed);
        });
        let mut port = PublisherPort::new(received, fetched, wake, Vec::new());
        let key = StreamKey {
            instrument: InstrumentName::parse("TEST:A").unwrap().id(),
            channel: Channel::Book,
            params: ViewParams::default(),
        };
        for _ in 0..commands {
            // Of a stream that nobody has, so that there is nothing to do.
            let leave = Command::Leave {
                stream: StreamSlot {
                    shard: 0,
                    slot: 0,
                    generation: 0,
                },
                key,
                encoding: Encoding::Sbe,
            };
            to_do.send(leave).unwrap();
        }
        for _ in 0..fetches {
            let question = Question::Start(key, Encoding::Sbe);
            let (reply, _) = oneshot::channel();
            to_fetch.send(Fetch { question, reply }).unwrap();
        }
        let mut publisher = Publisher::new(streams::Settings::default());
        let mut advance = || {
            port.advance(&mut publisher, Now::default());
            count.swap(0, Ordering::Relaxed)
        };
        (advance(), advance())
    }

    #[test]
    fn a_publisher_that_leaves_anything_waiting_is_woken_for_it() {
        assert_eq!(wakes(0, 0), (0, 0));
        assert_eq!(wakes(COMMANDS_A_TURN + 1, 0), (1, 0));
        assert_eq!(wakes(COMMANDS_A_TURN + 1, FETCHES_A_TURN - 1), (1, 0));
        assert_eq!(wakes(0, FETCHES_A_TURN + 1), (1, 0));
        assert_eq!(wakes(COMMANDS_A_TURN - 1, FETCHES_A_TURN - 1), (0, 0));
    }
}
