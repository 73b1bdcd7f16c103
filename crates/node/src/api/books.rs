use fanout::{Fetcher, Grant};
use market::{Channel, Exponents, InstrumentName, Level, decimal};
use serde_json::{Value, json};
use streams::Fetched;
use wire::control::StreamKey;
use wire::sbe::{Body, Message};
use wire::{Depth, Head, PriceStep, ViewParams};

use super::accept::Format;
use super::error::ApiError;
use super::messages::{failed, messages, reply};
use super::query::{self, Query};
use super::reply::Reply;

pub(super) const PARAMETERS: &[&str] = &["depth", "group"];

/// `/v1/books/{symbol}`: a snapshot of one instrument's book, as of a single sequence number.
pub(super) async fn book(
    fetcher: &Fetcher,
    grant: &Grant,
    name: InstrumentName,
    query: &Query,
    format: Format,
) -> Result<Reply, ApiError> {
    let params = ViewParams {
        depth: query
            .one("depth")?
            .map(query::depth)
            .transpose()?
            .unwrap_or_default(),
        group: query.one("group")?.map(query::group).transpose()?,
        ..ViewParams::default()
    };
    let key = StreamKey {
        depth: params.depth,
        group: params.group,
        ..StreamKey::new(Channel::Book, name.clone())
    };
    grant
        .check(&key)
        .map_err(|why| ApiError::not_entitled(&why))?;
    let fetched = fetcher
        .start(&name, Channel::Book, params, format.encoding())
        .await
        .map_err(|error| failed(error, &name))?;
    Ok(reply(fetched, format, move |fetched| {
        write(&name, params.depth, params.group, fetched)
    }))
}

fn write(
    name: &InstrumentName,
    depth: Depth,
    group: Option<PriceStep>,
    fetched: &Fetched,
) -> Vec<u8> {
    let mut head = None;
    let mut checksum = 0;
    let (mut bids, mut asks) = (Vec::new(), Vec::new());
    for message in messages(fetched) {
        let Message {
            head: message_head,
            body: Body::BookSnapshot(snapshot),
        } = message
        else {
            continue;
        };
        head = Some(message_head);
        checksum = snapshot.checksum;
        write_levels(&mut bids, snapshot.bids, fetched.exponents);
        write_levels(&mut asks, snapshot.asks, fetched.exponents);
    }
    let mut about = about(name, fetched, head.as_ref());
    if let Some(about) = about.as_object_mut() {
        let levels = depth.levels();
        about.insert(
            "depth".into(),
            levels.map_or(json!("full"), |levels| json!(levels)),
        );
        about.insert("group".into(), json!(group.map(|group| group.to_string())));
        about.insert("checksum".into(), json!(checksum));
    }
    // The levels are most of the response, so they are written directly instead of building values.
    let mut out = about.to_string().into_bytes();
    out.pop();
    for (key, levels) in [(",\"bids\":[", bids), ("],\"asks\":[", asks)] {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(&levels);
    }
    out.extend_from_slice(b"]}\n");
    out
}

/// The fields all responses share: the instrument and its position.
pub(super) fn about(name: &InstrumentName, fetched: &Fetched, head: Option<&Head>) -> Value {
    let (state, reason) = fetched.state;
    let time = |time: market::Nanos| time.0.to_string();
    json!({
        "symbol": name.as_str(),
        "instrumentId": name.id().0,
        "epoch": fetched.position.epoch.0,
        "seq": fetched.position.seq.0,
        "view": head.map_or(0, |head| head.view.0),
        "eventTime": head.and_then(|head| head.event_time).map(time),
        "logTime": head.map(|head| time(head.log_time)),
        "publishTime": head.map(|head| time(head.publish_time)),
        "state": state.name(),
        "reason": reason.name(),
        "priceExponent": fetched.exponents.price,
        "sizeExponent": fetched.exponents.size,
    })
}

/// Appends `["price","size"],…`.
fn write_levels(out: &mut Vec<u8>, levels: impl Iterator<Item = Level>, exponents: Exponents) {
    for level in levels {
        out.extend_from_slice(if out.is_empty() { b"[\"" } else { b",[\"" });
        decimal::write(out, level.price.0, exponents.price);
        out.extend_from_slice(b"\",\"");
        decimal::write(out, level.size.0, exponents.size);
        out.extend_from_slice(b"\"]");
    }
}
