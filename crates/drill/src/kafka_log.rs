//! The market as Kafka has it, which the clients are checked against.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use ingest::{Decoder, Format, RawRecord, Rejection, Resolve, Resolved, Source};
use market::{Book, Changes, Event, Exponents, Handle, InstrumentName, Nanos, Seq, VenueBook};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// The exponents that `loadtest publish` defines its instruments with.
const EXPONENTS: Exponents = Exponents {
    price: -2,
    size: -3,
};
/// Time for a broker to respond, and to send the next records.
const WITHIN: Duration = Duration::from_secs(20);
/// A snapshot with 50 levels that a side has 4 KiB.
const MAX_RECORD: usize = 1 << 20;

/// What the market published, as Kafka has it: read directly, not through a node.
#[derive(Debug)]
pub(crate) struct KafkaLog {
    instruments: Vec<InstrumentLog>,
}

#[derive(Debug, Default)]
struct InstrumentLog {
    /// Offsets of the records with snapshots and deltas.
    book: Vec<i64>,
    /// Offsets of the records with trades.
    trades: Vec<i64>,
    builder: VenueBook,
}

/// Resolves instruments by name.
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
        let index = self.0.iter().position(is_it)?;
        u32::try_from(index).ok().map(Handle)
    }
}

impl KafkaLog {
    /// Reads the whole topic.
    pub(crate) fn read(brokers: &str, topic: &str, instruments: usize) -> anyhow::Result<Self> {
        let names = (1..=instruments).map(name);
        let mut names = Names(names.collect::<anyhow::Result<_>>()?);
        let mut log = Self {
            instruments: (0..instruments).map(|_| InstrumentLog::default()).collect(),
        };
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "tapecast-drill")
            .set("enable.auto.commit", "false")
            .set("check.crcs", "true")
            .create()
            .context("cannot create a consumer")?;
        let metadata = consumer.fetch_metadata(Some(topic), WITHIN)?;
        let found = metadata.topics().first();
        let partitions = found.map_or(0, |topic| topic.partitions().len());
        for partition in 0..i32::try_from(partitions)? {
            log.read_partition(&consumer, topic, partition, &mut names)?;
        }
        Ok(log)
    }

    fn read_partition(
        &mut self,
        consumer: &BaseConsumer,
        topic: &str,
        partition: i32,
        names: &mut Names,
    ) -> anyhow::Result<()> {
        let source = Source {
            topic: topic.to_owned(),
            format: Format::Tapecast,
            venue: String::new(),
            symbol: None,
            mapping: None,
        };
        let mut decoder = Decoder::new(MAX_RECORD);
        let (low, high) = consumer.fetch_watermarks(topic, partition, WITHIN)?;
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
        consumer.assign(&assignment)?;
        let (mut next, mut last_record) = (low, Instant::now());
        while next < high {
            let Some(record) = consumer.poll(Duration::from_millis(100)) else {
                if last_record.elapsed() > WITHIN {
                    bail!("no record {next} of {high} in partition {partition}");
                }
                continue;
            };
            let record = record?;
            (next, last_record) = (record.offset() + 1, Instant::now());
            let raw = RawRecord {
                source: &source,
                key: record.key(),
                payload: record.payload(),
            };
            let decoded = decoder
                .decode(&raw, names)
                .map_err(|error| anyhow!("record {partition}:{}: {error}", record.offset()))?;
            if let Some((handle, event)) = decoded.event() {
                self.apply(handle, record.offset(), &event);
            }
        }
        Ok(())
    }

    /// The log of one instrument, without the records.
    #[cfg(test)]
    pub(crate) fn of(book: &[i64], trades: &[i64]) -> Self {
        Self {
            instruments: vec![InstrumentLog {
                book: book.to_vec(),
                trades: trades.to_vec(),
                builder: VenueBook::new(),
            }],
        }
    }

    fn apply(&mut self, handle: Handle, offset: i64, event: &Event<'_>) {
        let Some(log) = self.instruments.get_mut(handle.0 as usize) else {
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
                log.book.push(offset);
                let builder = &mut log.builder;
                let _outcome = builder.snapshot(number, origin, bids, asks, seq, &mut changes);
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                log.book.push(offset);
                let builder = &mut log.builder;
                let _outcome =
                    builder.delta(seq, Nanos(0), link, origin, time, bids, asks, &mut changes);
            }
            Event::Trades { .. } => log.trades.push(offset),
            Event::Status { .. } | Event::Definition { .. } | Event::Nothing => {}
        }
    }

    /// Returns whether the book of every instrument is live.
    pub(crate) fn is_live(&self) -> bool {
        self.instruments.iter().all(|log| log.builder.is_live())
    }

    /// The offsets of the records that a stream of an instrument has messages for.
    pub(crate) fn offsets(&self, instrument: usize, is_book: bool) -> &[i64] {
        let log = &self.instruments[instrument];
        if is_book { &log.book } else { &log.trades }
    }

    /// How many of these offsets are after `from`, up to and including `to`.
    pub(crate) fn between(&self, instrument: usize, is_book: bool, from: i64, to: i64) -> u64 {
        let offsets = self.offsets(instrument, is_book);
        let up_to = |limit: i64| offsets.partition_point(|offset| *offset <= limit);
        up_to(to).saturating_sub(up_to(from)) as u64
    }

    /// The book at the end of the log.
    pub(crate) fn book(&self, instrument: usize) -> &Book {
        self.instruments[instrument].builder.book()
    }
}

/// The name of an instrument as `loadtest publish` numbers them, from 1.
pub(crate) fn name(number: usize) -> anyhow::Result<InstrumentName> {
    Ok(InstrumentName::new("LOAD", &format!("I{number:05}"))?)
}
