use fanout::{Fetcher, Grant};
use market::{Channel, InstrumentName, decimal};
use serde_json::{Value, json};
use streams::Fetched;
use wire::control::StreamKey;
use wire::sbe::Body;
use wire::{BarInterval, ViewParams};

use super::accept::Format;
use super::books::about;
use super::error::ApiError;
use super::messages::{failed, messages, reply};
use super::query::{self, Query};
use super::reply::Reply;

pub(super) const PARAMETERS: &[&str] = &["interval"];

/// `/v1/bars/{symbol}`: the last closed bars, oldest first, then the current one.
pub(super) async fn bars(
    fetcher: &Fetcher,
    grant: &Grant,
    name: InstrumentName,
    query: &Query,
    format: Format,
) -> Result<Reply, ApiError> {
    let interval = query.one("interval")?.map(query::interval).transpose()?;
    let interval = interval.unwrap_or_default();
    grant
        .check(&StreamKey::new(Channel::Bars, name.clone()))
        .map_err(|why| ApiError::not_entitled(&why))?;
    let params = ViewParams {
        interval: Some(interval),
        ..ViewParams::default()
    };
    let fetched = fetcher
        .start(&name, Channel::Bars, params, format.encoding())
        .await
        .map_err(|error| failed(error, &name))?;
    Ok(reply(fetched, format, move |fetched| {
        write(&name, interval, fetched)
    }))
}

fn write(name: &InstrumentName, interval: BarInterval, fetched: &Fetched) -> Vec<u8> {
    let price = |price: market::Price| decimal::to_string(price.0, fetched.exponents.price);
    let mut bars: Vec<Value> = Vec::new();
    let mut last = None;
    for message in messages(fetched) {
        let Body::Bar(bar) = message.body else {
            continue;
        };
        last = Some(message.head);
        bars.push(json!({
            "seq": message.head.seq.0,
            "openTime": bar.open_time.0.to_string(),
            "open": price(bar.open),
            "high": price(bar.high),
            "low": price(bar.low),
            "close": price(bar.close),
            "volume": decimal::to_string(bar.volume.0, fetched.exponents.size),
            "trades": bar.trades,
            "closed": bar.closed,
        }));
    }
    let mut page = about(name, fetched, last.as_ref());
    if let Some(page) = page.as_object_mut() {
        page.insert("interval".into(), json!(interval.name()));
        page.insert("bars".into(), bars.into());
    }
    let mut out = page.to_string().into_bytes();
    out.push(b'\n');
    out
}
