//! From JSON text to answers, for clients. Unknown fields are of a later version, and
//! are ignored.

use market::{Channel, Epoch, Exponents, InstrumentId, InstrumentName, Nanos, Seq, State};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::Fields;
use super::{
    Answer, ControlError, Earliest, ErrorCode, InstrumentEntry, Outcome, Policy, RequestId,
    StartKind, StartReason, StreamError, StreamKey, Subscribed, Unsubscribed, parse,
};
use crate::View;

/// Why a text is not an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is not JSON, or a field has the wrong type.
    #[error("no answer: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing.
    #[error("answer field {0} is missing")]
    Missing(&'static str),
    /// A field has an unexpected value.
    #[error("answer field {field} is {value:?}")]
    Value {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A stream is described in a way in which it cannot be requested.
    #[error("answer field stream: {0}")]
    Stream(#[from] ControlError),
}

impl Answer {
    /// Parses an answer.
    pub fn parse(text: &str) -> Result<Self, AnswerError> {
        let RawAnswer {
            op,
            id,
            results,
            instruments,
            next,
            time,
            error,
        } = serde_json::from_str(text)?;
        let id = id.map(|id| match id {
            RawId::Number(number) => RequestId::Number(number),
            RawId::Text(text) => RequestId::Text(text),
        });
        match op.as_str() {
            "subscribed" => {
                let results = outcomes(results, RawOutcome::subscribed)?;
                Ok(Self::Subscribed { id, results })
            }
            "unsubscribed" => {
                let results = outcomes(results, RawOutcome::unsubscribed)?;
                Ok(Self::Unsubscribed { id, results })
            }
            "updated" => {
                let results = outcomes(results, RawOutcome::subscribed)?;
                Ok(Self::Updated { id, results })
            }
            "instruments" => {
                let instruments = need("instruments", instruments)?;
                let entries = instruments.into_iter().map(RawInstrument::entry);
                Ok(Self::Instruments {
                    id,
                    instruments: entries.collect::<Result<_, _>>()?,
                    next: next
                        .map(|name| InstrumentName::parse(&name).map_err(|_| wrong("next", name)))
                        .transpose()?,
                })
            }
            "pong" => {
                let time = need("time", time)?;
                let time = time.parse().map(Nanos).map_err(|_| wrong("time", time))?;
                Ok(Self::Pong { id, time })
            }
            "error" => {
                let error = need("error", error)?.error();
                Ok(Self::Error { id, error })
            }
            _ => Err(wrong("op", op)),
        }
    }
}

#[derive(Deserialize)]
struct RawAnswer<'a> {
    op: String,
    id: Option<RawId>,
    #[serde(borrow)]
    results: Option<Vec<RawOutcome<'a>>>,
    instruments: Option<Vec<RawInstrument>>,
    next: Option<String>,
    time: Option<String>,
    error: Option<RawError>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawId {
    Number(serde_json::Number),
    Text(String),
}

#[derive(Deserialize)]
struct RawError {
    code: String,
    message: String,
    earliest: Option<RawEarliest>,
    more: Option<u64>,
}

#[derive(Deserialize)]
struct RawEarliest {
    time: String,
    seq: i64,
}

impl RawError {
    fn error(self) -> ControlError {
        let earliest = self.earliest.and_then(|earliest| {
            Some(Earliest {
                time: Nanos(earliest.time.parse().ok()?),
                seq: Seq(earliest.seq),
            })
        });
        ControlError {
            earliest,
            more: self.more,
            ..ControlError::new(ErrorCode::read(&self.code), self.message)
        }
    }
}

#[derive(Deserialize)]
struct RawOutcome<'a> {
    #[serde(borrow)]
    stream: &'a RawValue,
    ok: bool,
    instrument: Option<u64>,
    view: Option<u32>,
    epoch: Option<u32>,
    price_exponent: Option<i8>,
    size_exponent: Option<i8>,
    start: Option<String>,
    reason: Option<String>,
    error: Option<RawError>,
}

impl RawOutcome<'_> {
    fn subscribed(self) -> Result<Subscribed, AnswerError> {
        let (stream, policy) = self.stream()?;
        let start = need("start", self.start)?;
        Ok(Subscribed {
            stream,
            policy,
            instrument: InstrumentId(need("instrument", self.instrument)?),
            view: View(need("view", self.view)?),
            epoch: Epoch(need("epoch", self.epoch)?),
            exponents: Exponents {
                price: need("price_exponent", self.price_exponent)?,
                size: need("size_exponent", self.size_exponent)?,
            },
            start: [StartKind::Resumed, StartKind::Snapshot]
                .into_iter()
                .find(|kind| kind.name() == start)
                .ok_or_else(|| wrong("start", start))?,
            reason: self.reason.as_deref().map(StartReason::read),
        })
    }

    fn unsubscribed(self) -> Result<Unsubscribed, AnswerError> {
        let (stream, _) = self.stream()?;
        Ok(Unsubscribed { stream })
    }

    fn stream(&self) -> Result<(StreamKey, Policy), ControlError> {
        let fields = Fields::read(self.stream.get(), "stream")?;
        let policy = fields.get("policy").map(parse::policy).transpose()?;
        Ok((parse::key(&fields)?, policy.unwrap_or_default()))
    }
}

fn outcomes<'a, T>(
    results: Option<Vec<RawOutcome<'a>>>,
    read: impl Fn(RawOutcome<'a>) -> Result<T, AnswerError>,
) -> Result<Vec<Outcome<T>>, AnswerError> {
    let read_one = |outcome: RawOutcome<'a>| {
        if outcome.ok {
            return read(outcome).map(Ok);
        }
        Ok(Err(StreamError {
            stream: outcome.stream.get().to_owned(),
            error: need("error", outcome.error)?.error(),
        }))
    };
    need("results", results)?
        .into_iter()
        .map(read_one)
        .collect()
}

#[derive(Deserialize)]
struct RawInstrument {
    symbol: String,
    instrument: u64,
    price_exponent: i8,
    size_exponent: i8,
    state: String,
    channels: Vec<String>,
}

impl RawInstrument {
    fn entry(self) -> Result<InstrumentEntry, AnswerError> {
        let state = State::ALL
            .into_iter()
            .find(|state| state.name() == self.state);
        Ok(InstrumentEntry {
            symbol: InstrumentName::parse(&self.symbol)
                .map_err(|_| wrong("symbol", self.symbol))?,
            instrument: InstrumentId(self.instrument),
            exponents: Exponents {
                price: self.price_exponent,
                size: self.size_exponent,
            },
            state: state.ok_or_else(|| wrong("state", self.state))?,
            // An unknown channel is of a later version, and cannot be requested.
            channels: self
                .channels
                .iter()
                .filter_map(|name| Channel::from_name(name))
                .collect(),
        })
    }
}

fn need<T>(field: &'static str, value: Option<T>) -> Result<T, AnswerError> {
    value.ok_or(AnswerError::Missing(field))
}

const fn wrong(field: &'static str, value: String) -> AnswerError {
    AnswerError::Value { field, value }
}
