//! From JSON text to requests. Every error names the field, its value and the values allowed.

use market::{Channel, Epoch, Nanos, Seq};
use serde_json::value::RawValue;

use super::fields::{Field, Fields, listed};
use super::{
    ControlError, ErrorCode, Pace, Policy, Refusal, Request, RequestId, Resume, Start,
    StreamChange, StreamError, StreamKey, StreamRequest, StreamUpdate, Symbol,
};
use crate::{BarInterval, Depth, PriceStep, Speed};

const OPS: &str = "subscribe, unsubscribe, update, list or ping";
const DEPTHS: &str = "1, 5, 10, 25, 50, 100, 500, 1000 or \"full\"";
const GROUPS: &str = "a price step above zero, as in \"0.5\"";
const RESUMES: &str = "{\"epoch\":E,\"seq\":S} of the last message";
const STARTS: &str = "{\"time\":\"NANOSECONDS\"} or {\"seq\":S}";
const PACES: &str = "\"max\", or a number from 0.01 to 10000 with at most two decimals";
const SYMBOLS: &str = "VENUE:SYMBOL, or a text with *";
const STREAMS: &str = "an array of at least one stream";

/// Streams of a request that may be wrong, each with its own result. A request of 4 KiB has room for 2,000
/// of them, whose results would have 300 KiB.
const MOST_WRONG: usize = 64;

/// The fields that identify a stream.
const KEY: [&str; 6] = ["channel", "symbol", "depth", "speed", "group", "interval"];

impl Request {
    /// Parses a request.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        request(text)
    }
}

impl StreamError {
    /// The stream, if it could be parsed.
    #[must_use]
    pub fn key(&self) -> Option<StreamKey> {
        let fields = Fields::read(&self.stream, "stream").ok()?;
        key(&fields).ok()
    }
}

fn request(text: &str) -> Result<Request, Refusal> {
    let fields = Fields::read(text, "the message").map_err(|error| Refusal { id: None, error })?;
    let id = id(&fields).map_err(|error| Refusal { id: None, error })?;
    operation(&fields, id.clone()).map_err(|error| Refusal { id, error })
}

fn id(fields: &Fields<'_>) -> Result<Option<RequestId>, ControlError> {
    let Some(field) = fields.get("id") else {
        return Ok(None);
    };
    let number = || field.read().map(RequestId::Number);
    let text = || field.read().map(RequestId::Text);
    let id = number().or_else(text);
    id.map(Some)
        .ok_or_else(|| field.wrong(ErrorCode::BadRequest, "a number or a string"))
}

fn operation(fields: &Fields<'_>, id: Option<RequestId>) -> Result<Request, ControlError> {
    let op = fields.need("op", ErrorCode::UnknownOp, OPS)?;
    match op.read::<String>().as_deref() {
        Some("subscribe") => {
            let streams = streams(fields, subscription)?;
            Ok(Request::Subscribe { id, streams })
        }
        Some("unsubscribe") => {
            let streams = streams(fields, |fields| {
                fields.only(&KEY)?;
                key(fields)
            })?;
            Ok(Request::Unsubscribe { id, streams })
        }
        Some("update") => {
            let streams = streams(fields, update)?;
            Ok(Request::Update { id, streams })
        }
        Some("list") => {
            fields.only(&["op", "id", "match", "after"])?;
            let matching = fields.get("match").map(symbol).transpose()?;
            let after = |field: Field<'_>| {
                field
                    .read()
                    .ok_or_else(|| field.wrong(ErrorCode::BadRequest, "a name, as in \"next\""))
            };
            let after = fields.get("after").map(after).transpose()?;
            Ok(Request::List {
                id,
                matching,
                after,
            })
        }
        Some("ping") => {
            fields.only(&["op", "id"])?;
            Ok(Request::Ping { id })
        }
        _ => Err(op.wrong(ErrorCode::UnknownOp, OPS)),
    }
}

fn streams<T>(
    fields: &Fields<'_>,
    read: impl Fn(&Fields<'_>) -> Result<T, ControlError>,
) -> Result<Vec<Result<T, StreamError>>, ControlError> {
    fields.only(&["op", "id", "streams"])?;
    let field = fields.need("streams", ErrorCode::BadRequest, STREAMS)?;
    let streams: Vec<&RawValue> = field
        .read()
        .filter(|streams: &Vec<_>| !streams.is_empty())
        .ok_or_else(|| field.wrong(ErrorCode::BadRequest, STREAMS))?;
    let mut wrong = 0;
    let mut results = Vec::with_capacity(streams.len());
    for stream in streams {
        let result = Fields::read(stream.get(), "the stream")
            .and_then(|fields| read(&fields))
            .map_err(|error| StreamError {
                stream: stream.get().to_owned(),
                error,
            });
        wrong += usize::from(result.is_err());
        if let Err(StreamError { error, .. }) = &result
            && wrong > MOST_WRONG
        {
            let message = format!(
                "more than {MOST_WRONG} of the streams are wrong; the last of those: {}",
                error.message
            );
            return Err(ControlError::new(error.code, message));
        }
        results.push(result);
    }
    Ok(results)
}

fn subscription(fields: &Fields<'_>) -> Result<StreamRequest, ControlError> {
    let [channel, symbol, depth, speed, group, interval] = KEY;
    fields.only(&[
        channel, symbol, depth, speed, group, interval, "policy", "resume", "start", "pace",
    ])?;
    let request = StreamRequest {
        key: key(fields)?,
        policy: fields
            .get("policy")
            .map(policy)
            .transpose()?
            .unwrap_or_default(),
        resume: fields.get("resume").map(resume).transpose()?,
        start: fields.get("start").map(start).transpose()?,
        pace: fields.get("pace").map(pace).transpose()?.flatten(),
    };
    if request.resume.is_some() && request.start.is_some() {
        return Err(ControlError::new(
            ErrorCode::BadResume,
            "resume and start exclude each other",
        ));
    }
    if fields.get("pace").is_some() && request.start.is_none() {
        return Err(ControlError::new(
            ErrorCode::BadRequest,
            "pace is allowed with start only",
        ));
    }
    Ok(request)
}

fn update(fields: &Fields<'_>) -> Result<StreamUpdate, ControlError> {
    let [channel, symbol, depth, speed, group, interval] = KEY;
    fields.only(&[channel, symbol, depth, speed, group, interval, "to"])?;
    let allowed = "an object with depth, speed, group, interval or policy";
    let field = fields.need("to", ErrorCode::BadRequest, allowed)?;
    let to = Fields::read(field.text, "to")?;
    to.only(&["depth", "speed", "group", "interval", "policy"])?;
    let update = StreamUpdate {
        key: key(fields)?,
        to: StreamChange {
            depth: to.get("depth").map(read_depth).transpose()?,
            speed: to.get("speed").map(read_speed).transpose()?,
            group: to.get_or_null("group").map(read_group).transpose()?,
            interval: to.get("interval").map(read_interval).transpose()?,
            policy: to.get("policy").map(policy).transpose()?,
        },
    };
    let depth = update.to.depth.unwrap_or(update.key.depth);
    let group = update.to.group.unwrap_or(update.key.group);
    check_channel(update.key.channel, depth, group, update.to.interval)?;
    Ok(update)
}

/// The stream; other fields are the caller's to check.
pub(super) fn key(fields: &Fields<'_>) -> Result<StreamKey, ControlError> {
    let channels = || listed(&Channel::ALL.map(Channel::name));
    let channel = fields.need("channel", ErrorCode::BadRequest, &channels())?;
    let name = channel.read::<String>();
    let interval = fields.get("interval").map(read_interval).transpose()?;
    let key = StreamKey {
        channel: name
            .as_deref()
            .and_then(Channel::from_name)
            .ok_or_else(|| channel.wrong(ErrorCode::UnknownChannel, &channels()))?,
        symbol: symbol(fields.need("symbol", ErrorCode::BadRequest, SYMBOLS)?)?,
        depth: fields
            .get("depth")
            .map(read_depth)
            .transpose()?
            .unwrap_or_default(),
        speed: fields
            .get("speed")
            .map(read_speed)
            .transpose()?
            .unwrap_or_default(),
        group: fields.get("group").map(read_group).transpose()?.flatten(),
        interval: interval.unwrap_or_default(),
    };
    check_channel(key.channel, key.depth, key.group, interval)?;
    Ok(key)
}

/// Only books have levels to limit and to group, and only bars have an interval.
fn check_channel(
    channel: Channel,
    depth: Depth,
    group: Option<PriceStep>,
    interval: Option<BarInterval>,
) -> Result<(), ControlError> {
    let name = channel.name();
    if let Some(interval) = interval.filter(|_| channel != Channel::Bars) {
        let interval = interval.name();
        let message = format!("interval is \"{interval}\", and the channel {name} has none");
        return Err(ControlError::new(ErrorCode::BadInterval, message));
    }
    if channel == Channel::Book {
        return Ok(());
    }
    if let Some(levels) = depth.levels() {
        let message = format!("depth is {levels}, and the channel {name} has none");
        return Err(ControlError::new(ErrorCode::BadDepth, message));
    }
    if let Some(step) = group {
        let message = format!("group is {step}, and the channel {name} has none");
        return Err(ControlError::new(ErrorCode::BadGroup, message));
    }
    Ok(())
}

fn symbol(field: Field<'_>) -> Result<Symbol, ControlError> {
    let text: String = field
        .read()
        .ok_or_else(|| field.wrong(ErrorCode::UnknownSymbol, SYMBOLS))?;
    Symbol::parse(&text)
        .map_err(|error| field.wrong(ErrorCode::UnknownSymbol, &format!("{SYMBOLS}: {error}")))
}

fn read_depth(field: Field<'_>) -> Result<Depth, ControlError> {
    if field.read::<String>().as_deref() == Some("full") {
        return Ok(Depth::Full);
    }
    field
        .read()
        .and_then(Depth::from_levels)
        .ok_or_else(|| field.wrong(ErrorCode::BadDepth, DEPTHS))
}

fn read_speed(field: Field<'_>) -> Result<Speed, ControlError> {
    let name = field.read::<String>();
    name.as_deref()
        .and_then(Speed::from_name)
        .ok_or_else(|| field.wrong(ErrorCode::BadSpeed, &listed(&Speed::ALL.map(Speed::name))))
}

fn read_interval(field: Field<'_>) -> Result<BarInterval, ControlError> {
    let name = field.read::<String>();
    let found = name.as_deref().and_then(BarInterval::from_name);
    found.ok_or_else(|| {
        let names = listed(&BarInterval::ALL.map(BarInterval::name));
        field.wrong(ErrorCode::BadInterval, &names)
    })
}

/// A decimal number, as a string or as a number; `null` means no grouping.
fn read_group(field: Field<'_>) -> Result<Option<PriceStep>, ControlError> {
    if field.text == "null" {
        return Ok(None);
    }
    let quoted = field.read::<String>();
    PriceStep::parse(quoted.as_deref().unwrap_or(field.text))
        .map(Some)
        .map_err(|error| field.wrong(ErrorCode::BadGroup, &format!("{GROUPS}: {error}")))
}

pub(super) fn policy(field: Field<'_>) -> Result<Policy, ControlError> {
    let name = field.read::<String>();
    name.as_deref().and_then(Policy::from_name).ok_or_else(|| {
        field.wrong(
            ErrorCode::BadPolicy,
            &listed(&Policy::ALL.map(Policy::name)),
        )
    })
}

fn resume(field: Field<'_>) -> Result<Resume, ControlError> {
    let wrong = || field.wrong(ErrorCode::BadResume, RESUMES);
    let fields = Fields::read(field.text, "resume").map_err(|_| wrong())?;
    fields.only(&["epoch", "seq"]).map_err(|_| wrong())?;
    let epoch = fields.get("epoch").and_then(Field::read);
    let seq = fields.get("seq").and_then(read_seq);
    match (epoch, seq) {
        (Some(epoch), Some(seq)) => Ok(Resume {
            epoch: Epoch(epoch),
            seq,
        }),
        _ => Err(wrong()),
    }
}

fn start(field: Field<'_>) -> Result<Start, ControlError> {
    let wrong = || field.wrong(ErrorCode::BadRequest, STARTS);
    let fields = Fields::read(field.text, "start").map_err(|_| wrong())?;
    fields.only(&["time", "seq"]).map_err(|_| wrong())?;
    match (fields.get("time"), fields.get("seq")) {
        (Some(time), None) => read_time(time).map(Start::Time).ok_or_else(wrong),
        (None, Some(seq)) => read_seq(seq).map(Start::Seq).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// `None` means as fast as possible.
fn pace(field: Field<'_>) -> Result<Option<Pace>, ControlError> {
    if field.read::<String>().as_deref() == Some("max") {
        return Ok(None);
    }
    Pace::parse(field.text)
        .map(Some)
        .ok_or_else(|| field.wrong(ErrorCode::BadRequest, PACES))
}

fn read_seq(field: Field<'_>) -> Option<Seq> {
    let seq = Seq(field.read()?);
    (seq >= Seq::NONE).then_some(seq)
}

/// Nanoseconds, as a string, since not every language's numbers can hold them, or as a number.
fn read_time(field: Field<'_>) -> Option<Nanos> {
    let quoted = field.read::<String>();
    quoted
        .as_deref()
        .unwrap_or(field.text)
        .parse()
        .ok()
        .map(Nanos)
}
