//! Finds the symbol of a venue's message, if it has one.
//!
//! It becomes the record's key, which keeps an instrument's records in one partition. Messages without a symbol,
//! such as heartbeats and responses, have no key, and their order does not matter.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Where venues put it.
#[derive(Deserialize)]
struct Head<'a> {
    /// Binance, combined streams: `btcusdt@depth`.
    #[serde(borrow)]
    stream: Option<Cow<'a, str>>,
    /// Coinbase's Exchange.
    #[serde(borrow)]
    product_id: Option<Cow<'a, str>>,
    /// Bybit: `orderbook.50.BTCUSDT`.
    #[serde(borrow)]
    topic: Option<Cow<'a, str>>,
    /// Binance, raw streams.
    #[serde(borrow)]
    s: Option<Cow<'a, str>>,
    /// OKX.
    #[serde(borrow)]
    arg: Option<&'a RawValue>,
    /// Deribit.
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    /// Kraken v2, in an array.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    /// Coinbase's Advanced Trade, in an array.
    #[serde(borrow)]
    events: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, rename = "instId")]
    inst_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    #[serde(borrow)]
    product_id: Option<Cow<'a, str>>,
    /// Deribit: `book.BTC-PERPETUAL.raw`.
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
}

/// The symbol of a message, if it is JSON and has one where a venue puts it.
pub(super) fn of(message: &[u8]) -> Option<Cow<'_, str>> {
    match message.first()? {
        b'{' => of_object(message),
        // Kraken v1: `[42, {…}, "book-1000", "XBT/USD"]`.
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_slice(message).ok()?;
            let last = items.last().filter(|_| items.len() > 3)?;
            text(last)
        }
        _ => None,
    }
}

fn of_object(message: &[u8]) -> Option<Cow<'_, str>> {
    let head: Head<'_> = serde_json::from_slice(message).ok()?;
    if let Some(stream) = head.stream {
        let symbol = stream
            .split('@')
            .next()
            .filter(|symbol| !symbol.is_empty())?;
        return Some(Cow::Owned(symbol.to_ascii_uppercase()));
    }
    if head.product_id.is_some() {
        return head.product_id;
    }
    if let Some(arg) = head.arg {
        return inner(arg).inst_id;
    }
    if let Some(topic) = head.topic {
        let (_, symbol) = topic.rsplit_once('.')?;
        return Some(Cow::Owned(symbol.to_owned()));
    }
    if let Some(channel) = head.params.and_then(|params| inner(params).channel) {
        return Some(Cow::Owned(channel.split('.').nth(1)?.to_owned()));
    }
    if head.s.is_some() {
        return head.s;
    }
    let first = first(head.events.or(head.data)?)?;
    let Inner {
        symbol, product_id, ..
    } = inner(first);
    symbol.or(product_id)
}

fn inner(json: &RawValue) -> Inner<'_> {
    serde_json::from_str(json.get()).unwrap_or(Inner {
        inst_id: None,
        symbol: None,
        product_id: None,
        channel: None,
    })
}

fn first(json: &RawValue) -> Option<&RawValue> {
    let items: Vec<&RawValue> = serde_json::from_str(json.get()).ok()?;
    items.first().copied()
}

fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    // Without the attribute, serde would always allocate.
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(json.get()).ok().map(|Text(text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_venue_names_its_symbol_in_its_own_place() {
        for (message, symbol) in [
            (r#"{"stream":"btcusdt@depth@100ms","data":{}}"#, "BTCUSDT"),
            (r#"{"e":"trade","s":"ETHUSDT"}"#, "ETHUSDT"),
            (r#"{"type":"match","product_id":"BTC-USD"}"#, "BTC-USD"),
            (
                r#"{"channel":"l2_data","events":[{"product_id":"ETH-USD"}]}"#,
                "ETH-USD",
            ),
            (
                r#"{"arg":{"channel":"books","instId":"BTC-USD-SWAP"},"data":[{}]}"#,
                "BTC-USD-SWAP",
            ),
            (r#"{"topic":"orderbook.50.BTCUSDT","data":{}}"#, "BTCUSDT"),
            (
                r#"{"method":"subscription","params":{"channel":"book.ETH-PERPETUAL.raw"}}"#,
                "ETH-PERPETUAL",
            ),
            (r#"{"channel":"book","data":[{"symbol":"A/B"}]}"#, "A/B"),
            (r#"[42,{"b":[]},"book-10","XBT\/USD"]"#, "XBT/USD"),
            (r#"[42,{"b":[]},{"a":[]},"book-10","XBT/USD"]"#, "XBT/USD"),
        ] {
            assert_eq!(of(message.as_bytes()).as_deref(), Some(symbol), "{message}");
        }
    }

    #[test]
    fn what_names_none_has_none() {
        for message in [
            "",
            "7",
            "{",
            r#"{"event":"heartbeat"}"#,
            r#"{"topic":"odd"}"#,
            r#"{"stream":"@trade"}"#,
            r#"{"arg":7}"#,
            r#"{"data":[]}"#,
            "[1,2]",
            "[1,2,3,4]",
        ] {
            assert_eq!(of(message.as_bytes()), None, "{message}");
        }
    }
}
