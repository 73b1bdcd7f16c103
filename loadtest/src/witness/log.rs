use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ingest::{Decoder, Format, RawRecord, Rejection, Resolve, Resolved, Source};
use market::{Book, Changes, Event, Handle, InstrumentName, Nanos, Seq, VenueBook};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::publish::EXPONENTS;

/// How long a broker may take to answer, and to give the next records.
const WITHIN: Duration = Duration::from_secs(20);
/// The largest record that is looked at: whole books of 50 levels a side have 4 KiB.
const MAX_RECORD: usize = 1 << 20;

/// What was to be told, as Kafka has it: read by itself, and not through a node.
#[derive(Debug)]
pub(super) struct Log {
    instruments: Vec<Told>,
}

/// What the log has of one instrument.
#[derive(Debug, Default)]
struct Told {
    /// The offsets of the records of its book, and of its trades.
    book: Vec<i64>,
    trades: Vec<i64>,
    builder: VenueBook,
}

/// Finds instruments by their numbers in their names.
struct Names(Vec<InstrumentName>);

impl Resolve for Names {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        let handle = self
            .find(venue, symbol)
            .ok_or(Rejection::UnknownInstrument)?;
        Ok(Resolved {
            handle,
            exponents: EXPONENTS,
        })
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        let is_it = |name: &InstrumentName| name.venue() == venue && name.symbol() == symbol;
        let place = self.0.iter().position(is_it)?;
        u32::try_from(place).ok().map(Handle)
    }
}

impl Log {
    /// Reads all that the topic has.
    pub(super) fn read(brokers: &str, topic: &str, instruments: usize) -> anyhow::Result<Self> {
        let names = (1..=instruments).map(name);
        let mut names = Names(names.collect::<anyhow::Result<_>>()?);
        let mut log = Self {
            instruments: (0..instruments).map(|_| Told::default()).collect(),
        };
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "tapecast-witness")
            .set("enable.auto.commit", "false")
            .set("check.crcs", "true")
            .create()
            .context("no Kafka client")?;
        let metadata = consumer.fetch_metadata(Some(topic), WITHIN)?;
        let found = metadata.topics().first();
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        let source = Source {
            topic: topic.to_owned(),
            format: Format::Tapecast,
            venue: String::new(),
            symbol: None,
            mapping: None,
        };
        let mut decoder = Decoder::new(MAX_RECORD);
        for partition in 0..i32::try_from(partitions)? {
            let (low, high) = consumer.fetch_watermarks(topic, partition, WITHIN)?;
            let mut assignment = TopicPartitionList::new();
            assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
            consumer.assign(&assignment)?;
            let (mut next, mut since) = (low, Instant::now());
            while next < high {
                let Some(record) = consumer.poll(Duration::from_millis(100)) else {
                    if since.elapsed() > WITHIN {
                        bail!("partition {partition} gives no record {next} of {high}");
                    }
                    continue;
                };
                let record = record?;
                (next, since) = (record.offset() + 1, Instant::now());
                let raw = RawRecord {
                    source: &source,
                    key: record.key(),
                    payload: record.payload(),
                };
                let decoded = decoder.decode(&raw, &mut names);
                let decoded = decoded.map_err(|error| {
                    anyhow::anyhow!("record {partition}:{} is wrong: {error}", record.offset())
                })?;
                if let Some((handle, event)) = decoded.event() {
                    log.take(handle, record.offset(), &event);
                }
            }
        }
        Ok(log)
    }

    /// One of one instrument, without records.
    #[cfg(test)]
    pub(super) fn of(book: &[i64], trades: &[i64]) -> Self {
        Self {
            instruments: vec![Told {
                book: book.to_vec(),
                trades: trades.to_vec(),
                builder: VenueBook::new(),
            }],
        }
    }

    fn take(&mut self, handle: Handle, offset: i64, event: &Event<'_>) {
        let Some(told) = self.instruments.get_mut(handle.0 as usize) else {
            return;
        };
        let mut changes = Changes::default();
        let seq = Seq(offset);
        match *event {
            Event::Snapshot {
                seq: number,
                origin,
                bids,
                asks,
                ..
            } => {
                told.book.push(offset);
                let builder = &mut told.builder;
                let _outcome = builder.snapshot(number, origin, bids, asks, seq, &mut changes);
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                told.book.push(offset);
                let builder = &mut told.builder;
                let _outcome =
                    builder.delta(seq, Nanos(0), link, origin, time, bids, asks, &mut changes);
            }
            Event::Trades { .. } => told.trades.push(offset),
            Event::Status { .. } | Event::Definition { .. } | Event::Nothing => {}
        }
    }

    /// Whether it has a right book of every instrument.
    pub(super) fn is_whole(&self) -> bool {
        self.instruments.iter().all(|told| told.builder.is_live())
    }

    /// The offsets that an instrument's stream has a message for.
    pub(super) fn offsets(&self, instrument: usize, is_book: bool) -> &[i64] {
        let told = &self.instruments[instrument];
        if is_book { &told.book } else { &told.trades }
    }

    /// How many of them are behind `from` and up to `to`.
    pub(super) fn between(&self, instrument: usize, is_book: bool, from: i64, to: i64) -> u64 {
        let offsets = self.offsets(instrument, is_book);
        let below = |limit: i64| offsets.partition_point(|offset| *offset <= limit);
        below(to).saturating_sub(below(from)) as u64
    }

    /// The book at the log's end.
    pub(super) fn book(&self, instrument: usize) -> &Book {
        self.instruments[instrument].builder.book()
    }
}

/// The name of the instrument of that number, from 1.
pub(super) fn name(number: usize) -> anyhow::Result<InstrumentName> {
    Ok(InstrumentName::new("LOAD", &format!("I{number:05}"))?)
}
