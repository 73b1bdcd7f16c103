//! The thread that reads: `partitions` is what it reads, and `batch` how.

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
use crate::scout::{Broker, ConsumerLink, Scout};
use crate::{Decoder, IngestConfig, IngestError, Sink, Stop, Waker};
use batch::Drained;
use partitions::Partitions;

/// The longest time that a consumer sleeps, which bounds the delay of its sink's timers.
const TICK: Duration = Duration::from_millis(100);

/// Reads a share of the partitions, in a thread of its own.
pub struct Consumer {
    config: IngestConfig,
    client: KafkaConsumer,
    decoder: Decoder,
    partitions: Partitions,
    commands: Receiver<Command>,
    request: Arc<CheckRequest>,
    /// The number of clients so far when the scout was requested to check the partitions, while
    /// that request is pending.
    pending_check: Option<u64>,
    scout: Waker,
    waker: Waker,
    stop: Stop,
    errors: Arc<ClientErrors>,
}

/// Creates `config.threads` consumers and starts the thread that looks for topics.
///
/// The brokers need not be available yet. All threads end after `stop`. `spawn` starts the thread
/// and must notice if it ends, since without it no new topics are found.
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
    let mut links = Vec::new();
    let mut query_errors = None;
    for _ in 0..config.threads {
        let waker = Waker::default();
        let errors = Arc::new(ClientErrors::default());
        // The scout works for all consumers; its errors are counted with those of the first.
        let _first = query_errors.get_or_insert_with(|| Arc::clone(&errors));
        let (commands, received) = sync_channel(MAX_COMMANDS);
        let request = Arc::new(CheckRequest::default());
        links.push(ConsumerLink {
            commands,
            waker: waker.clone(),
            request: request.clone(),
        });
        stop.wakes(&waker);
        consumers.push(Consumer {
            client: client::for_consumer(config, &waker, &errors)
                .map_err(IngestError::client("be created"))?,
            errors,
            decoder: Decoder::new(config.max_record_bytes),
            partitions: Partitions::default(),
            commands: received,
            request,
            pending_check: None,
            scout: scout_waker.clone(),
            waker,
            stop: stop.clone(),
            config: config.clone(),
        });
    }
    stop.wakes(&scout_waker);
    let errors = query_errors.unwrap_or_default();
    let query_client =
        client::for_queries(config, &errors).map_err(IngestError::client("be created"))?;
    let broker = Broker::new(query_client);
    let scout = Scout::new(config.clone(), broker, links, scout_waker, stop.clone());
    spawn("ingest-scout".to_owned(), Box::new(move || scout.run())).map_err(IngestError::Thread)?;
    Ok(consumers)
}

impl Consumer {
    /// A waker of this consumer.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Reads until it is stopped.
    pub fn run<S: Sink>(mut self, sink: &mut S) -> Result<(), IngestError> {
        self.waker.adopt();
        while !self.stop.is_stopped() {
            self.run_commands(sink)?;
            let drained = self.read_batch(sink);
            self.hold_recreated();
            self.update_watermarks(sink, drained);
            self.partitions.progress.broker_errors = self.errors.totals();
            sink.advance(&self.partitions.progress);
            if drained == Drained::Yes {
                self.waker.park(TICK.min(sink.due_in()));
            }
        }
        Ok(())
    }

    /// Runs the commands of the scout.
    fn run_commands<S: Sink>(&mut self, sink: &mut S) -> Result<(), IngestError> {
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
                        .map_err(IngestError::client("remove partitions"))?;
                }
                Command::Restart(restarts) => {
                    self.partitions.restart_all(restarts, sink);
                    needs_new_client = true;
                }
                Command::Checked(restarts) => {
                    needs_new_client |= self.must_renew_client() || !restarts.is_empty();
                    self.partitions.release_held();
                    self.partitions.restart_all(restarts, sink);
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

    /// Returns whether the client in use is still the one that reported the problem.
    fn must_renew_client(&mut self) -> bool {
        let clients = self.partitions.progress.new_clients;
        let pending_check = self.pending_check.take();
        self.partitions.has_held()
            || pending_check.is_none_or(|pending_check| pending_check == clients)
    }

    /// Replaces the client by a new one.
    ///
    /// After a topic was recreated or an offset was missing, a client may keep outdated leader
    /// epochs and records (librdkafka's issue 4898: it may never fetch again). Records of other
    /// partitions that the old client had fetched are fetched again, which takes some milliseconds
    /// and is rare.
    fn renew_client(&mut self) -> Result<(), IngestError> {
        let fresh = client::for_consumer(&self.config, &self.waker, &self.errors)
            .map_err(IngestError::client("be replaced"))?;
        let old = std::mem::replace(&mut self.client, fresh);
        // Closing may wait for brokers, which must not delay this thread.
        let reaper = thread::Builder::new().name("kafka-reaper".to_owned());
        let _ = reaper.spawn(move || drop(old));
        self.partitions.progress.new_clients += 1;
        self.partitions.forget_last();
        self.client
            .assign(&self.partitions.assignment())
            .map_err(IngestError::client("be assigned partitions"))
    }

    /// Requests the scout to check the partitions, since one of them has a problem.
    fn request_check(&mut self) {
        if self.pending_check.is_none() {
            self.pending_check = Some(self.partitions.progress.new_clients);
            self.partitions.publish_positions();
            self.request.set();
        }
        self.scout.wake();
    }
}
