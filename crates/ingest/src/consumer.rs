//! The thread that reads. Modules in reading command: `partitions` is what it reads, `batch` how.

mod batch;
mod partitions;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::Consumer as _;

use crate::client::{self, ClientErrors, KafkaConsumer};
use crate::command::{CheckRequest, Command, MAX_COMMANDS};
use crate::scout::{Broker, Reader, Scout};
use crate::{Decoder, IngestConfig, IngestError, Sink, Stop, Waker};
use batch::Drained;
use partitions::Partitions;

/// The longest that a consumer sleeps: how late its sink may be to notice that time has passed.
const TICK: Duration = Duration::from_millis(100);

/// The body of a thread that reads its share of the partitions.
pub struct Consumer {
    config: IngestConfig,
    client: KafkaConsumer,
    decoder: Decoder,
    partitions: Partitions,
    commands: Receiver<Command>,
    request: Arc<CheckRequest>,
    /// How many clients there had been when the scout was asked what is not answered yet.
    asked: Option<u64>,
    scout: Waker,
    waker: Waker,
    stop: Stop,
    errors: Arc<ClientErrors>,
}

/// Makes `config.threads` consumers, and starts the thread that looks for topics.
///
/// That a broker answers is no condition: it is waited for. All end when `stop` says so. `spawn` starts
/// the thread, and notices how it ends: without it nobody would learn of new topics.
pub fn start(
    config: &IngestConfig,
    stop: &Stop,
    spawn: impl FnOnce(String, Box<dyn FnOnce() + Send>) -> io::Result<()>,
) -> Result<Vec<Consumer>, IngestError> {
    let errors = config.errors();
    if !errors.is_empty() {
        return Err(IngestError::Config(errors));
    }
    let scout_waker = Waker::default();
    let mut consumers = Vec::new();
    let mut readers = Vec::new();
    let mut asking_errors = None;
    for _ in 0..config.threads {
        let waker = Waker::default();
        let errors = Arc::new(ClientErrors::default());
        // The scout asks for all consumers; its errors are counted once, with the first one's.
        let _first = asking_errors.get_or_insert_with(|| Arc::clone(&errors));
        let (commands, received) = sync_channel(MAX_COMMANDS);
        let request = Arc::new(CheckRequest::default());
        readers.push(Reader {
            commands,
            waker: waker.clone(),
            request: request.clone(),
        });
        stop.wakes(&waker);
        consumers.push(Consumer {
            client: client::reading(config, &waker, &errors)
                .map_err(IngestError::client("be made"))?,
            errors,
            decoder: Decoder::new(config.max_record_bytes),
            partitions: Partitions::default(),
            commands: received,
            request,
            asked: None,
            scout: scout_waker.clone(),
            waker,
            stop: stop.clone(),
            config: config.clone(),
        });
    }
    stop.wakes(&scout_waker);
    let errors = asking_errors.unwrap_or_default();
    let asking = client::asking(config, &errors).map_err(IngestError::client("be made"))?;
    let broker = Broker::new(asking);
    let scout = Scout::new(config.clone(), broker, readers, scout_waker, stop.clone());
    spawn("ingest-scout".to_owned(), Box::new(move || scout.run())).map_err(IngestError::Thread)?;
    Ok(consumers)
}

impl Consumer {
    /// Wakes this consumer.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Reads until stopped.
    pub fn run<S: Sink>(mut self, sink: &mut S) -> Result<(), IngestError> {
        self.waker.adopt();
        while !self.stop.is_stopped() {
            self.carry_out(sink)?;
            let drained = self.read_batch(sink);
            self.hold_changed();
            self.learn_watermarks(sink, drained);
            self.partitions.progress.broker_errors = self.errors.totals();
            sink.advance(&self.partitions.progress);
            if drained == Drained::Yes {
                self.waker.park(TICK.min(sink.due_in()));
            }
        }
        Ok(())
    }

    /// Does what the scout has found.
    fn carry_out<S: Sink>(&mut self, sink: &mut S) -> Result<(), IngestError> {
        let mut needs_new_client = false;
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Open(openings) => {
                    let added = self.partitions.open(openings, sink);
                    self.client
                        .incremental_assign(&added)
                        .map_err(IngestError::client("add partitions"))?;
                }
                Command::Close(gone) => {
                    let gone = self.partitions.close(&gone, sink);
                    self.client
                        .incremental_unassign(&gone)
                        .map_err(IngestError::client("give up partitions"))?;
                }
                Command::Restart(beginnings) => {
                    self.partitions.begin(beginnings, sink);
                    needs_new_client = true;
                }
                Command::Checked(beginnings) => {
                    needs_new_client |= self.is_client_in_doubt() || !beginnings.is_empty();
                    self.partitions.release();
                    self.partitions.begin(beginnings, sink);
                }
                Command::Topics(topics) => self.partitions.progress.topics = Some(topics),
                Command::Discovered => self.partitions.progress.discovered = true,
            }
        }
        if needs_new_client {
            self.renew_client()?;
        }
        Ok(())
    }

    /// Whether the client is still the one that something was wrong with.
    fn is_client_in_doubt(&mut self) -> bool {
        let clients = self.partitions.progress.new_clients;
        let asked = self.asked.take();
        self.partitions.are_held() || asked.is_none_or(|asked| asked == clients)
    }

    /// Goes on with a new client.
    ///
    /// A client that has met with a topic made anew, or with an offset that is not there, may hold
    /// leader epochs and records of what is no more (librdkafka's issue 4898: it may never fetch
    /// again). A new one holds nothing. The others' records that the old one had fetched are
    /// fetched again: that takes some milliseconds, and happens when somebody deletes.
    fn renew_client(&mut self) -> Result<(), IngestError> {
        let fresh = client::reading(&self.config, &self.waker, &self.errors)
            .map_err(IngestError::client("be made anew"))?;
        let old = std::mem::replace(&mut self.client, fresh);
        // Its end may wait for brokers, and nobody needs to wait for that.
        let reaper = thread::Builder::new().name("kafka-reaper".to_owned());
        let _ = reaper.spawn(move || drop(old));
        self.partitions.progress.new_clients += 1;
        self.partitions.forget_last();
        self.client
            .assign(&self.partitions.assignment())
            .map_err(IngestError::client("be told what to read"))
    }

    /// Something is wrong with some partition: the scout is to say with which, and what.
    fn ask(&mut self) {
        if self.asked.is_none() {
            self.asked = Some(self.partitions.progress.new_clients);
            self.partitions.publish_positions();
            self.request.ask();
        }
        self.scout.wake();
    }
}
