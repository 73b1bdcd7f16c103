use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, bail};
use flate2::bufread::MultiGzDecoder;
use ingest::{Format, FormatOptions, RawRecord, Source};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A capture in memory, as Kafka would hand over its records.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) name: String,
    /// The topics; each is a partition of its own.
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
    /// Reads a file whole.
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let mut recording = Self {
            name: path.display().to_string(),
            sources: Vec::new(),
            values: Vec::new(),
            keys: Vec::new(),
            entries: Vec::new(),
        };
        let mut file = BufReader::new(
            File::open(path).with_context(|| format!("cannot read {}", path.display()))?,
        );
        let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let lines: Box<dyn BufRead> = if packed {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(file)
        };
        let symbol = symbol_of(path);
        let mut topics = HashMap::new();
        for (number, line) in (1..).zip(lines.split(b'\n')) {
            let line = line.with_context(|| format!("cannot read {}", path.display()))?;
            if !line.is_empty() {
                recording
                    .add(&line, &symbol, &mut topics)
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

    /// How many bytes all values have.
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
        symbol: &str,
        topics: &mut HashMap<String, usize>,
    ) -> anyhow::Result<()> {
        if line.first().is_some_and(u8::is_ascii_digit) {
            let space = line.iter().position(|byte| *byte == b' ');
            let value = &line[space.context("has no space")? + 1..];
            self.push("binance", Format::Binance, symbol, symbol, value, topics);
        } else if let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(line) {
            let key = envelope.key.unwrap_or_default();
            let value = envelope.value.get().as_bytes();
            self.push(&envelope.topic, Format::Cryptofeed, "", &key, value, topics);
        } else {
            let own: Own<'_> = serde_json::from_slice(line).context("is no record")?;
            self.push("tapecast", Format::Tapecast, "", &own.symbol, line, topics);
        }
        Ok(())
    }

    fn push(
        &mut self,
        topic: &str,
        format: Format,
        symbol: &str,
        key: &str,
        value: &[u8],
        topics: &mut HashMap<String, usize>,
    ) {
        let source = *topics.entry(topic.to_owned()).or_insert_with(|| {
            self.sources.push(Source {
                topic: topic.to_owned(),
                format,
                venue: FormatOptions::VENUE.to_owned(),
                symbol: (!symbol.is_empty()).then(|| symbol.to_owned()),
                mapping: None,
            });
            self.sources.len() - 1
        });
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

/// `btcusdt_20240808.gz` is of `BTCUSDT`.
fn symbol_of(path: &Path) -> String {
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .unwrap_or("");
    let symbol = name.rsplit_once('_').map_or(name, |(symbol, _)| symbol);
    symbol.to_ascii_uppercase()
}
