use client::Event;
use client::session::Session;
use market::decimal::to_string;
use market::{Exponents, Level, Position};
use serde::Serialize;
use serde_json::{Value, json};
use wire::Head;

use super::watched::StreamName;

/// An event as a JSON object on one line; `None` for events that only go to the raw file.
///
/// Snapshots and deltas are only printed once they are verified, snapshots with all levels. Prices, sizes and times
/// are texts, as in `tapecast.json.v1`.
pub(super) fn line(
    event: &Event,
    whose: Option<StreamName<'_>>,
    session: &Session,
) -> Option<String> {
    let (kind, mut fields) = fields(event)?;
    if let Event::Book(update) = event
        && update.is_snapshot()
        && let (Some(kept), Some(object)) =
            (session.book(update.subscription), fields.as_object_mut())
    {
        let book = kept.book();
        object.insert(
            "bids".to_owned(),
            levels(book.bids().iter(), kept.exponents()),
        );
        object.insert(
            "asks".to_owned(),
            levels(book.asks().iter(), kept.exponents()),
        );
    }
    let line = JsonLine {
        event: kind,
        symbol: whose.map(|whose| whose.name.as_str()),
        channel: whose.map(|whose| whose.channel.name()),
        fields,
    };
    serde_json::to_string(&line).ok()
}

/// The kind and the instrument come first: they are what a reader looks for.
#[derive(Serialize)]
struct JsonLine<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    #[serde(flatten)]
    fields: Value,
}

#[expect(clippy::too_many_lines, reason = "an arm for each kind of event")]
fn fields(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::Connected { endpoint } => ("connected", json!({ "endpoint": endpoint.as_str() })),
        Event::Reconnecting {
            attempt,
            delay,
            cause,
        } => (
            "reconnecting",
            json!({ "attempt": attempt, "delay_ms": delay.as_millis(), "cause": cause.to_string() }),
        ),
        Event::GoAway(leaving) => (
            "go_away",
            json!({
                "reason": leaving.reason.name(),
                "leave_in_ms": leaving.leave_in.as_millis(),
                "close_after_ms": leaving.close_after.as_millis(),
            }),
        ),
        Event::Closed { cause } => (
            "closed",
            json!({ "cause": cause.as_ref().map(ToString::to_string) }),
        ),
        Event::Subscribed(subscribed) => (
            "subscribed",
            json!({
                "instrument": subscribed.instrument.0,
                "epoch": subscribed.epoch.0,
                "price_exponent": subscribed.exponents.price,
                "size_exponent": subscribed.exponents.size,
                "start": subscribed.start.name(),
                "reason": subscribed.reason.map(wire::control::StartReason::name),
            }),
        ),
        Event::Rejected(rejected) => (
            "rejected",
            json!({
                "code": rejected.error.code.as_str(),
                "message": rejected.error.message,
                "retry_ms": rejected.retry.map(|retry| retry.as_millis()),
            }),
        ),
        Event::Unsubscribed(_) => ("unsubscribed", json!({})),
        Event::Instrument(info) => (
            "instrument",
            json!({
                "symbol": info.name.as_str(),
                "price_exponent": info.exponents.price,
                "size_exponent": info.exponents.size,
                "state": info.state.name(),
            }),
        ),
        Event::Gap(gap) => (
            "gap",
            json!({
                "from": position(gap.from),
                "to": gap.to.map(|to| to.0),
                "cause": gap.cause.to_string(),
                "lost": gap.cause.is_loss(),
            }),
        ),
        Event::Resync(resync) => (
            "resync",
            json!({
                "from": position(resync.from),
                "to": position(Some(resync.to)),
                "reason": resync.reason.to_string(),
            }),
        ),
        Event::ChecksumMismatch(wrong) => (
            "checksum_mismatch",
            with_head(
                &wrong.head,
                json!({ "told": wrong.received, "computed": wrong.computed }),
            ),
        ),
        Event::Undecodable { error } => ("undecodable", json!({ "error": error.to_string() })),
        Event::Raw { .. } => return None,
        data => return data_fields(data),
    })
}

#[expect(
    clippy::too_many_lines,
    reason = "an arm for each kind of data message"
)]
fn data_fields(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::Book(update) => {
            let mut body = json!({ "checksum": update.checksum });
            if let (Some(changes), Some(object)) = (update.changes(), body.as_object_mut()) {
                object.insert("bids".to_owned(), levels(changes.bids, update.exponents));
                object.insert("asks".to_owned(), levels(changes.asks, update.exponents));
            }
            let kind = if update.is_snapshot() {
                "snapshot"
            } else {
                "delta"
            };
            (kind, with_head(&update.head, body))
        }
        Event::Bbo(update) => {
            let side = |level: Option<Level>| level.map(|level| pair(level, update.exponents));
            let body = json!({ "bid": side(update.bbo.bid), "ask": side(update.bbo.ask) });
            ("bbo", with_head(&update.head, body))
        }
        Event::Trades(update) => {
            let exponents = update.exponents;
            let trades: Vec<Value> = update
                .trades()
                .into_iter()
                .flatten()
                .map(|trade| {
                    json!({
                        "price": to_string(trade.price.0, exponents.price),
                        "size": to_string(trade.size.0, exponents.size),
                        "side": trade.side.name(),
                        "id": trade.id,
                    })
                })
                .collect();
            (
                "trades",
                with_head(&update.head, json!({ "trades": trades })),
            )
        }
        Event::Status(update) => {
            let status = update.status;
            let body = json!({
                "state": status.state.name(),
                "reason": status.reason.name(),
            });
            ("status", with_head(&update.head, body))
        }
        Event::Heartbeat(beat) => ("heartbeat", with_head(&beat.head, json!({}))),
        Event::ReplayComplete(complete) => (
            "replay_complete",
            with_head(&complete.head, json!({ "messages": complete.messages })),
        ),
        Event::Lag(notice) => {
            let lag = notice.lag;
            let body = json!({
                "kind": lag.kind.name(),
                "from": lag.from_seq.0,
                "to": lag.to_seq.0,
                "messages": lag.messages,
                "bytes": lag.bytes,
                "age": lag.age.to_string(),
            });
            ("lag", with_head(&notice.head, body))
        }
        Event::Ticker(update) => {
            let Exponents { price, size } = update.exponents;
            let ticker = &update.ticker;
            let of = |value: Option<market::Price>| value.map(|value| to_string(value.0, price));
            let body = json!({
                "open": of(ticker.open),
                "high": of(ticker.high),
                "low": of(ticker.low),
                "last": of(ticker.last),
                "volume": ticker.volume.map(|volume| to_string(volume.0, size)),
                "vwap": of(ticker.vwap),
                "change": of(ticker.change),
                "trades": ticker.trades,
            });
            ("ticker", with_head(&update.head, body))
        }
        Event::Bar(update) => {
            let Exponents { price, size } = update.exponents;
            let bar = &update.bar;
            let body = json!({
                "interval": bar.interval,
                "open_time": bar.open_time.0.to_string(),
                "open": to_string(bar.open.0, price),
                "high": to_string(bar.high.0, price),
                "low": to_string(bar.low.0, price),
                "close": to_string(bar.close.0, price),
                "volume": to_string(bar.volume.0, size),
                "trades": bar.trades,
                "closed": bar.closed,
            });
            ("bar", with_head(&update.head, body))
        }
        _ => return None,
    })
}

/// The position and times of a message, with its body.
fn with_head(head: &Head, body: Value) -> Value {
    let mut whole = json!({
        "epoch": head.epoch.0,
        "prev_seq": head.prev_seq.0,
        "seq": head.seq.0,
        "event_time": head.event_time.map(|time| time.0.to_string()),
        "log_time": head.log_time.0.to_string(),
        "publish_time": head.publish_time.0.to_string(),
    });
    if let (Some(object), Value::Object(mut body)) = (whole.as_object_mut(), body) {
        object.append(&mut body);
    }
    whole
}

fn position(position: Option<Position>) -> Value {
    match position {
        Some(position) => json!({ "epoch": position.epoch.0, "seq": position.seq.0 }),
        None => Value::Null,
    }
}

fn levels(levels: impl Iterator<Item = Level>, exponents: Exponents) -> Value {
    levels.map(|level| pair(level, exponents)).collect()
}

fn pair(level: Level, exponents: Exponents) -> Value {
    json!([
        to_string(level.price.0, exponents.price),
        to_string(level.size.0, exponents.size)
    ])
}
