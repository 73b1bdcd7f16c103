use market::{
    Bbo, Decimals, Exponents, InstrumentName, Level, Link, Nanos, Price, Reason, SavedBook,
    SavedDelta, Seq, Size, State,
};

use super::bars;
use super::reader::Reader;
use super::{
    BookPart, Checkpoint, DayPart, SavedHome, SavedPlace, StatusPart, TickerPart, TradesPart,
};
use crate::candle::Candle;

/// What every checkpoint begins with.
const MAGIC: [u8; 8] = *b"TAPECKPT";
/// The version of what follows; one that only adds sections stays the same.
const VERSION: u16 = 1;
/// Magic, version, two bytes of zeros, the body's length and its CRC-32.
const HEAD: usize = 20;
/// What a level takes.
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

/// Why bytes are no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// They begin with something else.
    #[error("it is no checkpoint")]
    Magic,
    /// They are of another version.
    #[error("its version is {0}, and only 1 is known")]
    Version(u16),
    /// They end too early.
    #[error("it is cut off")]
    Truncated,
    /// They are not what was written.
    #[error("its checksum is {told:08x}, and {found:08x} is found")]
    Checksum {
        /// What it says.
        told: u32,
        /// What it is.
        found: u32,
    },
    /// A field has a value that it cannot have.
    #[error("its field {0} has no value that it may have")]
    Value(&'static str),
    /// A section is missing.
    #[error("its section {0} is missing")]
    Missing(&'static str),
}

impl Checkpoint {
    /// Appends it as bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&[0; HEAD - 10]);
        section(out, section::INSTRUMENT, |out| {
            text(out, self.name.as_str());
            out.extend_from_slice(&self.exponents.price.to_le_bytes());
            out.extend_from_slice(&self.exponents.size.to_le_bytes());
            option(out, self.defined, |out, (tick, lot)| {
                option(out, tick, |out, Price(tick)| put(out, tick));
                option(out, lot, |out, Size(lot)| put(out, lot));
            });
            out.push(u8::from(self.halted));
        });
        if let Some(home) = &self.reference {
            section(out, section::REFERENCE, |out| put_home(out, home));
        }
        if let Some(part) = &self.book {
            section(out, section::BOOK, |out| put_book_part(out, part));
        }
        if let Some(part) = &self.trades {
            section(out, section::TRADES, |out| {
                put_home(out, &part.home);
                put_place(out, &part.last);
                put_broken(out, part.broken);
            });
        }
        if let Some(part) = &self.ticker {
            section(out, section::TICKER, |out| {
                put_place(out, &part.at);
                put_count(out, part.parts.len());
                part.parts.iter().for_each(|part| put_day_part(out, part));
            });
        }
        if let Some(part) = &self.bars {
            section(out, section::BARS, |out| bars::put(out, part));
        }
        section(out, section::STATUS, |out| {
            put_state(out, self.status.state, self.status.reason);
            out.push(u8::from(self.status.begun));
            put_place(out, &self.status.last);
        });
        let body = begin + HEAD;
        // A book is bounded far below 4 GiB.
        let length = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
        let checksum = crc32fast::hash(&out[body..]);
        out[body - 8..body - 4].copy_from_slice(&length.to_le_bytes());
        out[body - 4..body].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Reads what [`Checkpoint::encode`] wrote.
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
        let told = reader.u32()?;
        let body = reader.take(length)?;
        let found = crc32fast::hash(body);
        if told != found {
            return Err(CheckpointError::Checksum { told, found });
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
                    home: home(&mut of)?,
                    last: place(&mut of)?,
                    broken: broken(&mut of)?,
                });
            }
            section::STATUS => {
                let (state, reason) = state(&mut of)?;
                status = Some(StatusPart {
                    state,
                    reason,
                    begun: of.flag("begun")?,
                    last: place(&mut of)?,
                });
            }
            section::TICKER => ticker = Some(ticker_part(&mut of)?),
            section::BARS => bars = Some(bars::read(&mut of)?),
            section::REFERENCE => reference = Some(home(&mut of)?),
            // Of a later version.
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
    put_home(out, &part.home);
    put_place(out, &part.last);
    out.push(u8::from(part.founded));
    put_broken(out, part.broken);
    option(out, part.bbo.bid, put_level);
    option(out, part.bbo.ask, put_level);
    put_place(out, &part.bbo_last);
    let book = &part.book;
    out.push(u8::from(book.live));
    option(out, book.venue_seq, put_u64);
    option(out, book.window, put_u64);
    out.push(book.decimals.price);
    out.push(book.decimals.size);
    put_levels(out, &book.bids);
    put_levels(out, &book.asks);
    put_count(out, book.recent.len());
    for delta in &book.recent {
        put(out, delta.offset.0);
        put_u64(out, delta.link.prev);
        put_u64(out, delta.link.seq);
        option(out, delta.time, |out, Nanos(time)| put_u64(out, time));
        put_u64(out, delta.log_time.0);
        put_levels(out, &delta.bids);
        put_levels(out, &delta.asks);
    }
}

fn book_part(reader: &mut Reader<'_>) -> Result<BookPart, CheckpointError> {
    /// A delta without levels and without the venue's time.
    const LEAST_DELTA: usize = 8 + 8 + 8 + 1 + 8 + 4 + 4;
    let home = home(reader)?;
    let last = place(reader)?;
    let founded = reader.flag("founded")?;
    let broken = broken(reader)?;
    let bbo = Bbo {
        bid: reader.option("best bid", level)?,
        ask: reader.option("best ask", level)?,
    };
    let bbo_last = place(reader)?;
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
            link: Link {
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
        home,
        last,
        founded,
        broken,
        bbo,
        bbo_last,
        book,
    })
}

fn put_day_part(out: &mut Vec<u8>, part: &DayPart) {
    let candle = &part.candle;
    put_u64(out, part.number);
    for Price(price) in [candle.open, candle.high, candle.low, candle.close] {
        put(out, price);
    }
    out.extend_from_slice(&candle.volume.to_le_bytes());
    out.extend_from_slice(&candle.trades.to_le_bytes());
    option(out, part.notional, |out, notional| {
        out.extend_from_slice(&notional.to_le_bytes());
    });
}

fn ticker_part(reader: &mut Reader<'_>) -> Result<TickerPart, CheckpointError> {
    /// One whose sum of price × size is none.
    const LEAST_PART: usize = 8 + 4 * 8 + 16 + 4 + 1;
    let at = place(reader)?;
    let count = reader.count(LEAST_PART)?;
    let part = |reader: &mut Reader<'_>| {
        Ok(DayPart {
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
    let parts = (0..count).map(|_| part(reader)).collect::<Result<_, _>>()?;
    Ok(TickerPart { at, parts })
}

fn put_home(out: &mut Vec<u8>, home: &SavedHome) {
    text(out, &home.topic);
    out.extend_from_slice(&home.topic_id);
    out.extend_from_slice(&home.partition.to_le_bytes());
    put(out, home.heard.0);
    put(out, home.read_to.0);
}

fn home(reader: &mut Reader<'_>) -> Result<SavedHome, CheckpointError> {
    Ok(SavedHome {
        topic: reader.text("topic")?.into(),
        topic_id: reader.array()?,
        partition: reader.i32()?,
        heard: Seq(reader.i64()?),
        read_to: Seq(reader.i64()?),
    })
}

pub(super) fn put_place(out: &mut Vec<u8>, place: &SavedPlace) {
    put(out, place.seq.0);
    option(out, place.event_time, |out, Nanos(time)| put_u64(out, time));
    put_u64(out, place.log_time.0);
}

pub(super) fn place(reader: &mut Reader<'_>) -> Result<SavedPlace, CheckpointError> {
    Ok(SavedPlace {
        seq: Seq(reader.i64()?),
        event_time: reader.option("event time", Reader::u64)?.map(Nanos),
        log_time: Nanos(reader.u64()?),
    })
}

fn put_broken(out: &mut Vec<u8>, broken: Option<(State, Reason)>) {
    option(out, broken, |out, (state, reason)| {
        put_state(out, state, reason);
    });
}

fn broken(reader: &mut Reader<'_>) -> Result<Option<(State, Reason)>, CheckpointError> {
    reader.option("broken", state)
}

/// Their places among all states and reasons.
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
    put(out, level.price.0);
    put(out, level.size.0);
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

fn option<T>(out: &mut Vec<u8>, value: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(out, value);
    }
}

fn put(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
}

/// A name of an instrument or of a topic: at most 249 bytes.
fn text(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
