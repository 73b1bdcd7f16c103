use fanout::{Fetcher, Grant};
use market::{Channel, Exponents, InstrumentName, Trade, decimal};
use serde_json::{Value, json};
use streams::Fetched;
use wire::control::StreamKey;
use wire::sbe::{Body, Message};
use wire::{Head, Status};

use super::accept::Format;
use super::books::about;
use super::error::ApiError;
use super::messages::{failed, messages, reply};
use super::query::Query;
use super::reply::Reply;
use super::reports::PAGE_BYTES;

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

/// The newest trades, up to `limit`, of the newest messages that together have up to [`PAGE_BYTES`], or of
/// one message.
fn write(name: &InstrumentName, limit: usize, fetched: &Fetched) -> Vec<u8> {
    let all: Vec<Message<'_>> = messages(fetched).collect();
    let (mut trades, mut gaps) = (Vec::new(), Vec::new());
    let mut last = None;
    let mut bytes = 0;
    for message in all.into_iter().rev() {
        let head = message.head;
        let (list, entries) = match message.body {
            Body::Trades(entries) => {
                last = last.or(Some(head));
                let mut entries: Vec<_> = entries
                    .map(|trade| trade_json(&head, &trade, fetched.exponents))
                    .collect();
                let surplus = entries.len().saturating_sub(limit - trades.len());
                (&mut trades, entries.split_off(surplus))
            }
            Body::Status(status) => (&mut gaps, vec![gap(&head, status)]),
            _ => continue,
        };
        let size: usize = entries.iter().map(|it| it.to_string().len() + 1).sum();
        if bytes > 0 && bytes + size > PAGE_BYTES {
            break;
        }
        bytes += size;
        list.extend(entries.into_iter().rev());
    }
    trades.reverse();
    gaps.reverse();
    let mut page = about(name, fetched, last.as_ref());
    if let Some(page) = page.as_object_mut() {
        page.insert("trades".into(), trades.into());
        page.insert("gaps".into(), gaps.into());
    }
    let mut out = page.to_string().into_bytes();
    out.push(b'\n');
    out
}

fn trade_json(head: &Head, trade: &Trade<'_>, exponents: Exponents) -> Value {
    json!({
        "seq": head.seq.0,
        "eventTime": head.event_time.map(|time| time.0.to_string()),
        "logTime": head.log_time.0.to_string(),
        "price": decimal::to_string(trade.price.0, exponents.price),
        "size": decimal::to_string(trade.size.0, exponents.size),
        "side": trade.side.name(),
        "tradeId": trade.id,
    })
}

/// Trades in (prevSeq, seq] may be missing.
fn gap(head: &Head, status: Status) -> Value {
    json!({
        "prevSeq": head.prev_seq.0,
        "seq": head.seq.0,
        "state": status.state.name(),
        "reason": status.reason.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use market::{
        Aggressor, At, Event, Monotonic, Nanos, Now, PartitionIdentity, PartitionIndex, Price, Seq,
        Size,
    };
    use streams::{Publisher, Settings};
    use wire::Encoding;

    const NOW: Now = Now {
        monotonic: Monotonic(0),
        wall: Nanos(0),
    };

    /// A publisher that has read so many records with so many trades each.
    fn publisher(name: &InstrumentName, records: u64, trades: usize) -> Publisher {
        let mut publisher = Publisher::new(Settings::default());
        let exponents = Exponents::default();
        let handle = publisher
            .add_instrument(name, exponents, NOW.monotonic)
            .unwrap();
        let partition = PartitionIdentity {
            topic: "trades".into(),
            topic_id: [7; 16],
            partition: 0,
            turns: 0,
        };
        publisher.open(PartitionIndex(0), partition, Seq(0));
        for record in 0..records {
            let ids: Vec<String> = (0..trades)
                .map(|trade| format!("{record}-{trade}"))
                .collect();
            let trade = |id| Trade {
                price: Price(6_812_345_000_000),
                size: Size(1_000_000),
                side: Aggressor::Buy,
                id,
            };
            let trades: Vec<_> = ids.iter().map(|id| trade(id)).collect();
            let event = Event::Trades {
                time: Some(Nanos(1_723_075_200_125_000_000)),
                trades: &trades,
            };
            let at = At {
                partition: PartitionIndex(0),
                seq: Seq(i64::try_from(record).unwrap()),
                log_time: Nanos(1_723_075_200_125_000_000),
            };
            publisher.event(at, handle, &event, NOW).unwrap();
        }
        publisher
    }

    #[test]
    fn an_answer_has_the_newest_trades_within_a_bounded_size_or_one_message() {
        let name = InstrumentName::parse("BINANCE:BTC-USDT").unwrap();
        for (records, each) in [(3, 1), (2_000, 1), (500, 7), (4, 900), (3, 3_000)] {
            let mut publisher = publisher(&name, records, each);
            for limit in [1, 5, 100, MOST] {
                let fetched = publisher
                    .latest_trades(name.id(), Encoding::Sbe, limit, NOW)
                    .unwrap();
                let held = fetched.run.as_ref().unwrap().len();
                let one_message = each * 40 + 200;
                assert!(held <= PAGE_BYTES.max(one_message) + 200 + limit * 10);
                let page = write(&name, limit, &fetched);
                assert!(page.len() <= PAGE_BYTES.max(each.min(limit) * 200) + 1024);
                let page: Value = serde_json::from_slice(&page).unwrap();
                let trades = page["trades"].as_array().unwrap();
                let total = usize::try_from(records).unwrap() * each;
                assert!(trades.len() >= total.min(limit).min(each.max(200)));
                let first = total - trades.len();
                for (number, trade) in (first..).zip(trades) {
                    let id = format!("{}-{}", number / each, number % each);
                    assert_eq!(trade["tradeId"], json!(id));
                }
            }
        }
    }
}
