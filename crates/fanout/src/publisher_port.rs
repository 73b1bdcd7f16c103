use std::sync::Arc;
use std::sync::mpsc::Receiver;

use fanout_core::{Ask, Delivery, JoinError, Mark, Marks, Port, Tracer};
use market::{Monotonic, Nanos, Now};
use streams::Publisher;
use tokio::sync::mpsc::Sender;

use crate::clock::wall_clock;
use crate::fetch::{Fetch, Found, Question};
use crate::history::{History, ReplayReceiver, Wanted};
use crate::posted_command::PostedCommand;

/// Commands carried out between two batches. The rest wait for the next turn, so that a storm of
/// subscriptions cannot hold up the market.
const COMMANDS_A_TURN: usize = 1024;
/// Work after which a turn carries out no further command, and answers no further fetch, in about
/// nanoseconds as [`Publisher::work`] estimates them: 2 ms and 1 ms. The one in progress is
/// completed, since a snapshot is written in one go: a book of 5,000 levels per side takes 0.2 ms
/// in SBE and 1 ms in JSON, one of 60,000 takes 2 ms and 13 ms, and a grouped view of it 3 ms more.
const COMMAND_WORK: u64 = 2_000_000;
const FETCH_WORK: u64 = 1_000_000;
/// A publisher spends at most a tenth of its time on fetches, and can save up to this much for
/// later. HTTP clients therefore slow the market by a tenth at most, however many they are.
const FETCH_SHARE: u64 = 10;
const FETCH_SAVED: u64 = 10_000_000;
/// Minimum cost of a fetch, and of each instrument of a question about several.
const LEAST_FETCH_WORK: u64 = 10_000;
const REPORT_WORK: u64 = 500;

/// A publisher's end of its links: hands runs to shards and carries out their commands, as its
/// [`Port`] decides.
///
/// Lives on the publisher's thread, which may wait here for a shard whose inbox is full. A shard
/// never waits for it.
pub struct PublisherPort {
    port: Port,
    commands: Receiver<PostedCommand>,
    fetches: Receiver<Fetch>,
    /// Wakes this publisher when a turn ends with work left.
    wake: Arc<dyn Fn() + Send + Sync>,
    shards: Vec<Sender<Delivery>>,
    history: Option<Arc<dyn History>>,
    /// Traced records of the batch, and who receives their passages.
    marks: Vec<Mark>,
    tracer: Option<Arc<dyn Tracer>>,
    /// When the last batch with traced records was ready to be handed over.
    handed_over: Nanos,
    /// Work allowed for fetches, and when it was last replenished.
    fetch_allowance: u64,
    gained: Monotonic,
}

impl PublisherPort {
    pub(crate) fn new(
        commands: Receiver<PostedCommand>,
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
            fetch_allowance: FETCH_SAVED,
            gained: Monotonic(0),
        }
    }

    /// Enables tracing.
    pub fn set_tracer(&mut self, tracer: Arc<dyn Tracer>) {
        self.tracer = Some(tracer);
    }

    /// Traces a record of the next batch; ignored while tracing is disabled.
    pub fn follow(&mut self, mark: Mark) {
        if self.tracer.is_some() {
            self.marks.push(mark);
        }
    }

    /// Enables replays.
    pub fn set_history(&mut self, history: Arc<dyn History>) {
        self.history = Some(history);
    }

    /// Lets the publisher do what is due, hands over the batch, and then carries out commands and
    /// answers fetches. Called after every batch, when woken, and when [`Publisher::next_due`] asks
    /// for it.
    ///
    /// Does a bounded amount of each, and wakes its own thread if there may be more.
    pub fn advance(&mut self, publisher: &mut Publisher, now: Now) {
        publisher.advance(now);
        self.hand_over(publisher, now.monotonic);
        let all_carried_out = self.carry_out_some(publisher, now);
        self.gain(now.monotonic);
        let all_answered = self.answer_some(publisher, now);
        if !all_carried_out || !all_answered {
            (self.wake)();
        }
    }

    /// Carries out a turn's share of commands. Returns whether none is left.
    fn carry_out_some(&mut self, publisher: &mut Publisher, now: Now) -> bool {
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

    /// Replenishes the work allowed for fetches.
    fn gain(&mut self, now: Monotonic) {
        let gained = now.0.saturating_sub(self.gained.0) / FETCH_SHARE;
        self.gained = now;
        self.fetch_allowance = self.fetch_allowance.saturating_add(gained).min(FETCH_SAVED);
    }

    /// Answers a turn's share of fetches. Returns whether none is left that could be answered at
    /// once; those that wait for their share are answered in a later turn.
    fn answer_some(&mut self, publisher: &mut Publisher, now: Now) -> bool {
        let mut spent = 0;
        while spent <= FETCH_WORK {
            if self.fetch_allowance == 0 {
                return true;
            }
            let Ok(fetch) = self.fetches.try_recv() else {
                return true;
            };
            let reports = match &fetch.question {
                Question::Reports(instruments) => instruments.len() as u64 * REPORT_WORK,
                Question::Start(..) | Question::Trades(..) => 0,
            };
            let begin = publisher.work();
            self.answer(fetch, publisher, now);
            let work = LEAST_FETCH_WORK + reports + (publisher.work() - begin);
            self.fetch_allowance = self.fetch_allowance.saturating_sub(work);
            spent += work;
        }
        false
    }

    /// Answers a fetch; one whose caller has stopped waiting costs nothing.
    fn answer(&self, Fetch { question, reply }: Fetch, publisher: &mut Publisher, now: Now) {
        if reply.is_closed() {
            return;
        }
        let found = match question {
            // It would return a state of the past.
            _ if !self.port.is_open() => Err(JoinError::NotReady),
            Question::Start(key, encoding) => publisher
                .fetch(key, encoding, now)
                .map(Found::Messages)
                .map_err(JoinError::Refused),
            Question::Trades(instrument, encoding, limit) => publisher
                .latest_trades(instrument, encoding, limit, now)
                .map(Found::Messages)
                .map_err(JoinError::Refused),
            Question::Reports(instruments) => {
                let reports = instruments.iter().filter_map(|id| publisher.report(*id));
                Ok(Found::Reports(reports.collect()))
            }
        };
        // The caller may have stopped waiting.
        let _gone = reply.send(found);
    }

    /// Accepts subscriptions from now on: the publisher has caught up.
    pub const fn open(&mut self) {
        self.port.open();
    }

    /// Returns when the last batch with traced records was ready to be handed over.
    #[must_use]
    pub const fn handed_over(&self) -> Nanos {
        self.handed_over
    }

    /// Returns the number of runs handed to shards.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.port.runs()
    }

    fn hand_over(&mut self, publisher: &mut Publisher, now: Monotonic) {
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

    fn carry_out(&mut self, posted: PostedCommand, publisher: &mut Publisher, now: Now) {
        let PostedCommand { command, replay } = posted;
        let shards = &self.shards;
        let mut deliver = |shard: usize, delivery| deliver(&shards[shard], delivery);
        let (Some((commands, asker)), Some(history)) = (replay, &self.history) else {
            return self.port.carry_out(&command, publisher, now, &mut deliver);
        };
        let Ask::Replay { id, start, pace } = command.ask else {
            return;
        };
        // The history reads the past on its own threads.
        let shard = command.stream.shard;
        let started = self
            .port
            .origin(&command.key, publisher)
            .and_then(|origin| {
                let receiver = ReplayReceiver::new(shards[shard].clone(), id, commands);
                let wanted = Wanted::new(origin, command.encoding, (start, pace), asker, receiver);
                history.begin(wanted).map_err(|wanted| {
                    wanted.settle();
                    JoinError::Busy
                })
            });
        if let Err(why) = started {
            let outcome = Err(why);
            deliver(shard, Delivery::Joined { id, outcome });
        }
    }
}

/// Waits while the shard's inbox is full; a shard that has ended takes nothing.
fn deliver(shard: &Sender<Delivery>, delivery: Delivery) {
    let _ended = shard.blocking_send(delivery);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{SyncSender, sync_channel};

    use fanout_core::{Command, StreamSlot};
    use market::{
        At, Channel, Event, Exponents, InstrumentName, Level, PartitionIdentity, PartitionIndex,
        Seq, SnapshotOrigin,
    };
    use streams::{Settings, StreamKey};
    use tokio::sync::oneshot;
    use wire::{Encoding, PriceStep, ViewParams};

    const NOW: Now = Now {
        monotonic: Monotonic(1_000),
        wall: Nanos(1_000),
    };

    struct Rig {
        port: PublisherPort,
        publisher: Publisher,
        commands: SyncSender<PostedCommand>,
        fetches: SyncSender<Fetch>,
        woken: Arc<AtomicUsize>,
    }

    /// A publisher of a book with this many levels per side.
    fn rig(levels: i64) -> Rig {
        let (commands, commanded) = sync_channel(4096);
        let (fetches, fetched) = sync_channel(64);
        let woken = Arc::new(AtomicUsize::new(0));
        let wakes = Arc::clone(&woken);
        let wake = Arc::new(move || {
            wakes.fetch_add(1, Ordering::Relaxed);
        });
        let mut port = PublisherPort::new(commanded, fetched, wake, Vec::new());
        port.open();
        let mut publisher = Publisher::new(Settings::default());
        let handle = publisher
            .add_instrument(&name(), Exponents::default(), NOW.monotonic)
            .unwrap();
        let identity = PartitionIdentity {
            topic: "t".into(),
            topic_id: [0; 16],
            partition: 0,
            turns: 0,
        };
        publisher.open(PartitionIndex(0), identity, Seq(0));
        let bids: Vec<_> = (1..=levels).map(|price| Level::new(price, 1)).collect();
        let whole = Event::Snapshot {
            seq: None,
            origin: SnapshotOrigin::InBand,
            time: None,
            bids: &bids,
            asks: &[],
        };
        let at = At {
            partition: PartitionIndex(0),
            seq: Seq(0),
            log_time: NOW.wall,
        };
        publisher.event(at, handle, &whole, NOW).unwrap();
        Rig {
            port,
            publisher,
            commands,
            fetches,
            woken,
        }
    }

    fn name() -> InstrumentName {
        InstrumentName::parse("A:B").unwrap()
    }

    fn grouped(step: usize) -> StreamKey {
        StreamKey {
            instrument: name().id(),
            channel: Channel::Book,
            params: ViewParams {
                group: Some(PriceStep::parse(&format!("{step}e-8")).unwrap()),
                ..ViewParams::default()
            },
        }
    }

    #[test]
    fn a_turn_that_leaves_commands_asks_for_the_next_one() {
        let mut rig = rig(1);
        let stream = StreamSlot {
            shard: 0,
            slot: 0,
            generation: 0,
        };
        for _ in 0..=COMMANDS_A_TURN {
            let leave = Command {
                stream,
                key: grouped(1),
                encoding: Encoding::Sbe,
                ask: Ask::Leave,
            };
            let replay = None;
            rig.commands
                .send(PostedCommand {
                    command: leave,
                    replay,
                })
                .unwrap();
        }
        rig.port.advance(&mut rig.publisher, NOW);
        assert_eq!(rig.woken.load(Ordering::Relaxed), 1);
        rig.port.advance(&mut rig.publisher, NOW);
        assert_eq!(rig.woken.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn fetches_end_a_turn_by_their_work_and_have_a_tenth_of_the_time() {
        let mut rig = rig(20_000);
        let mut answers = Vec::new();
        for step in 1..=64 {
            let (reply, answer) = oneshot::channel();
            let question = Question::Start(grouped(step), Encoding::Sbe);
            rig.fetches.try_send(Fetch { question, reply }).unwrap();
            answers.push(answer);
        }
        let mut answered = || {
            let before = answers.len();
            answers.retain_mut(|answer| answer.try_recv().is_err());
            before - answers.len()
        };
        // 20,000 levels read at 16, and 20,000 written at 16 for the finest step.
        assert!(!rig.port.answer_some(&mut rig.publisher, NOW));
        assert_eq!(answered(), 2);
        let mut turns = 1;
        while !rig.port.answer_some(&mut rig.publisher, NOW) {
            turns += 1;
        }
        let at_once = answered() + 2;
        assert!(
            (turns, at_once) > (9, 20) && at_once < 64,
            "{turns} {at_once}"
        );
        assert_eq!(rig.publisher.views(), 0);
        // A hundred milliseconds later, ten of them are available for fetches.
        rig.port.gain(Monotonic(100_000_000));
        while !rig.port.answer_some(&mut rig.publisher, NOW) {}
        assert!(answered() > 20);
    }
}
