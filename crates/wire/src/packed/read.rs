use market::{Exponents, Price, Seq, Size};

use super::bits::BitReader;
use super::{head, kind, levels, numbers, trades};
use crate::codes::Code;
use crate::sbe::{DecodeError, Fault, MAX_CHUNK_LEVELS, MAX_DELTA_LEVELS};
use crate::{GoAway, Lag, OwnedBody, OwnedInstrument, OwnedMessage, ReplayComplete, Status};

/// The messages of a WebSocket payload, in order.
///
/// After an error, iteration continues with the next message if its offset is known; otherwise
/// ([`DecodeError::ends_payload`]) it ends.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Messages<'a> {
    /// The messages of that payload.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { payload, at: 0 }
    }

    /// The offset of the next message in the payload.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }

    fn read(&mut self) -> Result<OwnedMessage, DecodeError> {
        let (kind, head, mut bits) = head::read(self.payload, self.at)?;
        let Some(name) = name(kind) else {
            return Err(DecodeError {
                message: "head",
                field: "kind",
                offset: self.at,
                fault: Fault::UnknownTemplate(u16::from(kind)),
            });
        };
        bits.begin(name);
        let mut body = Body { bits, wrong: None };
        let read = body.read(kind)?;
        body.bits.finish()?;
        self.at = body.bits.byte();
        match body.wrong {
            Some(error) => Err(error),
            None => Ok(OwnedMessage { head, body: read }),
        }
    }
}

impl Iterator for Messages<'_> {
    type Item = Result<OwnedMessage, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.payload.len() {
            return None;
        }
        let message = self.read();
        if message.as_ref().is_err_and(DecodeError::ends_payload) {
            self.at = self.payload.len();
        }
        Some(message)
    }
}

impl std::iter::FusedIterator for Messages<'_> {}

const fn name(kind: u8) -> Option<&'static str> {
    Some(match kind {
        kind::INSTRUMENT => "Instrument",
        kind::BOOK_SNAPSHOT => "BookSnapshot",
        kind::BOOK_DELTA => "BookDelta",
        kind::BBO => "Bbo",
        kind::TRADES => "Trades",
        kind::TICKER => "Ticker",
        kind::BAR => "Bar",
        kind::STATUS => "Status",
        kind::HEARTBEAT => "Heartbeat",
        kind::LAG => "Lag",
        kind::GO_AWAY => "GoAway",
        kind::REPLAY_COMPLETE => "ReplayComplete",
        _ => return None,
    })
}

/// The body of a message.
struct Body<'a> {
    bits: BitReader<'a>,
    /// The first unknown value. It is reported at the end of the message, so that the offset of the next
    /// message is known.
    wrong: Option<DecodeError>,
}

impl Body<'_> {
    fn read(&mut self, kind: u8) -> Result<OwnedBody, DecodeError> {
        Ok(match kind {
            kind::INSTRUMENT => OwnedBody::Instrument(self.instrument()?),
            kind::BOOK_SNAPSHOT => self.book_snapshot()?,
            kind::BOOK_DELTA => self.book_delta()?,
            kind::BBO => OwnedBody::Bbo(numbers::read_bbo(&mut self.bits)?),
            kind::TRADES => OwnedBody::Trades(trades::read(&mut self.bits, &mut self.wrong)?),
            kind::TICKER => OwnedBody::Ticker(numbers::read_ticker(&mut self.bits)?),
            kind::BAR => OwnedBody::Bar(numbers::read_bar(&mut self.bits)?),
            kind::STATUS => OwnedBody::Status(Status {
                channel: self.code("channel")?,
                state: self.code("state")?,
                reason: self.code("reason")?,
            }),
            kind::HEARTBEAT => OwnedBody::Heartbeat(self.code("channel")?),
            kind::LAG => OwnedBody::Lag(self.lag()?),
            kind::REPLAY_COMPLETE => OwnedBody::ReplayComplete(ReplayComplete {
                channel: self.code("channel")?,
                messages: self.bits.wide("messages")?,
            }),
            _ => OwnedBody::GoAway(GoAway {
                reason: self.code("reason")?,
                delay: numbers::read_u32(&mut self.bits, "delay")?,
                close_after: numbers::read_u32(&mut self.bits, "closeAfter")?,
            }),
        })
    }

    fn code<T: Code>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        let at = self.bits.error(field, Fault::Reserved);
        let code = self.bits.byte_value(field)?;
        if let Some(value) = T::from_code(code) {
            return Ok(value);
        }
        let fault = Fault::UnknownValue(code);
        self.wrong.get_or_insert(DecodeError { fault, ..at });
        // This value is never used.
        Ok(T::VALUES[0].0)
    }

    fn text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let at = self.bits.error(field, Fault::NotUtf8);
        let bytes = self.bits.text(field)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|_| {
            self.wrong.get_or_insert(at);
            String::new()
        }))
    }

    fn instrument(&mut self) -> Result<OwnedInstrument, DecodeError> {
        Ok(OwnedInstrument {
            exponents: Exponents {
                price: self.bits.byte_value("priceExponent")?.cast_signed(),
                size: self.bits.byte_value("sizeExponent")?.cast_signed(),
            },
            state: self.code("state")?,
            tick_size: numbers::read_optional(&mut self.bits, "tickSize")?.map(Price),
            lot_size: numbers::read_optional(&mut self.bits, "lotSize")?.map(Size),
            venue: self.text("venue")?,
            symbol: self.text("symbol")?,
        })
    }

    fn book_snapshot(&mut self) -> Result<OwnedBody, DecodeError> {
        let checksum = self.bits.u32("checksum")?;
        let chunk = self.u16("chunk")?;
        let chunks = self.u16("chunks")?;
        let (bids, asks) = levels::read(&mut self.bits, MAX_CHUNK_LEVELS)?;
        Ok(OwnedBody::BookSnapshot {
            checksum,
            chunk,
            chunks,
            bids,
            asks,
        })
    }

    fn book_delta(&mut self) -> Result<OwnedBody, DecodeError> {
        let checksum = self.bits.u32("checksum")?;
        let (bids, asks) = levels::read(&mut self.bits, MAX_DELTA_LEVELS)?;
        Ok(OwnedBody::BookDelta {
            checksum,
            bids,
            asks,
        })
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        let value = self.bits.golomb(field, 0)?;
        u16::try_from(value).map_err(|_| self.bits.error(field, Fault::TooLarge))
    }

    fn lag(&mut self) -> Result<Lag, DecodeError> {
        Ok(Lag {
            channel: self.code("channel")?,
            kind: self.code("kind")?,
            from_seq: Seq(self.bits.number("fromSeq")?),
            to_seq: Seq(self.bits.number("toSeq")?),
            messages: numbers::read_u32(&mut self.bits, "messages")?,
            bytes: self.bits.wide("bytes")?,
            age: self.bits.wide("age")?,
        })
    }
}
