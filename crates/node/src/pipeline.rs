//! Connects a consumer to its publisher; each thread has one of each.
//!
//! In reading order: [`instrument_index`], which finds instruments by what records call them; [`counts`],
//! which shows what was counted; [`kafka_contact`], which knows whether Kafka is there; and the pipeline
//! itself.

mod counts;
mod instrument_index;
mod kafka_contact;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanout::{Directory, PublisherPort};
use ingest::{DecodeError, OpenedPartition, Progress, Rejection, Reset, Resolve, Resolved, Sink};
use market::{
    At, Channel, Event, Handle, Monotonic, Nanos, Now, PartitionIdentity, PartitionIndex,
};
use metrics::PublisherMetrics;
use streams::{Publisher, Settings, Skipped};

use crate::checkpoints::{self, Loaded, Taker};
use crate::clock::{monotonic, now, wall_clock};
use crate::instruments::{Instrument, Instruments};
use crate::readiness::PublisherReadiness;
use crate::traces::RecordTracer;

pub(crate) use counts::IngestCounts;
use instrument_index::InstrumentIndex;
use kafka_contact::KafkaContact;

/// How often totals are updated, and contact with Kafka is checked.
const TICK: Duration = Duration::from_millis(250);
/// Rejected records logged per tick; all are counted.
const REFUSALS_LOGGED: u32 = 10;

/// Makes the next turn of a publisher panic.
#[cfg(test)]
pub(crate) static PLANTED: std::sync::atomic::AtomicBool =
    std::sync::atomic::AtomicBool::new(false);

/// A publisher with its inputs and outputs.
pub(crate) struct Pipeline {
    number: usize,
    publisher: Publisher,
    port: PublisherPort,
    directory: Arc<Directory>,
    instruments: Arc<Instruments>,
    known: InstrumentIndex,
    /// The open partitions, by index.
    partitions: Vec<Option<PartitionIdentity>>,
    readiness: PublisherReadiness,
    kafka_contact: KafkaContact,
    cut_off: bool,
    metrics: Arc<PublisherMetrics>,
    ingest: IngestCounts,
    /// When the first event of the current batch was applied.
    batch_began: Option<Monotonic>,
    batch_records: u64,
    ticked: Monotonic,
    refusals: u32,
    /// Whether it has caught up once, and so lets clients subscribe.
    is_open: bool,
    /// Checkpoints of partitions to be opened; empty once it has caught up.
    loaded: Arc<Loaded>,
    taker: Option<Taker>,
    tracer: Option<RecordTracer>,
}

impl Pipeline {
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts that are wired here, once"
    )]
    pub(crate) fn new(
        number: usize,
        settings: Settings,
        port: PublisherPort,
        directory: Arc<Directory>,
        instruments: Arc<Instruments>,
        readiness: PublisherReadiness,
        lost_after: Duration,
        metrics: Arc<PublisherMetrics>,
        ingest: IngestCounts,
    ) -> Self {
        Self {
            number,
            publisher: Publisher::new(settings),
            port,
            directory,
            instruments,
            known: InstrumentIndex::default(),
            partitions: Vec::new(),
            readiness,
            kafka_contact: KafkaContact::new(lost_after),
            cut_off: false,
            metrics,
            ingest,
            batch_began: None,
            batch_records: 0,
            ticked: monotonic(),
            refusals: 0,
            is_open: false,
            loaded: Arc::default(),
            taker: None,
            tracer: None,
        }
    }

    /// Traces some of the records.
    pub(crate) fn set_tracer(&mut self, tracer: RecordTracer) {
        tracer.listen_to(&mut self.port);
        self.tracer = Some(tracer);
    }

    /// Restores instruments from `loaded`, and takes checkpoints with `taker`.
    pub(crate) fn use_checkpoints(&mut self, loaded: Arc<Loaded>, taker: Option<Taker>) {
        self.loaded = loaded;
        self.taker = taker;
    }

    /// Restores the instruments of a partition from checkpoints.
    fn restore(&mut self, index: PartitionIndex, partition: &OpenedPartition) {
        let identity = &partition.identity;
        for checkpoint in self.loaded.take(&identity.topic, identity.partition) {
            let name = &checkpoint.name;
            let Ok(resolved) = self.resolve(name.venue(), name.symbol()) else {
                continue;
            };
            let (handle, of) = (resolved.handle, (index, partition));
            match checkpoints::restore(&mut self.publisher, of, handle, &checkpoint, now()) {
                Ok(false) => {}
                Ok(true) => {
                    self.metrics.restored.inc();
                    if let Some(taker) = &mut self.taker {
                        taker.restored(handle);
                    }
                }
                Err(reason) => {
                    self.metrics.not_restored[reason].inc();
                    tracing::warn!(instrument = %name, topic = %identity.topic, partition = identity.partition, ?reason, "ignored a checkpoint");
                }
            }
        }
    }

    /// Lists the instruments named in the configuration, so that clients can subscribe before their first record.
    pub(crate) fn list_named(&mut self) {
        let instruments = Arc::clone(&self.instruments);
        for instrument in instruments.named() {
            let (venue, symbol) = (
                instrument.name.venue().to_owned(),
                instrument.name.symbol().to_owned(),
            );
            if let Err(refusal) = self.add(&venue, &symbol, instrument) {
                tracing::warn!(venue, symbol, %refusal, "cannot list a configured instrument");
            }
        }
        self.show_changed();
    }

    fn add(
        &mut self,
        venue: &str,
        symbol: &str,
        instrument: Instrument,
    ) -> Result<Handle, Rejection> {
        let added =
            self.publisher
                .add_instrument(&instrument.name, instrument.exponents, monotonic());
        let handle = added.map_err(|other| {
            tracing::error!(instrument = %instrument.name, %other, "two instruments have the same id; the second is rejected");
            Rejection::UnknownInstrument
        })?;
        self.publisher.set_steps(
            handle,
            instrument.tick_size.map(market::Price),
            instrument.lot_size.map(market::Size),
        );
        self.known.insert(venue, symbol, handle);
        let _listed = self.directory.list(&instrument.name, instrument.exponents);
        Ok(handle)
    }

    fn identity(&self, partition: PartitionIndex) -> Option<&PartitionIdentity> {
        self.partitions.get(partition.0 as usize)?.as_ref()
    }

    fn remember(&mut self, partition: PartitionIndex, identity: PartitionIdentity) {
        if let Some(tracer) = &mut self.tracer {
            tracer.opened(partition, &identity);
        }
        let slot = partition.0 as usize;
        if self.partitions.len() <= slot {
            self.partitions.resize_with(slot + 1, || None);
        }
        self.partitions[slot] = Some(identity);
    }

    /// Updates the directory with changed instruments.
    fn show_changed(&mut self) {
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
                if has && !listing.claim(channel, self.number) {
                    tracing::error!(
                        instrument = %about.name,
                        channel = channel.name(),
                        "two publishers read the same channel of an instrument; clients get the messages of the first"
                    );
                }
            }
        }
    }

    /// Traces an applied record, if it is sampled. Not while catching up: a trace would only show the age of the
    /// record.
    fn trace(&mut self, at: At, handle: Handle, received: Nanos) {
        let Some(tracer) = self.tracer.as_mut().filter(|_| self.is_open) else {
            return;
        };
        let Some(trace) = tracer.sample(at) else {
            return;
        };
        let partition = self.partitions.get(at.partition.0 as usize);
        if let Some(partition) = partition.and_then(Option::as_ref)
            && let Some(about) = self.publisher.info(handle)
        {
            tracer.follow(trace, at, partition, about.name, received, &mut self.port);
        }
    }

    fn tick(&mut self, progress: &Progress, now: Now) {
        self.ticked = now.monotonic;
        self.refusals = 0;
        let at = Instant::now();
        counts::show_publisher(&self.metrics, &self.publisher, self.port.runs());
        self.ingest.show(progress, now.wall);
        if let Some(topics) = progress.topics {
            self.readiness.topics(topics);
        }
        if progress.discovered {
            self.readiness.listed();
        }
        let was_cut_off = std::mem::replace(
            &mut self.cut_off,
            self.kafka_contact.is_cut_off(progress, at),
        );
        if self.cut_off && !was_cut_off {
            tracing::warn!(
                "no response from kafka brokers; new sessions are rejected until the node has caught up again"
            );
            self.publisher.connection_lost(now);
        } else if was_cut_off && !self.cut_off {
            tracing::info!("kafka brokers respond again, and the node has caught up");
            self.publisher.connection_restored(now);
        }
        self.readiness.cut_off(self.cut_off);
        self.readiness.turned(at);
    }
}

impl Resolve for Pipeline {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        let handle = match self.known.find(venue, symbol) {
            Some(handle) => handle,
            None => {
                let instrument = self.instruments.find(venue, symbol)?;
                let is_new = !self.known.has(&instrument.name);
                if is_new && self.publisher.instruments() >= self.instruments.max {
                    return Err(Rejection::TooManyInstruments);
                }
                self.add(venue, symbol, instrument)?
            }
        };
        Ok(Resolved {
            handle,
            exponents: self.publisher.exponents(handle).unwrap_or_default(),
        })
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        self.known.find(venue, symbol)
    }
}

impl Sink for Pipeline {
    fn opened(&mut self, index: PartitionIndex, partition: &OpenedPartition) {
        let identity = &partition.identity;
        tracing::info!(topic = %identity.topic, partition = identity.partition, from = partition.start_offset.0, to = partition.end_offset.0, "reading a partition");
        self.publisher
            .open(index, identity.clone(), partition.start_offset);
        self.remember(index, identity.clone());
        self.restore(index, partition);
        self.readiness.opened(&identity.topic, identity.partition);
    }

    fn event(&mut self, at: At, instrument: Handle, event: Event<'_>) {
        // Nothing becomes due within a batch, so one scheduling time is enough; timestamps are read per record.
        let now = Now {
            monotonic: *self.batch_began.get_or_insert_with(monotonic),
            wall: wall_clock(),
        };
        // Not while catching up, which would measure the age of records, nor for records without a timestamp,
        // which would seem decades old.
        if self.is_open && at.log_time != Nanos(0) {
            self.metrics
                .stage_kafka
                .record_ns(now.wall.since(at.log_time));
        }
        self.batch_records += 1;
        let taken = self.publisher.event(at, instrument, &event, now);
        // Records included in a checkpoint are expected to repeat while the node catches up.
        let taken = taken.or_else(|unwanted| match unwanted {
            Skipped::Repeated(_) if !self.is_open => Ok(()),
            other => Err(other),
        });
        match taken {
            Ok(()) => self.trace(at, instrument, now.wall),
            Err(unwanted) => {
                self.refusals += 1;
                if self.refusals <= REFUSALS_LOGGED {
                    let topic = self
                        .identity(at.partition)
                        .map_or("?", |identity| &identity.topic);
                    tracing::warn!(topic, offset = at.seq.0, %unwanted, "ignored a record");
                }
            }
        }
    }

    fn rejected(&mut self, at: At, error: &DecodeError) {
        self.refusals += 1;
        if self.refusals <= REFUSALS_LOGGED {
            let (topic, partition) = self
                .identity(at.partition)
                .map_or(("?", -1), |identity| (&*identity.topic, identity.partition));
            tracing::warn!(topic, partition, offset = at.seq.0, outcome = error.kind.outcome().name(), %error, "cannot decode a record");
        }
        if let Some(instrument) = error.instrument {
            self.publisher
                .bad_record(at, instrument, error.scope, now());
        }
    }

    fn reset(&mut self, index: PartitionIndex, partition: &OpenedPartition, cause: Reset) {
        let identity = &partition.identity;
        let start = partition.start_offset;
        tracing::warn!(topic = %identity.topic, partition = identity.partition, ?cause, from = start.0, "reading a partition from another offset");
        match cause {
            Reset::TopicRecreated | Reset::OffsetsWentBack => {
                self.publisher.reopen(index, identity.clone(), start, now());
                self.remember(index, identity.clone());
                self.ingest.topic_was_reset();
            }
            Reset::Retention { lost_to, .. } => {
                self.publisher.lost(index, lost_to, now());
                self.ingest.lost_to_retention();
            }
        }
    }

    fn closed(&mut self, partition: PartitionIndex) {
        self.publisher.close(partition);
        if let Some(identity) = self.identity(partition) {
            // Nothing is left to catch up with.
            let topic = Arc::clone(&identity.topic);
            tracing::warn!(%topic, partition = identity.partition, "the partition no longer exists");
            self.readiness.caught_up(&topic, identity.partition);
        }
    }

    fn caught_up(&mut self, partition: PartitionIndex) {
        if let Some(identity) = self.identity(partition) {
            let topic = Arc::clone(&identity.topic);
            tracing::info!(%topic, partition = identity.partition, "caught up");
            self.readiness.caught_up(&topic, identity.partition);
        }
    }

    fn advance(&mut self, progress: &Progress) {
        #[cfg(test)]
        assert!(
            !PLANTED.swap(false, std::sync::atomic::Ordering::SeqCst),
            "planted"
        );
        self.show_changed();
        let now = now();
        if let Some(began) = self.batch_began.take() {
            let records = std::mem::take(&mut self.batch_records);
            self.metrics
                .stage_apply
                .record_many_ns(now.monotonic.nanos_since(began), records);
        }
        if !self.is_open && progress.discovered {
            let mut partitions = progress.partitions.iter();
            if partitions.all(|partition| partition.caught_up || partition.gone) {
                self.is_open = true;
                // All partitions that exist are open, so no more checkpoints are needed.
                self.loaded = Arc::default();
                self.port.open();
            }
        }
        self.port.advance(&mut self.publisher, now);
        if let Some(tracer) = &mut self.tracer
            && tracer.is_tracing()
        {
            tracer.published(self.port.handed_over());
        }
        if self.is_open
            && let Some(taker) = &mut self.taker
        {
            let taken = taker.advance(&self.publisher, progress, &self.partitions, now.monotonic);
            self.metrics.checkpoints.add(taken);
        }
        if now.monotonic.since(self.ticked) >= TICK {
            self.tick(progress, now);
        }
    }

    fn due_in(&self) -> Duration {
        let due = self.publisher.next_due();
        due.map_or(Duration::MAX, |due| due.since(monotonic()))
    }
}
