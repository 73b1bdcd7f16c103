use ingest::{DecodeError, Decoder, Format, IngestConfig, RawRecord, Resolve, Source};
use market::{Aggressor, Definition, Event, Level, Nanos, SeqLink, SnapshotOrigin, State};

use crate::instruments::Instruments;
use crate::mapped;

/// An owned event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Snapshot {
        seq: Option<u64>,
        origin: SnapshotOrigin,
        time: Option<u64>,
        bids: Vec<Level>,
        asks: Vec<Level>,
    },
    Delta {
        link: Option<SeqLink>,
        origin: SnapshotOrigin,
        time: Option<u64>,
        bids: Vec<Level>,
        asks: Vec<Level>,
    },
    /// Price, size, side, identifier.
    Trades(Option<u64>, Vec<(i64, i64, Aggressor, String)>),
    Status(Option<u64>, State),
    Definition(Option<u64>, Definition),
    Nothing,
}

impl Said {
    pub(crate) fn of(event: Event<'_>) -> Self {
        let nanos = |time: Option<Nanos>| time.map(|time| time.0);
        match event {
            Event::Snapshot {
                seq,
                origin,
                time,
                bids,
                asks,
            } => Self::Snapshot {
                seq,
                origin,
                time: nanos(time),
                bids: bids.to_vec(),
                asks: asks.to_vec(),
            },
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => Self::Delta {
                link,
                origin,
                time: nanos(time),
                bids: bids.to_vec(),
                asks: asks.to_vec(),
            },
            Event::Trades { time, trades } => {
                let owned = trades
                    .iter()
                    .map(|trade| (trade.price.0, trade.size.0, trade.side, trade.id.to_owned()));
                Self::Trades(nanos(time), owned.collect())
            }
            Event::Status { time, state } => Self::Status(nanos(time), state),
            Event::Definition { time, definition } => Self::Definition(nanos(time), definition),
            Event::Nothing => Self::Nothing,
        }
    }
}

/// A topic of a format, without options.
pub(crate) fn source(format: Format, topic: &str) -> Source {
    Source {
        topic: topic.to_owned(),
        format,
        venue: "BINANCE".to_owned(),
        symbol: None,
        mapping: (format == Format::Mapped).then(mapped::sample),
    }
}

/// The content of a record, from a new decoder.
pub(crate) fn read(source: &Source, payload: &str) -> Result<Said, DecodeError> {
    read_with(
        source,
        None,
        Some(payload.as_bytes()),
        &mut Instruments::default(),
    )
}

/// The content of a record with a key, and with these instruments.
pub(crate) fn read_with(
    source: &Source,
    key: Option<&str>,
    payload: Option<&[u8]>,
    instruments: &mut impl Resolve,
) -> Result<Said, DecodeError> {
    let record = RawRecord {
        source,
        key: key.map(str::as_bytes),
        payload,
    };
    let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
    let decoded = decoder.decode(&record, instruments)?;
    Ok(decoded
        .event()
        .map_or(Said::Nothing, |(_, event)| Said::of(event)))
}

/// A level at eight decimals, from integers.
pub(crate) fn level(price: &str, size: &str) -> Level {
    let parse = |text: &str| market::decimal::parse(text.as_bytes(), -8).unwrap();
    Level::new(parse(price), parse(size))
}
