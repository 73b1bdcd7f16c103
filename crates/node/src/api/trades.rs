use fanout::{Fetcher, Grant};
use market::{Channel, InstrumentName, decimal};
use serde_json::{Value, json};
use streams::Fetched;
use wire::control::StreamKey;
use wire::sbe::Body;

use super::accept::Format;
use super::books::about;
use super::error::ApiError;
use super::messages::{failed, messages, reply};
use super::query::Query;
use super::reply::Reply;

pub(super) const PARAMETERS: &[&str] = &["limit"];
const LIMIT: usize = 100;
/// No venue's pages have more.
const MOST: usize = 1000;

/// `/v1/trades/{symbol}`: the latest trades, newest last.
pub(super) async fn trades(
    fetcher: &Fetcher,
    grant: &Grant,
    name: InstrumentName,
    query: &Query,
    format: Format,
) -> Result<Reply, ApiError> {
    grant
        .check(&StreamKey::new(Channel::Trades, name.clone()))
        .map_err(|why| ApiError::not_entitled(&why))?;
    let limit = query.count("limit", LIMIT, MOST)?;
    // A message has at least one trade, so `limit` messages are enough.
    let fetched = fetcher
        .trades(&name, format.encoding(), limit)
        .await
        .map_err(|error| failed(error, &name))?;
    Ok(reply(fetched, format, move |fetched| {
        write(&name, limit, fetched)
    }))
}

fn write(name: &InstrumentName, limit: usize, fetched: &Fetched) -> Vec<u8> {
    let mut trades: Vec<Value> = Vec::new();
    let mut gaps: Vec<Value> = Vec::new();
    let mut last = None;
    for message in messages(fetched) {
        let head = message.head;
        match message.body {
            Body::Trades(entries) => {
                last = Some(head);
                for trade in entries {
                    trades.push(json!({
                        "seq": head.seq.0,
                        "eventTime": head.event_time.map(|time| time.0.to_string()),
                        "logTime": head.log_time.0.to_string(),
                        "price": decimal::to_string(trade.price.0, fetched.exponents.price),
                        "size": decimal::to_string(trade.size.0, fetched.exponents.size),
                        "side": trade.side.name(),
                        "tradeId": trade.id,
                    }));
                }
            }
            // Trades in (prevSeq, seq] may be missing.
            Body::Status(status) => gaps.push(json!({
                "prevSeq": head.prev_seq.0,
                "seq": head.seq.0,
                "state": status.state.name(),
                "reason": status.reason.name(),
            })),
            _ => {}
        }
    }
    let from = trades.len().saturating_sub(limit);
    let mut page = about(name, fetched, last.as_ref());
    if let Some(page) = page.as_object_mut() {
        page.insert("trades".into(), trades.split_off(from).into());
        page.insert("gaps".into(), gaps.into());
    }
    let mut out = page.to_string().into_bytes();
    out.push(b'\n');
    out
}
