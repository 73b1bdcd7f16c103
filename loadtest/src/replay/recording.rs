use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::bufread::MultiGzDecoder;
use ingest::{Format, RawRecord, Source};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A capture in memory, as records of Kafka.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) name: String,
    /// The topics, of one partition each.
    pub(super) sources: Vec<Source>,
    values: Vec<u8>,
    keys: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    source: usize,
    value: Range<usize>,
    key: Range<usize>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: &'a RawValue,
}

#[derive(Deserialize)]
struct Own<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
}

impl Recording {
    /// Creates one without records.
    pub(super) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            sources: Vec::new(),
            values: Vec::new(),
            keys: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Appends a record of a topic, which is created if new.
    pub(super) fn push(
        &mut self,
        topic: usize,
        source: impl Fn(usize) -> anyhow::Result<Source>,
        value: &[u8],
    ) -> anyhow::Result<()> {
        while topic >= self.sources.len() {
            self.sources.push(source(self.sources.len())?);
        }
        self.append(topic, "", value);
        Ok(())
    }

    /// Reads a file.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let mut recording = Self::empty(&path.display().to_string());
        let mut file = BufReader::new(
            File::open(path).with_context(|| format!("cannot read {}", path.display()))?,
        );
        let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let lines: Box<dyn BufRead> = if packed {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        let named = Named::of(path);
        let mut topics = HashMap::new();
        for (number, line) in (1..).zip(lines.split(b'\n')) {
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            if !line.is_empty() {
                recording
                    .add(&line, &named, &mut topics)
                    .with_context(|| format!("{}:{number}", path.display()))?;
            }
        }
        if recording.entries.is_empty() {
            bail!("there is no record in {}", path.display());
        }
        Ok(recording)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all values.
    pub(super) fn bytes(&self) -> usize {
        self.values.len()
    }

    /// Every record, with the index of its topic.
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, RawRecord<'_>)> {
        self.entries.iter().map(|entry| {
            let record = RawRecord {
                source: &self.sources[entry.source],
                key: Some(&self.keys[entry.key.clone()]),
                payload: Some(&self.values[entry.value.clone()]),
            };
            (entry.source, record)
        })
    }

    fn add(
        &mut self,
        line: &[u8],
        named: &Named,
        topics: &mut HashMap<String, usize>,
    ) -> anyhow::Result<()> {
        let text = std::str::from_utf8(line).context("is no text")?;
        if let Some(value) = received(text) {
            let format = named.format.context(
                "is of a session, and the file is not named after a venue, as KRAKEN.ws.50.0.gz is",
            )?;
            let venue = format.venue().unwrap_or_default();
            self.put(
                topics,
                (format.name(), format, venue, ""),
                "",
                value.as_bytes(),
            );
        } else if line.first().is_some_and(u8::is_ascii_digit) {
            let (_, value) = text.split_once(' ').context("has no space")?;
            let symbol = named.symbol.as_str();
            let topic = ("binance", Format::Binance, "BINANCE", symbol);
            self.put(topics, topic, symbol, value.as_bytes());
        } else if line.first() != Some(&b'{') {
            // Requests of the recorded client and their answers.
        } else if let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(line) {
            let key = envelope.key.unwrap_or_default();
            let topic = (envelope.topic.as_ref(), Format::Cryptofeed, "", "");
            self.put(topics, topic, &key, envelope.value.get().as_bytes());
        } else {
            let own: Own<'_> = serde_json::from_slice(line).context("is no record")?;
            self.put(
                topics,
                ("tapecast", Format::Tapecast, "", ""),
                &own.symbol,
                line,
            );
        }
        Ok(())
    }

    /// Appends a record of a topic with that name, format, venue and symbol.
    fn put(
        &mut self,
        topics: &mut HashMap<String, usize>,
        (topic, format, venue, symbol): (&str, Format, &str, &str),
        key: &str,
        value: &[u8],
    ) {
        let source = *topics.entry(topic.to_owned()).or_insert_with(|| {
            self.sources.push(Source {
                topic: topic.to_owned(),
                format,
                venue: venue.to_owned(),
                symbol: (!symbol.is_empty()).then(|| symbol.to_owned()),
                mapping: None,
            });
            self.sources.len() - 1
        });
        self.append(source, key, value);
    }

    fn append(&mut self, source: usize, key: &str, value: &[u8]) {
        let append = |to: &mut Vec<u8>, bytes: &[u8]| {
            let start = to.len();
            to.extend_from_slice(bytes);
            start..to.len()
        };
        let entry = Entry {
            source,
            value: append(&mut self.values, value),
            key: append(&mut self.keys, key.as_bytes()),
        };
        self.entries.push(entry);
    }
}

/// What the name of a file says about its contents.
struct Named {
    /// `btcusdt_20240808.gz` has `BTCUSDT`.
    symbol: String,
    /// `KRAKEN.ws.50.0.gz` is from Kraken.
    format: Option<Format>,
}

impl Named {
    fn of(path: &Path) -> Self {
        let stem = path.file_stem().and_then(|name| name.to_str());
        let stem = stem.unwrap_or_default();
        let symbol = stem.rsplit_once('_').map_or(stem, |(symbol, _)| symbol);
        let venue = stem.split('.').next().unwrap_or_default();
        Self {
            symbol: symbol.to_ascii_uppercase(),
            format: Format::from_name(&venue.to_ascii_lowercase()),
        }
    }
}

/// The received JSON of a line `<seconds>: <JSON>`.
fn received(line: &str) -> Option<&str> {
    let (time, json) = line.split_once(": ")?;
    time.parse::<f64>().ok().map(|_| json)
}
