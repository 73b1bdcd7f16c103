use std::sync::Arc;
use std::sync::mpsc::Receiver;

use fanout_core::{Ask, Delivery, Mark, Marks, NotJoined, Port, Tracer};
use market::Nanos;
use streams::Publisher;
use tokio::sync::mpsc::Sender;

use crate::clock::wall_clock;
use crate::fetcher::{Fetch, Found, Question};
use crate::history::{History, ReplayReceiver, Wanted};
use crate::link::Posted;

/// Commands that are carried out between two batches; the others wait for the next turn, so that
/// a storm of subscriptions cannot hold up the market.
const COMMANDS_A_TURN: usize = 1024;
/// Work after which no further command is carried out in a turn, and after which no further fetch is
/// answered, in about nanoseconds as [`Publisher::work`] counts: 2 ms and 1 ms. The one that goes
/// beyond is finished, since a snapshot is written in one go: a book of 5,000 levels a side takes
/// 0.2 ms in SBE and 1 ms in JSON, one of 60,000 2 ms and 13 ms, and a grouped view of that 3 ms more.
const COMMAND_WORK: u64 = 2_000_000;
const FETCH_WORK: u64 = 1_000_000;
/// What a fetch costs at least, and each instrument of a question about many.
const LEAST_FETCH_WORK: u64 = 10_000;
const REPORT_WORK: u64 = 500;

/// A publisher's end of its links: hands runs to shards and carries out their commands, as its
/// [`Port`] says.
///
/// Lives on the publisher's thread, which may wait here for a shard whose inbox is full; a shard
/// never waits for it.
pub struct PublisherPort {
    port: Port,
    commands: Receiver<Posted>,
    fetches: Receiver<Fetch>,
    /// Wakes this publisher, when a turn ends before all is done.
    wake: Arc<dyn Fn() + Send + Sync>,
    shards: Vec<Sender<Delivery>>,
    history: Option<Arc<dyn History>>,
    /// The batch's records that are traced, and who is told of them.
    marks: Vec<Mark>,
    tracer: Option<Arc<dyn Tracer>>,
    /// When the last batch with such records was ready to be handed over.
    handed_over: Nanos,
}

impl PublisherPort {
    pub(crate) fn new(
        commands: Receiver<Posted>,
        fetches: Receiver<Fetch>,
        wake: Arc<dyn Fn() + Send + Sync>,
        shards: Vec<Sender<Delivery>>,
    ) -> Self {
        Self {
            port: Port::new(shards.len()),
            commands,
            fetches,
            wake,
            shards,
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

    /// Lets streams speak whose interval is over and those that have been quiet for long, hands over
    /// the batch, then carries out commands; to be called after every batch, when woken, when
    /// [`Publisher::speaks_next`] says, and some times a second.
    pub fn turn(&mut self, publisher: &mut Publisher, now: Nanos) {
        publisher.speak(now);
        let beats_on = publisher.beat(now);
        self.hand_over(publisher, now);
        if beats_on {
            (self.wake)();
        }
        let all_carried_out = self.carry_out_some(publisher, now);
        let all_answered = self.answer_some(publisher, now);
        if !all_carried_out || !all_answered {
            (self.wake)();
        }
    }

    /// Carries out commands, as far as a turn may go. Returns whether none is left.
    fn carry_out_some(&mut self, publisher: &mut Publisher, now: Nanos) -> bool {
        let begin = publisher.work();
        for _ in 0..COMMANDS_A_TURN {
            let Ok(posted) = self.commands.try_recv() else {
                return true;
            };
            self.carry_out(posted, publisher, now);
            if publisher.work() - begin > COMMAND_WORK {
                break;
            }
        }
        false
    }

    /// Answers fetches, as far as a turn may go. Returns whether none is left.
    fn answer_some(&mut self, publisher: &mut Publisher, now: Nanos) -> bool {
        let mut spent = 0;
        while spent <= FETCH_WORK {
            let Ok(fetch) = self.fetches.try_recv() else {
                return true;
            };
            let reports = match &fetch.question {
                Question::Reports(instruments) => instruments.len() as u64 * REPORT_WORK,
                Question::Start(..) | Question::Trades(..) => 0,
            };
            let begin = publisher.work();
            self.answer(fetch, publisher, now);
            spent += LEAST_FETCH_WORK + reports + (publisher.work() - begin);
        }
        false
    }

    /// Answers one who asks once; whoever does not wait any more costs nothing.
    fn answer(&self, Fetch { question, reply }: Fetch, publisher: &mut Publisher, now: Nanos) {
        if reply.is_closed() {
            return;
        }
        let found = match question {
            // What it would say is of the past.
            _ if !self.port.is_open() => Err(NotJoined::NotReady),
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
        self.port.open();
    }

    /// When the last batch of which records are followed was ready to be handed over.
    #[must_use]
    pub const fn handed_over(&self) -> Nanos {
        self.handed_over
    }

    /// How many runs were handed to shards.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.port.runs()
    }

    fn hand_over(&mut self, publisher: &mut Publisher, now: Nanos) {
        let marks = self.take_marks();
        let shards = &self.shards;
        self.port
            .hand_over(publisher, now, marks.as_ref(), &mut |shard, delivery| {
                deliver(&shards[shard], delivery);
            });
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

    fn carry_out(&mut self, posted: Posted, publisher: &mut Publisher, now: Nanos) {
        let Posted { command, replay } = posted;
        let shards = &self.shards;
        let mut deliver = |shard: usize, delivery| deliver(&shards[shard], delivery);
        let (Some((orders, asker)), Some(history)) = (replay, &self.history) else {
            return self.port.carry_out(&command, publisher, now, &mut deliver);
        };
        let Ask::Replay {
            subscriber,
            start,
            pace,
        } = command.ask
        else {
            return;
        };
        // Somebody else reads the past for the subscription.
        let shard = command.stream.shard;
        let begun = self
            .port
            .origin(&command.key, publisher)
            .and_then(|origin| {
                let receiver = ReplayReceiver::new(shards[shard].clone(), subscriber, orders);
                let wanted = Wanted::new(origin, command.encoding, (start, pace), asker, receiver);
                history.begin(wanted).map_err(|wanted| {
                    wanted.settle();
                    NotJoined::Busy
                })
            });
        if let Err(why) = begun {
            let outcome = Err(why);
            deliver(
                shard,
                Delivery::Joined {
                    subscriber,
                    outcome,
                },
            );
        }
    }
}

/// Waits while the shard's inbox is full; a shard that has ended takes nothing any more.
fn deliver(shard: &Sender<Delivery>, delivery: Delivery) {
    let _ended = shard.blocking_send(delivery);
}
