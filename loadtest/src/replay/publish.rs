use anyhow::Context as _;
use ingest::{Decoder, IngestConfig, RawRecord};
use market::{
    At, Channel, Event, Nanos, Now, PartitionIdentity, PartitionIndex, Scope, Seq, State,
};
use streams::{Encoded, Publisher, StreamKey};
use wire::{Encoding, ViewParams};

use super::recording::Recording;
use super::resolver::Resolver;
use super::stage::Stage;

/// Subscribed channels of each instrument.
const WATCHED: [Channel; 3] = [Channel::Book, Channel::Bbo, Channel::Trades];

/// Decoder and publisher as in a node: books, logs, and frames for subscribers.
pub(super) struct Publish<'a> {
    recording: &'a Recording,
    encodings: &'a [Encoding],
    decoder: Decoder,
    resolver: Resolver,
    /// Rounds so far.
    turns: u32,
    /// Instruments with subscriptions so far.
    watched: usize,
    now: Now,
    encoded_before: Encoded,
    runs: u64,
    refused: u64,
}

impl<'a> Publish<'a> {
    /// Books and logs, without subscriptions.
    pub(super) fn unwatched(recording: &'a Recording) -> Self {
        Self::watched(recording, &[])
    }

    /// With subscriptions to the full book, bbo and trades of all instruments in these encodings.
    pub(super) fn watched(recording: &'a Recording, encodings: &'a [Encoding]) -> Self {
        Self {
            recording,
            encodings,
            decoder: Decoder::new(IngestConfig::MAX_RECORD_BYTES),
            resolver: Resolver::new(),
            turns: 0,
            watched: 0,
            now: fanout::now(),
            encoded_before: Encoded::default(),
            runs: 0,
            refused: 0,
        }
    }

    fn watch_all(&mut self) {
        for name in &self.resolver.names[self.watched..] {
            for channel in WATCHED {
                for encoding in self.encodings {
                    let key = StreamKey {
                        instrument: name.id(),
                        channel,
                        params: ViewParams::default(),
                    };
                    // Only unknown channels are rejected, and these are known.
                    let _watch =
                        self.resolver
                            .publisher
                            .open_stream(key, *encoding, self.now.monotonic);
                }
            }
        }
        self.watched = self.resolver.names.len();
    }
}

impl Stage for Publish<'_> {
    fn name(&self) -> String {
        let names: Vec<_> = self
            .encodings
            .iter()
            .map(|encoding| encoding.name())
            .collect();
        if names.is_empty() {
            "decode + apply".to_owned()
        } else {
            format!("... + encode {}", names.join("+"))
        }
    }

    fn begin(&mut self) {
        for (index, source) in (0..).map(PartitionIndex).zip(&self.recording.sources) {
            let identity = PartitionIdentity {
                topic: source.topic.as_str().into(),
                topic_id: [0; 16],
                partition: 0,
                turns: self.turns,
            };
            self.resolver
                .publisher
                .reopen(index, identity, Seq(0), self.now);
        }
        self.turns += 1;
        self.watch_all();
        self.encoded_before = self.resolver.publisher.encoded_in_all();
        (self.runs, self.refused) = (0, 0);
    }

    fn record(&mut self, index: usize, topic: usize, record: &RawRecord<'_>) -> anyhow::Result<()> {
        let at = At {
            partition: PartitionIndex(u32::try_from(topic).context("too many topics")?),
            seq: Seq(i64::try_from(index).context("too many records")?),
            // Kafka's timestamps are in ms.
            log_time: Nanos(self.now.wall.0 - self.now.wall.0 % 1_000_000),
        };
        let decoded = match self.decoder.decode(record, &mut self.resolver) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.refused += 1;
                if let Some(handle) = error.instrument {
                    let publisher = &mut self.resolver.publisher;
                    publisher.bad_record(at, handle, Scope::Unknown, self.now);
                }
                return Ok(());
            }
        };
        if let Some((handle, event)) = decoded.event() {
            let publisher = &mut self.resolver.publisher;
            publisher.event(at, handle, &event, self.now)?;
            if matches!(event, Event::Definition { .. }) {
                self.resolver.rescale(handle);
            }
        }
        Ok(())
    }

    fn batch(&mut self) {
        self.now = fanout::now();
        let publisher = &mut self.resolver.publisher;
        publisher.advance(self.now);
        self.runs += publisher.flush(self.now.monotonic).len() as u64;
    }

    fn note(&self) -> String {
        let publisher = &self.resolver.publisher;
        let encoded = publisher.encoded_in_all();
        let mut note = format!("{}, {} refused", live(publisher), self.refused);
        if self.watched > 0 && !self.encodings.is_empty() {
            let messages = encoded.messages - self.encoded_before.messages;
            let bytes = encoded.bytes - self.encoded_before.bytes;
            let runs = self.runs;
            note += &format!("; {messages} messages, {bytes} bytes, {runs} runs");
        }
        note
    }
}

fn live(publisher: &Publisher) -> String {
    let states = publisher.states();
    let live = State::ALL
        .iter()
        .zip(states)
        .find(|(state, _)| **state == State::Live);
    let live = live.map_or(0, |(_, count)| count);
    format!("{live} of {} books live", publisher.instruments())
}
