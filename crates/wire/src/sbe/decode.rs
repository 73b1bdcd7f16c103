//! From bytes to messages. Everything is checked once, here; reading the result cannot fail.

use market::{Aggressor, Bbo, Exponents, Level, Nanos, Price, Seq, Size};

use super::layout::{
    BAR, BBO, BOOK_DELTA, BOOK_SNAPSHOT, GO_AWAY, HEADER, HEARTBEAT, INSTRUMENT, LAG, LEVEL,
    REPLAY_COMPLETE, SCHEMA_ID, STATUS, TICKER, TRADE, TRADES, at,
};
use super::message::{Body, BookDelta, BookSnapshot, Instrument, Message};
use super::reader::{Block, Reader, Text};
use super::{DecodeError, Fault, Levels, TradeEntries};
use crate::codes::Code;
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// The messages of a WebSocket payload, in order.
///
/// After an error, iteration continues with the next message if its offset is known; otherwise
/// ([`DecodeError::ends_payload`]) it ends.
pub struct Messages<'a> {
    reader: Reader<'a>,
    ended: bool,
}

impl<'a> Messages<'a> {
    /// The messages of that payload.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(payload),
            ended: false,
        }
    }

    /// The offset of the next message in the payload.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.reader.at()
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.reader.is_empty() {
            return None;
        }
        let message = read(&mut self.reader);
        self.ended = message.as_ref().is_err_and(DecodeError::ends_payload);
        Some(message)
    }
}

impl std::iter::FusedIterator for Messages<'_> {}

impl<'a> Message<'a> {
    /// Decodes the first message of `payload`. Returns the rest of the payload as well.
    pub fn decode(payload: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader::new(payload);
        let message = read(&mut reader)?;
        Ok((message, payload.get(reader.at()..).unwrap_or_default()))
    }
}

/// Reads one message. The reader is after it then, whatever its values are, unless the
/// error says that its length is unknown.
fn read<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, DecodeError> {
    reader.begin("messageHeader");
    let begin = reader.at();
    let [l0, l1, t0, t1, s0, s1, _, _] = reader.array::<HEADER>("blockLength")?;
    let length = u16::from_le_bytes([l0, l1]);
    let template = u16::from_le_bytes([t0, t1]);
    let schema = u16::from_le_bytes([s0, s1]);
    if schema != SCHEMA_ID {
        return Err(reader.error("schemaId", begin + 4, Fault::OtherSchema(schema)));
    }
    let (head, body) = match template {
        1 => instrument(reader, length)?,
        2 => book_snapshot(reader, length)?,
        3 => book_delta(reader, length)?,
        4 => bbo(reader, length)?,
        5 => trades(reader, length)?,
        6 => ticker(reader, length)?,
        7 => bar(reader, length)?,
        8 => status(reader, length)?,
        9 => heartbeat(reader, length)?,
        10 => lag(reader, length)?,
        11 => go_away(reader, length)?,
        12 => replay_complete(reader, length)?,
        _ => return Err(reader.error("templateId", begin + 2, Fault::UnknownTemplate(template))),
    };
    Ok(Message { head, body })
}

type Parts<'a> = Result<(Head, Body<'a>), DecodeError>;

fn instrument<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(INSTRUMENT.name);
    let block: Block<'_, { INSTRUMENT.block }> = reader.block(length)?;
    let venue = reader.text("venue")?;
    let symbol = reader.text("symbol")?;
    let body = Body::Instrument(Instrument {
        exponents: Exponents {
            price: i8::from_le_bytes(block.get::<{ at::instrument::PRICE_EXPONENT }, _>()),
            size: i8::from_le_bytes(block.get::<{ at::instrument::SIZE_EXPONENT }, _>()),
        },
        state: block.code::<_, { at::instrument::STATE }>("state")?,
        tick_size: block.price::<{ at::instrument::TICK_SIZE }>(),
        lot_size: block.size::<{ at::instrument::LOT_SIZE }>(),
        venue: reader.check("venue", &venue)?,
        symbol: reader.check("symbol", &symbol)?,
    });
    Ok((block.head(), body))
}

fn book_snapshot<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(BOOK_SNAPSHOT.name);
    let block: Block<'_, { BOOK_SNAPSHOT.block }> = reader.block(length)?;
    let body = Body::BookSnapshot(BookSnapshot {
        checksum: block.u32::<{ at::book_snapshot::CHECKSUM }>(),
        chunk: u16::from_le_bytes(block.get::<{ at::book_snapshot::CHUNK }, _>()),
        chunks: u16::from_le_bytes(block.get::<{ at::book_snapshot::CHUNKS }, _>()),
        bids: levels(reader, "bids")?,
        asks: levels(reader, "asks")?,
    });
    Ok((block.head(), body))
}

fn book_delta<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(BOOK_DELTA.name);
    let block: Block<'_, { BOOK_DELTA.block }> = reader.block(length)?;
    let body = Body::BookDelta(BookDelta {
        checksum: block.u32::<{ at::book_delta::CHECKSUM }>(),
        bids: levels(reader, "bids")?,
        asks: levels(reader, "asks")?,
    });
    Ok((block.head(), body))
}

fn levels<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<Levels<'a>, DecodeError> {
    let (stride, len) = reader.group(field, LEVEL)?;
    let bytes = reader.bytes(field, stride * len)?;
    Ok(Levels::new(bytes, stride, len))
}

fn bbo<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(BBO.name);
    let block: Block<'_, { BBO.block }> = reader.block(length)?;
    let bid = side(
        block.price::<{ at::bbo::BID_PRICE }>(),
        block.size::<{ at::bbo::BID_SIZE }>(),
    )
    .ok_or_else(|| block.error::<{ at::bbo::BID_PRICE }>("bidPrice", Fault::HalfNull))?;
    let ask = side(
        block.price::<{ at::bbo::ASK_PRICE }>(),
        block.size::<{ at::bbo::ASK_SIZE }>(),
    )
    .ok_or_else(|| block.error::<{ at::bbo::ASK_PRICE }>("askPrice", Fault::HalfNull))?;
    Ok((block.head(), Body::Bbo(Bbo { bid, ask })))
}

/// One side of a `Bbo`: both of its fields are present, or neither.
const fn side(price: Option<Price>, size: Option<Size>) -> Option<Option<Level>> {
    match (price, size) {
        (Some(price), Some(size)) => Some(Some(Level { price, size })),
        (None, None) => Some(None),
        _ => None,
    }
}

fn trades<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(TRADES.name);
    let block: Block<'_, { TRADES.block }> = reader.block(length)?;
    let (stride, len) = reader.group("trades", TRADE)?;
    let rest = reader.rest();
    let begin = reader.at();
    // The first invalid value is reported at the end, so that the offset of the next message is known.
    let mut wrong = Ok(());
    for _ in 0..len {
        let entry = reader.at();
        let bytes = reader.bytes("trades", stride)?;
        let id = reader.text("tradeId")?;
        if wrong.is_ok() {
            wrong = check_trade(reader, entry, bytes, &id);
        }
    }
    wrong?;
    let bytes = rest.get(..reader.at() - begin).unwrap_or_default();
    Ok((
        block.head(),
        Body::Trades(TradeEntries::new(bytes, stride, len)),
    ))
}

fn check_trade(
    reader: &Reader<'_>,
    begin: usize,
    entry: &[u8],
    id: &Text<'_>,
) -> Result<(), DecodeError> {
    let code = entry.get(at::trade::SIDE).copied().unwrap_or_default();
    if Aggressor::from_code(code).is_none() {
        let offset = begin + at::trade::SIDE;
        return Err(reader.error("side", offset, Fault::UnknownValue(code)));
    }
    reader.check("tradeId", id).map(|_| ())
}

fn ticker<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(TICKER.name);
    let block: Block<'_, { TICKER.block }> = reader.block(length)?;
    let body = Body::Ticker(Ticker {
        open: block.price::<{ at::ticker::OPEN }>(),
        high: block.price::<{ at::ticker::HIGH }>(),
        low: block.price::<{ at::ticker::LOW }>(),
        last: block.price::<{ at::ticker::LAST }>(),
        volume: block.size::<{ at::ticker::VOLUME }>(),
        vwap: block.price::<{ at::ticker::VWAP }>(),
        change: block.price::<{ at::ticker::CHANGE }>(),
        trades: block.u32::<{ at::ticker::TRADES }>(),
    });
    Ok((block.head(), body))
}

fn bar<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(BAR.name);
    let block: Block<'_, { BAR.block }> = reader.block(length)?;
    let [closed] = block.get::<{ at::bar::CLOSED }, 1>();
    let body = Body::Bar(Bar {
        interval: block.u32::<{ at::bar::INTERVAL }>(),
        open_time: Nanos(block.u64::<{ at::bar::OPEN_TIME }>()),
        open: Price(block.i64::<{ at::bar::OPEN }>()),
        high: Price(block.i64::<{ at::bar::HIGH }>()),
        low: Price(block.i64::<{ at::bar::LOW }>()),
        close: Price(block.i64::<{ at::bar::CLOSE }>()),
        volume: Size(block.i64::<{ at::bar::VOLUME }>()),
        trades: block.u32::<{ at::bar::TRADES }>(),
        closed: match closed {
            0 => false,
            1 => true,
            _ => {
                let fault = Fault::UnknownValue(closed);
                return Err(block.error::<{ at::bar::CLOSED }>("closed", fault));
            }
        },
    });
    Ok((block.head(), body))
}

fn status<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(STATUS.name);
    let block: Block<'_, { STATUS.block }> = reader.block(length)?;
    let body = Body::Status(Status {
        channel: block.code::<_, { at::status::CHANNEL }>("channel")?,
        state: block.code::<_, { at::status::STATE }>("state")?,
        reason: block.code::<_, { at::status::REASON }>("reason")?,
    });
    Ok((block.head(), body))
}

fn heartbeat<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(HEARTBEAT.name);
    let block: Block<'_, { HEARTBEAT.block }> = reader.block(length)?;
    let channel = block.code::<_, { at::heartbeat::CHANNEL }>("channel")?;
    Ok((block.head(), Body::Heartbeat(channel)))
}

fn lag<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(LAG.name);
    let block: Block<'_, { LAG.block }> = reader.block(length)?;
    let body = Body::Lag(Lag {
        channel: block.code::<_, { at::lag::CHANNEL }>("channel")?,
        kind: block.code::<_, { at::lag::KIND }>("kind")?,
        from_seq: Seq(block.i64::<{ at::lag::FROM_SEQ }>()),
        to_seq: Seq(block.i64::<{ at::lag::TO_SEQ }>()),
        messages: block.u32::<{ at::lag::MESSAGES }>(),
        bytes: block.u64::<{ at::lag::BYTES }>(),
        age: block.u64::<{ at::lag::AGE }>(),
    });
    Ok((block.head(), body))
}

fn go_away<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(GO_AWAY.name);
    let block: Block<'_, { GO_AWAY.block }> = reader.block(length)?;
    let body = Body::GoAway(GoAway {
        reason: block.code::<_, { at::go_away::REASON }>("reason")?,
        delay: block.u32::<{ at::go_away::DELAY }>(),
        close_after: block.u32::<{ at::go_away::CLOSE_AFTER }>(),
    });
    Ok((block.head(), body))
}

fn replay_complete<'a>(reader: &mut Reader<'a>, length: u16) -> Parts<'a> {
    reader.begin(REPLAY_COMPLETE.name);
    let block: Block<'_, { REPLAY_COMPLETE.block }> = reader.block(length)?;
    let body = Body::ReplayComplete(ReplayComplete {
        channel: block.code::<_, { at::replay_complete::CHANNEL }>("channel")?,
        messages: block.u64::<{ at::replay_complete::MESSAGES }>(),
    });
    Ok((block.head(), body))
}
