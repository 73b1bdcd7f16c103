use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use fanout::{Directory, PublisherPort};
use market::{At, Channel, Event, Handle, Nanos, PartitionIdentity, PartitionIndex, Seq};
use streams::{Publisher, Settings};
use tokio::sync::oneshot;

use super::load::{Book, EXPONENTS, Load};
use super::pacer::Pacer;
use super::{InstrumentChoice, PublishArgs};
use crate::clock::{thread_time, wall_clock};
use crate::progress::Progress;

/// The most updates of a batch: as many records as a node takes at once.
const BATCH: u64 = 1_024;
/// How long to rest when there is nothing to make any more; commands wake it.
const IDLE: Duration = Duration::from_millis(100);
/// The one partition that all instruments are read from.
const PARTITION: PartitionIndex = PartitionIndex(0);

/// A publisher with what it publishes, and the port to the shards: what a node has a consumer for.
pub(super) struct Feed {
    load: Load,
    books: Vec<Book>,
    handles: Vec<Handle>,
    instrument_choice: InstrumentChoice,
    publisher: Publisher,
    port: PublisherPort,
    directory: Arc<Directory>,
    /// The offset of the next record, if there were a log.
    next: Seq,
}

/// What was made until the time was up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Made {
    /// How many updates were due, where there is a rate.
    pub(crate) offered: Option<u64>,
    pub(crate) updates: u64,
    pub(crate) batches: u64,
    pub(crate) seconds: f64,
    /// How long after it was due the latest update was made.
    pub(crate) latest: Duration,
    /// How long the publisher's thread worked.
    pub(crate) worked: Duration,
    /// Messages that were encoded, and their bytes.
    pub(crate) encoded: (u64, u64),
    /// Runs that were handed to shards.
    pub(crate) runs: u64,
}

/// Wakes the publisher's thread, begins its work and ends it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    thread: OnceLock<Thread>,
    begun: AtomicBool,
    stopped: AtomicBool,
}

impl Bell {
    pub(super) fn wake(&self) {
        // Before the thread is there it has not looked yet, and will.
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    pub(super) fn begin(&self) {
        self.begun.store(true, Ordering::Release);
        self.wake();
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }

    fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

impl Feed {
    /// Introduces all instruments, and lets clients in.
    pub(super) fn new(
        args: &PublishArgs,
        port: PublisherPort,
        directory: Arc<Directory>,
    ) -> anyhow::Result<Self> {
        let (load, books) = args.market()?;
        let mut settings = Settings::default();
        settings.log_bytes = args.log_bytes.unwrap_or(settings.log_bytes);
        let mut feed = Self {
            instrument_choice: InstrumentChoice::of(args),
            load,
            handles: Vec::with_capacity(books.len()),
            books: Vec::new(),
            publisher: Publisher::new(settings),
            port,
            directory,
            next: Seq(0),
        };
        // Another start is another log: nobody can go on from one in the other.
        let mut topic_id = [0; 16];
        topic_id[..8].copy_from_slice(&wall_clock().to_le_bytes());
        let identity = PartitionIdentity {
            topic: "loadtest".into(),
            topic_id,
            partition: 0,
            turns: 0,
        };
        feed.publisher.open(PARTITION, identity, feed.next);
        let mut progress = Progress::new("introducing", books.len() as u64);
        for (number, book) in (1..).zip(&books) {
            feed.introduce(book)?;
            progress.show(number, "instruments");
        }
        feed.books = books;
        feed.list();
        feed.port.open();
        Ok(feed)
    }

    fn introduce(&mut self, book: &Book) -> anyhow::Result<()> {
        let now = fanout::now();
        let handle = self
            .publisher
            .add_instrument(book.name(), EXPONENTS, now.monotonic)
            .map_err(|other| anyhow!("{} and {other} have the same number", book.name()))?;
        self.handles.push(handle);
        let at = at(&mut self.next, now.wall);
        self.publisher
            .event(at, handle, &self.load.whole(book, now.wall.0), now)
            .with_context(|| format!("the book of {} is not taken", book.name()))
    }

    /// Tells the directory what has changed, as a node does after each batch.
    fn list(&mut self) {
        for handle in self.publisher.take_changed() {
            let Some(about) = self.publisher.info(handle) else {
                continue;
            };
            let listing = self.directory.list(about.name, about.exponents);
            listing.set(about.exponents, about.state);
            for (has, channel) in [
                (about.has_book, Channel::Book),
                (about.has_trades, Channel::Trades),
            ] {
                // There is no other publisher that could have claimed it.
                let _claimed = has && listing.claim(channel, 0);
            }
        }
    }

    /// Publishes from when it is told until the time is up, which `done` is told; serves commands
    /// until it is stopped.
    pub(super) fn run(mut self, args: &PublishArgs, bell: &Bell, done: oneshot::Sender<Made>) {
        let _first = bell.thread.set(std::thread::current());
        while !bell.has_begun() && !bell.is_stopped() {
            self.advance();
            std::thread::park_timeout(self.due_in(IDLE));
        }
        let worked = thread_time();
        let encoded = self.publisher.encoded_in_all();
        let pacer = Pacer::new(args.rate);
        let mut made = Made::default();
        let mut elapsed = Duration::ZERO;
        while args.goes_on(elapsed) && !bell.is_stopped() {
            self.batch(&pacer, elapsed, &mut made);
            self.advance();
            elapsed = pacer.elapsed();
            if pacer.due(elapsed, made.updates, BATCH) == made.updates {
                std::thread::park_timeout(self.due_in(pacer.rest(elapsed, made.updates)));
                elapsed = pacer.elapsed();
            }
        }
        made.offered = pacer.offered(elapsed);
        made.seconds = elapsed.as_secs_f64();
        made.worked = thread_time().saturating_sub(worked);
        let all = self.publisher.encoded_in_all();
        made.encoded = (all.messages - encoded.messages, all.bytes - encoded.bytes);
        made.runs = self.port.runs();
        // Whoever waited for it may be gone, being stopped itself.
        let _told = done.send(made);
        while !bell.is_stopped() {
            self.advance();
            std::thread::park_timeout(self.due_in(IDLE));
        }
    }

    /// Makes what is due.
    fn batch(&mut self, pacer: &Pacer, elapsed: Duration, made: &mut Made) {
        let due = pacer.due(elapsed, made.updates, BATCH);
        if due == made.updates {
            return;
        }
        let now = fanout::now();
        let latest = now.wall.0.saturating_sub(pacer.time(made.updates));
        made.latest = made.latest.max(Duration::from_nanos(latest));
        for number in made.updates..due {
            let index = self.instrument_choice.choose(number, &mut self.load.random);
            let (handle, at) = (self.handles[index], at(&mut self.next, now.wall));
            let publisher = &mut self.publisher;
            let take = |_: &_, event: &Event<'_>| publisher.event(at, handle, event, now);
            // Offsets grow and there is one partition: nothing of it is unwanted.
            let _taken = self
                .load
                .next(&mut self.books[index], pacer.time(number), take);
        }
        made.updates = due;
        made.batches += 1;
    }

    fn advance(&mut self) {
        self.list();
        self.port.advance(&mut self.publisher, fanout::now());
    }

    /// How long until the publisher has something to do, at most so long.
    fn due_in(&self, at_most: Duration) -> Duration {
        let due = self.publisher.next_due();
        due.map_or(at_most, |due| due.since(fanout::monotonic()).min(at_most))
    }
}

/// The place of the next record.
fn at(next: &mut Seq, now: Nanos) -> At {
    let seq = *next;
    next.0 += 1;
    At {
        partition: PARTITION,
        seq,
        log_time: now,
    }
}
