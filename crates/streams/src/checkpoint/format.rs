use market::{
    Bbo, Decimals, Exponents, InstrumentName, Level, Nanos, Price, Reason, SavedBook, SavedDelta,
    Seq, SeqLink, Size, State,
};

use super::bars;
use super::fields::{put_count, put_i64, put_option, put_stamp, put_u64, stamp};
use super::reader::Reader;
use super::{
    BookPart, Checkpoint, CheckpointError, SavedSource, StatusPart, TickerPart, TradesPart,
};
use crate::candle::Candle;
use crate::day::DayBucket;

/// The first bytes of every checkpoint.
const MAGIC: [u8; 8] = *b"TAPECKPT";
/// The version of the format. Adding sections does not change it.
const VERSION: u16 = 1;
/// The header: magic, version, two zero bytes, the body's length and its CRC-32.
const HEAD: usize = 20;
/// The encoded size of a level.
const LEVEL: usize = 16;

mod section {
    pub(super) const INSTRUMENT: u16 = 1;
    pub(super) const BOOK: u16 = 2;
    pub(super) const TRADES: u16 = 3;
    pub(super) const STATUS: u16 = 4;
    pub(super) const REFERENCE: u16 = 5;
    pub(super) const TICKER: u16 = 6;
    pub(super) const BARS: u16 = 7;
}

impl Checkpoint {
    /// Appends the encoded checkpoint.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; HEAD - 10]);
        section(out, section::INSTRUMENT, |out| {
            text(out, self.name.as_str());
            out.extend_from_slice(&self.exponents.price.to_le_bytes());
            out.extend_from_slice(&self.exponents.size.to_le_bytes());
            put_option(out, self.defined, |out, (tick, lot)| {
                put_option(out, tick, |out, Price(tick)| put_i64(out, tick));
                put_option(out, lot, |out, Size(lot)| put_i64(out, lot));
            });
            out.push(u8::from(self.halted));
        });
        if let Some(source) = &self.reference {
            section(out, section::REFERENCE, |out| put_source(out, source));
        }
        if let Some(part) = &self.book {
            section(out, section::BOOK, |out| put_book_part(out, part));
        }
        if let Some(part) = &self.trades {
            section(out, section::TRADES, |out| {
                put_source(out, &part.source);
                put_stamp(out, &part.last);
                put_broken(out, part.broken);
            });
        }
        if let Some(part) = &self.ticker {
            section(out, section::TICKER, |out| {
                put_stamp(out, &part.at);
                put_count(out, part.buckets.len());
                part.buckets
                    .iter()
                    .for_each(|bucket| put_day_bucket(out, bucket));
            });
        }
        if let Some(part) = &self.bars {
            section(out, section::BARS, |out| bars::put(out, part));
        }
        section(out, section::STATUS, |out| {
            put_state(out, self.status.state, self.status.reason);
            out.push(u8::from(self.status.begun));
            put_stamp(out, &self.status.last);
        });
        let body = begin + HEAD;
        // The limit of a book is far below 4 GiB.
        let length = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
        let checksum = crc32fast::hash(&out[body..]);
        out[body - 8..body - 4].copy_from_slice(&length.to_le_bytes());
        out[body - 4..body].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Decodes what [`Checkpoint::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut reader = Reader::new(bytes);
        if reader
            .take(MAGIC.len())
            .map_err(|_| CheckpointError::Magic)?
            != MAGIC
        {
            return Err(CheckpointError::Magic);
        }
        match reader.u16()? {
            VERSION => {}
            other => return Err(CheckpointError::Version(other)),
        }
        reader.u16()?;
        let length = usize::try_from(reader.u32()?).map_err(|_| CheckpointError::Truncated)?;
        let expected = reader.u32()?;
        let body = reader.take(length)?;
        let found = crc32fast::hash(body);
        if expected != found {
            return Err(CheckpointError::Checksum { expected, found });
        }
        sections(Reader::new(body))
    }
}

fn sections(mut body: Reader<'_>) -> Result<Checkpoint, CheckpointError> {
    let (mut instrument, mut status) = (None, None);
    let (mut book, mut trades, mut reference) = (None, None, None);
    let (mut ticker, mut bars) = (None, None);
    while !body.is_empty() {
        let tag = body.u16()?;
        let length = usize::try_from(body.u32()?).map_err(|_| CheckpointError::Truncated)?;
        let mut of = Reader::new(body.take(length)?);
        match tag {
            section::INSTRUMENT => instrument = Some(instrument_of(&mut of)?),
            section::BOOK => book = Some(book_part(&mut of)?),
            section::TRADES => {
                trades = Some(TradesPart {
                    source: source(&mut of)?,
                    last: stamp(&mut of)?,
                    broken: broken(&mut of)?,
                });
            }
            section::STATUS => {
                let (state, reason) = state(&mut of)?;
                status = Some(StatusPart {
                    state,
                    reason,
                    begun: of.flag("begun")?,
                    last: stamp(&mut of)?,
                });
            }
            section::TICKER => ticker = Some(ticker_part(&mut of)?),
            section::BARS => bars = Some(bars::read(&mut of)?),
            section::REFERENCE => reference = Some(source(&mut of)?),
            // Added by a later version.
            _ => {}
        }
    }
    let (name, exponents, defined, halted) =
        instrument.ok_or(CheckpointError::Missing("instrument"))?;
    Ok(Checkpoint {
        name,
        exponents,
        defined,
        halted,
        reference,
        book,
        trades,
        ticker,
        bars,
        status: status.ok_or(CheckpointError::Missing("status"))?,
    })
}

type Defined = Option<(Option<Price>, Option<Size>)>;

fn instrument_of(
    reader: &mut Reader<'_>,
) -> Result<(InstrumentName, Exponents, Defined, bool), CheckpointError> {
    let name =
        InstrumentName::parse(reader.text("name")?).map_err(|_| CheckpointError::Value("name"))?;
    let exponents = Exponents {
        price: reader.i8()?,
        size: reader.i8()?,
    };
    let defined = reader.option("defined", |reader| {
        let tick = reader.option("tick size", Reader::i64)?.map(Price);
        let lot = reader.option("lot size", Reader::i64)?.map(Size);
        Ok((tick, lot))
    })?;
    Ok((name, exponents, defined, reader.flag("halted")?))
}

fn put_book_part(out: &mut Vec<u8>, part: &BookPart) {
    put_source(out, &part.source);
    put_stamp(out, &part.last);
    out.push(u8::from(part.has_snapshot));
    put_broken(out, part.broken);
    put_option(out, part.bbo.bid, put_level);
    put_option(out, part.bbo.ask, put_level);
    put_stamp(out, &part.bbo_last);
    let book = &part.book;
    out.push(u8::from(book.live));
    put_option(out, book.venue_seq, put_u64);
    put_option(out, book.window, put_u64);
    out.push(book.decimals.price);
    out.push(book.decimals.size);
    put_levels(out, &book.bids);
    put_levels(out, &book.asks);
    put_count(out, book.recent.len());
    for delta in &book.recent {
        put_i64(out, delta.offset.0);
        put_u64(out, delta.link.prev);
        put_u64(out, delta.link.seq);
        put_option(out, delta.time, |out, Nanos(time)| put_u64(out, time));
        put_u64(out, delta.log_time.0);
        put_levels(out, &delta.bids);
        put_levels(out, &delta.asks);
    }
}

fn book_part(reader: &mut Reader<'_>) -> Result<BookPart, CheckpointError> {
    /// The size of a delta without levels and event time.
    const LEAST_DELTA: usize = 8 + 8 + 8 + 1 + 8 + 4 + 4;
    let source = source(reader)?;
    let last = stamp(reader)?;
    let has_snapshot = reader.flag("has snapshot")?;
    let broken = broken(reader)?;
    let bbo = Bbo {
        bid: reader.option("best bid", level)?,
        ask: reader.option("best ask", level)?,
    };
    let bbo_last = stamp(reader)?;
    let mut book = SavedBook {
        live: reader.flag("live")?,
        venue_seq: reader.option("venue seq", Reader::u64)?,
        window: reader.option("window", Reader::u64)?,
        decimals: Decimals {
            price: reader.u8()?,
            size: reader.u8()?,
        },
        bids: levels(reader)?,
        asks: levels(reader)?,
        recent: Vec::new(),
    };
    for _ in 0..reader.count(LEAST_DELTA)? {
        book.recent.push(SavedDelta {
            offset: Seq(reader.i64()?),
            link: SeqLink {
                prev: reader.u64()?,
                seq: reader.u64()?,
            },
            time: reader.option("time", Reader::u64)?.map(Nanos),
            log_time: Nanos(reader.u64()?),
            bids: levels(reader)?,
            asks: levels(reader)?,
        });
    }
    Ok(BookPart {
        source,
        last,
        has_snapshot,
        broken,
        bbo,
        bbo_last,
        book,
    })
}

fn put_day_bucket(out: &mut Vec<u8>, part: &DayBucket) {
    let candle = &part.candle;
    put_u64(out, part.number);
    for Price(price) in [candle.open, candle.high, candle.low, candle.close] {
        put_i64(out, price);
    }
    out.extend_from_slice(&candle.volume.to_le_bytes());
    out.extend_from_slice(&candle.trades.to_le_bytes());
    put_option(out, part.notional, |out, notional| {
        out.extend_from_slice(&notional.to_le_bytes());
    });
}

fn ticker_part(reader: &mut Reader<'_>) -> Result<TickerPart, CheckpointError> {
    /// The size of a bucket without `notional`.
    const LEAST_BUCKET: usize = 8 + 4 * 8 + 16 + 4 + 1;
    let at = stamp(reader)?;
    let count = reader.count(LEAST_BUCKET)?;
    let bucket = |reader: &mut Reader<'_>| {
        Ok(DayBucket {
            number: reader.u64()?,
            candle: Candle {
                open: Price(reader.i64()?),
                high: Price(reader.i64()?),
                low: Price(reader.i64()?),
                close: Price(reader.i64()?),
                volume: reader.i128()?,
                trades: reader.u32()?,
            },
            notional: reader.option("notional", Reader::i128)?,
        })
    };
    let buckets = (0..count)
        .map(|_| bucket(reader))
        .collect::<Result<_, _>>()?;
    Ok(TickerPart { at, buckets })
}

fn put_source(out: &mut Vec<u8>, source: &SavedSource) {
    text(out, &source.topic);
    out.extend_from_slice(&source.topic_id);
    out.extend_from_slice(&source.partition.to_le_bytes());
    put_i64(out, source.last_record.0);
    put_i64(out, source.read_to.0);
}

fn source(reader: &mut Reader<'_>) -> Result<SavedSource, CheckpointError> {
    Ok(SavedSource {
        topic: reader.text("topic")?.into(),
        topic_id: reader.array()?,
        partition: reader.i32()?,
        last_record: Seq(reader.i64()?),
        read_to: Seq(reader.i64()?),
    })
}

fn put_broken(out: &mut Vec<u8>, broken: Option<(State, Reason)>) {
    put_option(out, broken, |out, (state, reason)| {
        put_state(out, state, reason);
    });
}

fn broken(reader: &mut Reader<'_>) -> Result<Option<(State, Reason)>, CheckpointError> {
    reader.option("broken", state)
}

/// States and reasons are encoded as their indices in `ALL`.
fn put_state(out: &mut Vec<u8>, state: State, reason: Reason) {
    let index = |found: Option<usize>| found.and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
    out.push(index(State::ALL.iter().position(|one| *one == state)));
    out.push(index(Reason::ALL.iter().position(|one| *one == reason)));
}

fn state(reader: &mut Reader<'_>) -> Result<(State, Reason), CheckpointError> {
    let state = State::ALL.get(usize::from(reader.u8()?)).copied();
    let reason = Reason::ALL.get(usize::from(reader.u8()?)).copied();
    state.zip(reason).ok_or(CheckpointError::Value("state"))
}

fn put_levels(out: &mut Vec<u8>, levels: &[Level]) {
    put_count(out, levels.len());
    out.reserve(levels.len() * LEVEL);
    for level in levels {
        put_level(out, *level);
    }
}

fn levels(reader: &mut Reader<'_>) -> Result<Vec<Level>, CheckpointError> {
    (0..reader.count(LEVEL)?).map(|_| level(reader)).collect()
}

fn put_level(out: &mut Vec<u8>, level: Level) {
    put_i64(out, level.price.0);
    put_i64(out, level.size.0);
}

fn level(reader: &mut Reader<'_>) -> Result<Level, CheckpointError> {
    Ok(Level {
        price: Price(reader.i64()?),
        size: Size(reader.i64()?),
    })
}

fn section(out: &mut Vec<u8>, tag: u16, write: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&tag.to_le_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Encodes the name of an instrument or a topic, which has at most 249 bytes.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
