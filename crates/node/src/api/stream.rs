use std::ops::ControlFlow;

use fanout::{Directory, Grant, LastEventId, ScanBudget, Scanned, SseRequest};
use hyper::HeaderMap;
use market::Channel;
use wire::Depth;
use wire::control::{StreamKey, StreamRequest, Symbol};

use super::accept::{self, EVENTS};
use super::error::ApiError;
use super::query::{self, Query};

/// `channel` starts a stream; parameters up to the next `channel` apply to it; several `symbol`s make several
/// streams.
pub(super) const PARAMETERS: &[&str] = &[
    "channel",
    "symbol",
    "depth",
    "speed",
    "group",
    "interval",
    "policy",
    "lastEventId",
];
/// Streams named in one request; a symbol with `*` may expand to more.
const MOST: usize = 128;
const LAST_EVENT_ID: &str = "last-event-id";

/// `/v1/stream`: messages as Server-Sent Events.
pub(super) fn sse(
    directory: &Directory,
    grant: &Grant,
    query: &Query,
    request: &HeaderMap,
) -> Result<SseRequest, ApiError> {
    accept::takes(request, EVENTS)?;
    let mut streams = Vec::new();
    let mut pending: Option<Pending> = None;
    for (name, value) in query.all() {
        match (name, &mut pending) {
            ("lastEventId", _) => {}
            ("channel", _) => {
                if let Some(done) = pending.replace(Pending::of(query::channel(value)?)) {
                    done.finish(&mut streams)?;
                }
            }
            (_, None) => return Err(ApiError::missing("channel", "the first parameter")),
            (_, Some(pending)) => pending.take(name, value)?,
        }
    }
    let pending = pending.ok_or_else(|| {
        let names = Channel::ALL.map(Channel::name).join(", ");
        ApiError::missing("channel", &names)
    })?;
    pending.finish(&mut streams)?;
    if streams.len() > MOST {
        let was = streams.len().to_string();
        let may_be = format!("{MOST} streams");
        return Err(ApiError::wrong("too_many_streams", "symbol", &was, &may_be));
    }
    // The request fails if no stream is allowed; otherwise each stream gets its own result.
    if let Some(why) = streams
        .first()
        .and_then(|first| grant.check(&first.key).err())
        && streams
            .iter()
            .all(|stream| grant.check(&stream.key).is_err())
    {
        return Err(ApiError::not_entitled(&why));
    }
    // One budget for all streams; once it is spent, each stream gets its own result.
    let mut budget = ScanBudget::PAGE;
    let mut is_known =
        |stream: &StreamRequest| is_known(directory, grant, &stream.key.symbol, &mut budget);
    if let Some(first) = streams.first()
        && !streams.iter().any(&mut is_known)
    {
        return Err(ApiError::no_symbol(first.key.symbol.as_str()));
    }
    Ok(SseRequest {
        streams,
        last: last_event_id(query, request)?,
    })
}

/// Returns whether the symbol matches an instrument, or the budget is spent.
fn is_known(
    directory: &Directory,
    grant: &Grant,
    symbol: &Symbol,
    budget: &mut ScanBudget,
) -> bool {
    if let Some(name) = symbol.name() {
        return directory.get(name).is_some();
    }
    if budget.is_spent() {
        return true;
    }
    let ended = directory.scan(
        Some(symbol),
        None,
        grant,
        budget,
        |_| ControlFlow::Break(()),
    );
    ended != Scanned::All
}

/// The id a browser sends when it reconnects; clients that cannot set headers send it in the query.
fn last_event_id(query: &Query, request: &HeaderMap) -> Result<LastEventId, ApiError> {
    let said = request.get(LAST_EVENT_ID);
    let text = match said {
        Some(said) => Some(said.to_str().unwrap_or("?")),
        None => query.one("lastEventId")?,
    };
    let text = text.unwrap_or_default();
    LastEventId::parse(text).ok_or_else(|| {
        ApiError::wrong(
            "bad_resume",
            "Last-Event-ID",
            text,
            "the id of the last event",
        )
    })
}

/// Streams being parsed: one channel and its parameters so far.
struct Pending {
    symbols: Vec<Symbol>,
    /// A template; its symbol is replaced by each of `symbols`.
    stream: StreamRequest,
}

impl Pending {
    fn of(channel: Channel) -> Self {
        Self {
            symbols: Vec::new(),
            stream: StreamKey::new(channel, Symbol::Matching("*".into())).into(),
        }
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        let stream = &mut self.stream;
        match name {
            "symbol" => self.symbols.push(query::symbol(value)?),
            "depth" => stream.key.depth = query::depth(value)?,
            "speed" => stream.key.speed = query::speed(value)?,
            "group" => stream.key.group = Some(query::group(value)?),
            "interval" if stream.key.channel == Channel::Bars => {
                stream.key.interval = query::interval(value)?;
            }
            "interval" => {
                let may_be = "left out: only the channel bars has one";
                return Err(ApiError::wrong("bad_interval", "interval", value, may_be));
            }
            _ => stream.policy = query::policy(value)?,
        }
        Ok(())
    }

    fn finish(self, streams: &mut Vec<StreamRequest>) -> Result<(), ApiError> {
        let Self { symbols, stream } = self;
        let name = stream.key.channel.name();
        if symbols.is_empty() {
            return Err(ApiError::missing(
                "symbol",
                "VENUE:SYMBOL, or a text with *",
            ));
        }
        let none = format!("left out: the channel {name} has none");
        if stream.key.channel != Channel::Book {
            if let (true, Some(levels)) =
                (stream.key.depth != Depth::Full, stream.key.depth.levels())
            {
                return Err(ApiError::wrong(
                    "bad_depth",
                    "depth",
                    &levels.to_string(),
                    &none,
                ));
            }
            if let Some(step) = stream.key.group {
                return Err(ApiError::wrong(
                    "bad_group",
                    "group",
                    &step.to_string(),
                    &none,
                ));
            }
        }
        streams.extend(symbols.into_iter().map(|symbol| {
            let mut stream = stream.clone();
            stream.key.symbol = symbol;
            stream
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::{Exponents, InstrumentName};

    fn read(text: &str) -> Result<SseRequest, ApiError> {
        let directory = Directory::new(1);
        for name in ["A:X", "A:Y"] {
            let name = InstrumentName::parse(name).unwrap();
            let _ = directory.list(&name, Exponents::default());
        }
        let query = Query::parse(Some(text), PARAMETERS)?;
        sse(&directory, &Grant::default(), &query, &HeaderMap::new())
    }

    #[test]
    fn each_channel_begins_a_stream_and_what_follows_is_its() {
        let sse = read("channel=book&symbol=A:X&symbol=A%3aY&depth=10&speed=100ms&channel=trades&symbol=A:*&policy=disconnect").unwrap();
        let read: Vec<_> = sse
            .streams
            .iter()
            .map(|stream| {
                let key = &stream.key;
                let depth = key.depth.levels();
                (
                    key.channel.name(),
                    key.symbol.as_str(),
                    depth,
                    stream.policy.name(),
                )
            })
            .collect();
        assert_eq!(
            read,
            [
                ("book", "A:X", Some(10), "conflate"),
                ("book", "A:Y", Some(10), "conflate"),
                ("trades", "A:*", None, "disconnect"),
            ]
        );
        assert_eq!(sse.streams[1].key.speed.name(), "100ms");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, code, field) in [
            ("", "bad_request", "channel"),
            ("symbol=A:X", "bad_request", "channel"),
            ("channel=book", "bad_request", "symbol"),
            ("channel=news&symbol=A:X", "unknown_channel", "channel"),
            ("channel=book&symbol=A:X&depth=7", "bad_depth", "depth"),
            ("channel=trades&symbol=A:X&depth=5", "bad_depth", "depth"),
            ("channel=trades&symbol=A:X&group=5", "bad_group", "group"),
            ("channel=book&symbol=A:X&speed=1h", "bad_speed", "speed"),
            (
                "channel=book&symbol=A:X&policy=wait",
                "bad_policy",
                "policy",
            ),
            ("channel=book&symbol=A:Z", "unknown_symbol", "symbol"),
            (
                "channel=book&symbol=A:X&lastEventId=x",
                "bad_resume",
                "Last-Event-ID",
            ),
            (
                "channel=book&symbol=A:X&colour=red",
                "bad_request",
                "parameter",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!((error.code, error.field), (code, Some(field)), "{text}");
        }
    }
}
