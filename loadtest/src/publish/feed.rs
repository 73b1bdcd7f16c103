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

/// Updates of a batch at most, which is the number of records that a node polls at once.
const BATCH: u64 = 1_024;
/// Rest when no more updates are due; commands wake the thread.
const IDLE: Duration = Duration::from_millis(100);
/// The partition of all instruments.
const PARTITION: PartitionIndex = PartitionIndex(0);

/// A publisher with generated updates, and its port to the shards, in place of the consumer of a
/// node.
pub(super) struct Feed {
    load: Load,
    books: Vec<Book>,
    handles: Vec<Handle>,
    instrument_choice: InstrumentChoice,
    publisher: Publisher,
    port: PublisherPort,
    directory: Arc<Directory>,
    /// The offset that the next record would have in Kafka.
    next: Seq,
}

/// What was published until the time was up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Made {
    /// Updates that were due, if there is a rate.
    pub(crate) offered: Option<u64>,
    pub(crate) updates: u64,
    pub(crate) batches: u64,
    pub(crate) seconds: f64,
    /// The longest delay of an update after it was due.
    pub(crate) latest: Duration,
    /// CPU time of the publisher's thread.
    pub(crate) worked: Duration,
    /// Encoded messages, and their bytes.
    pub(crate) encoded: (u64, u64),
    /// Runs handed to shards.
    pub(crate) runs: u64,
}

/// Wakes the publisher's thread, and starts and stops its work.
#[derive(Debug, Default)]
pub(super) struct Bell {
    thread: OnceLock<Thread>,
    begun: AtomicBool,
    stopped: AtomicBool,
}

impl Bell {
    pub(super) fn wake(&self) {
        // A thread that has not started yet checks when it does.
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
    /// Adds all instruments, and accepts clients.
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
        // Each start has another epoch, so that no client resumes from another start.
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
            .with_context(|| format!("the book of {} was rejected", book.name()))
    }

    /// Updates the directory, as a node does after each batch.
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

    /// Publishes from the start command until the time is up, then sends the result to `done`.
    /// Serves commands until it is stopped.
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
        // Fails if the receiver is being stopped itself.
        let _told = done.send(made);
        while !bell.is_stopped() {
            self.advance();
            std::thread::park_timeout(self.due_in(IDLE));
        }
    }

    /// Publishes what is due.
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
            // Offsets grow and there is one partition, so that no record is rejected.
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

    /// Time until the publisher has something to do, at most `most`.
    fn due_in(&self, at_most: Duration) -> Duration {
        let due = self.publisher.next_due();
        due.map_or(at_most, |due| due.since(fanout::monotonic()).min(at_most))
    }
}

/// The position of the next record.
fn at(next: &mut Seq, now: Nanos) -> At {
    let seq = *next;
    next.0 += 1;
    At {
        partition: PARTITION,
        seq,
        log_time: now,
    }
}
