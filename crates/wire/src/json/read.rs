use market::decimal::{self, DecimalError};
use market::{Bbo, Epoch, Exponents, InstrumentId, Level, Nanos, Price, Seq, Size};

use super::raw::{
    RawBar, RawBbo, RawBody, RawHead, RawInstrument, RawLag, RawTicker, RawTrade, RawTrades,
};
use crate::codes::Code;
use crate::{
    Bar, GoAway, Head, Lag, OwnedBody, OwnedInstrument, OwnedMessage, OwnedTrade, ReplayComplete,
    Status, Ticker, View,
};

/// Why a text is not a data message.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not JSON, or a field is missing or has the wrong type.
    #[error("not a data message: {0}")]
    Json(#[from] serde_json::Error),
    /// The instrument's exponents are unknown, so its decimals cannot be read.
    #[error("the exponents of instrument {} are unknown", .0.0)]
    UnknownInstrument(InstrumentId),
    /// A decimal does not fit the instrument's exponents.
    #[error("{field} is {text:?}, which {source}")]
    Decimal {
        /// The field's name in the schema.
        field: &'static str,
        /// Its value.
        text: String,
        /// What is wrong with it.
        source: DecimalError,
    },
    /// The value is not one of its enum, or not a time.
    #[error("{field} is {text:?}")]
    Value {
        /// The field's name in the schema.
        field: &'static str,
        /// Its value.
        text: String,
    },
    /// Only one of a side's two fields is null.
    #[error("only one of {field} and its partner is null")]
    HalfNull {
        /// The name of the side's price in the schema.
        field: &'static str,
    },
}

/// Parses a data message. `lookup` returns the exponents of an instrument; an `Instrument` has its own.
pub fn read(
    text: &[u8],
    lookup: impl Fn(InstrumentId) -> Option<Exponents>,
) -> Result<OwnedMessage, ReadError> {
    let head = read_head(serde_json::from_slice(text)?)?;
    let scale = || {
        lookup(head.instrument)
            .map(Scale)
            .ok_or(ReadError::UnknownInstrument(head.instrument))
    };
    let body = match serde_json::from_slice(text)? {
        RawBody::Instrument(raw) => read_instrument(raw)?,
        RawBody::BookSnapshot(raw) => OwnedBody::BookSnapshot {
            checksum: raw.checksum,
            chunk: raw.chunk,
            chunks: raw.chunks,
            bids: scale()?.levels("bids", raw.bids)?,
            asks: scale()?.levels("asks", raw.asks)?,
        },
        RawBody::BookDelta(raw) => OwnedBody::BookDelta {
            checksum: raw.checksum,
            bids: scale()?.levels("bids", raw.bids)?,
            asks: scale()?.levels("asks", raw.asks)?,
        },
        RawBody::Bbo(raw) => read_bbo(scale()?, raw)?,
        RawBody::Trades(raw) => read_trades(scale()?, raw)?,
        RawBody::Ticker(raw) => read_ticker(scale()?, raw)?,
        RawBody::Bar(raw) => read_bar(scale()?, raw)?,
        RawBody::Status(raw) => OwnedBody::Status(Status {
            channel: value("channel", raw.channel)?,
            state: value("state", raw.state)?,
            reason: value("reason", raw.reason)?,
        }),
        RawBody::Heartbeat(raw) => OwnedBody::Heartbeat(value("channel", raw.channel)?),
        RawBody::Lag(raw) => read_lag(raw)?,
        RawBody::GoAway(raw) => OwnedBody::GoAway(GoAway {
            reason: value("reason", raw.reason)?,
            delay: raw.delay,
            close_after: raw.close_after,
        }),
        RawBody::ReplayComplete(raw) => OwnedBody::ReplayComplete(ReplayComplete {
            channel: value("channel", raw.channel)?,
            messages: raw.messages,
        }),
    };
    Ok(OwnedMessage { head, body })
}

fn read_head(raw: RawHead) -> Result<Head, ReadError> {
    Ok(Head {
        instrument: InstrumentId(raw.instrument_id),
        epoch: Epoch(raw.epoch),
        view: View(raw.view),
        prev_seq: Seq(raw.prev_seq),
        seq: Seq(raw.seq),
        event_time: raw
            .event_time
            .map(|text| nanos("eventTime", text).map(Nanos))
            .transpose()?,
        log_time: Nanos(nanos("logTime", raw.log_time)?),
        publish_time: Nanos(nanos("publishTime", raw.publish_time)?),
    })
}

fn read_instrument(raw: RawInstrument) -> Result<OwnedBody, ReadError> {
    let exponents = Exponents {
        price: raw.price_exponent,
        size: raw.size_exponent,
    };
    let scale = Scale(exponents);
    Ok(OwnedBody::Instrument(OwnedInstrument {
        exponents,
        state: value("state", raw.state)?,
        tick_size: scale.price_or_null("tickSize", raw.tick_size)?,
        lot_size: scale.size_or_null("lotSize", raw.lot_size)?,
        venue: raw.venue,
        symbol: raw.symbol,
    }))
}

fn read_bbo(scale: Scale, raw: RawBbo) -> Result<OwnedBody, ReadError> {
    let side = |field, price: Option<Price>, size: Option<Size>| match (price, size) {
        (Some(price), Some(size)) => Ok(Some(Level { price, size })),
        (None, None) => Ok(None),
        _ => Err(ReadError::HalfNull { field }),
    };
    let bid_price = scale.price_or_null("bidPrice", raw.bid_price)?;
    let bid_size = scale.size_or_null("bidSize", raw.bid_size)?;
    let ask_price = scale.price_or_null("askPrice", raw.ask_price)?;
    let ask_size = scale.size_or_null("askSize", raw.ask_size)?;
    Ok(OwnedBody::Bbo(Bbo {
        bid: side("bidPrice", bid_price, bid_size)?,
        ask: side("askPrice", ask_price, ask_size)?,
    }))
}

fn read_trades(scale: Scale, raw: RawTrades) -> Result<OwnedBody, ReadError> {
    let read_trade = |raw: RawTrade| {
        Ok(OwnedTrade {
            price: scale.price("price", raw.price)?,
            size: scale.size("size", raw.size)?,
            side: value("side", raw.side)?,
            id: raw.trade_id,
        })
    };
    let trades: Result<_, ReadError> = raw.trades.into_iter().map(read_trade).collect();
    Ok(OwnedBody::Trades(trades?))
}

fn read_ticker(scale: Scale, raw: RawTicker) -> Result<OwnedBody, ReadError> {
    Ok(OwnedBody::Ticker(Ticker {
        open: scale.price_or_null("open", raw.open)?,
        high: scale.price_or_null("high", raw.high)?,
        low: scale.price_or_null("low", raw.low)?,
        last: scale.price_or_null("last", raw.last)?,
        volume: scale.size_or_null("volume", raw.volume)?,
        vwap: scale.price_or_null("vwap", raw.vwap)?,
        change: scale.price_or_null("change", raw.change)?,
        trades: raw.trades,
    }))
}

fn read_bar(scale: Scale, raw: RawBar) -> Result<OwnedBody, ReadError> {
    Ok(OwnedBody::Bar(Bar {
        interval: raw.interval,
        open_time: Nanos(nanos("openTime", raw.open_time)?),
        open: scale.price("open", raw.open)?,
        high: scale.price("high", raw.high)?,
        low: scale.price("low", raw.low)?,
        close: scale.price("close", raw.close)?,
        volume: scale.size("volume", raw.volume)?,
        trades: raw.trades,
        closed: raw.closed,
    }))
}

fn read_lag(raw: RawLag) -> Result<OwnedBody, ReadError> {
    Ok(OwnedBody::Lag(Lag {
        channel: value("channel", raw.channel)?,
        kind: value("kind", raw.kind)?,
        from_seq: Seq(raw.from_seq),
        to_seq: Seq(raw.to_seq),
        messages: raw.messages,
        bytes: raw.bytes,
        age: nanos("age", raw.age)?,
    }))
}

/// The exponents of the instrument whose message is read.
#[derive(Clone, Copy)]
struct Scale(Exponents);

impl Scale {
    fn price(self, field: &'static str, text: String) -> Result<Price, ReadError> {
        mantissa(field, text, self.0.price).map(Price)
    }

    fn size(self, field: &'static str, text: String) -> Result<Size, ReadError> {
        mantissa(field, text, self.0.size).map(Size)
    }

    fn price_or_null(
        self,
        field: &'static str,
        text: Option<String>,
    ) -> Result<Option<Price>, ReadError> {
        text.map(|text| self.price(field, text)).transpose()
    }

    fn size_or_null(
        self,
        field: &'static str,
        text: Option<String>,
    ) -> Result<Option<Size>, ReadError> {
        text.map(|text| self.size(field, text)).transpose()
    }

    fn levels(self, field: &'static str, pairs: Vec<[String; 2]>) -> Result<Vec<Level>, ReadError> {
        let read_level = |[price, size]: [String; 2]| {
            Ok(Level {
                price: self.price(field, price)?,
                size: self.size(field, size)?,
            })
        };
        pairs.into_iter().map(read_level).collect()
    }
}

fn mantissa(field: &'static str, text: String, exponent: i8) -> Result<i64, ReadError> {
    decimal::parse(text.as_bytes(), exponent).map_err(|source| ReadError::Decimal {
        field,
        text,
        source,
    })
}

fn nanos(field: &'static str, text: String) -> Result<u64, ReadError> {
    text.parse().map_err(|_| ReadError::Value { field, text })
}

fn value<T: Code>(field: &'static str, text: String) -> Result<T, ReadError> {
    T::from_name(&text).ok_or(ReadError::Value { field, text })
}
