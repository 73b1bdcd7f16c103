//! The messages as in the JSON: decimals, times and enums are still text.

use serde::Deserialize;

/// The content of a message, by its type.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub(super) enum RawBody {
    Instrument(RawInstrument),
    BookSnapshot(RawBookSnapshot),
    BookDelta(RawBookDelta),
    Bbo(RawBbo),
    Trades(RawTrades),
    Ticker(RawTicker),
    Bar(RawBar),
    Status(RawStatus),
    Heartbeat(RawHeartbeat),
    Lag(RawLag),
    GoAway(RawGoAway),
    ReplayComplete(RawReplayComplete),
}

/// The fields that every message begins with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawHead {
    pub(super) instrument_id: u64,
    pub(super) prev_seq: i64,
    pub(super) seq: i64,
    pub(super) event_time: Option<String>,
    pub(super) log_time: String,
    pub(super) publish_time: String,
    pub(super) epoch: u32,
    pub(super) view: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawInstrument {
    pub(super) price_exponent: i8,
    pub(super) size_exponent: i8,
    pub(super) state: String,
    pub(super) tick_size: Option<String>,
    pub(super) lot_size: Option<String>,
    pub(super) venue: String,
    pub(super) symbol: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBookSnapshot {
    pub(super) checksum: u32,
    pub(super) chunk: u16,
    pub(super) chunks: u16,
    pub(super) bids: Vec<[String; 2]>,
    pub(super) asks: Vec<[String; 2]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBookDelta {
    pub(super) checksum: u32,
    pub(super) bids: Vec<[String; 2]>,
    pub(super) asks: Vec<[String; 2]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBbo {
    pub(super) bid_price: Option<String>,
    pub(super) bid_size: Option<String>,
    pub(super) ask_price: Option<String>,
    pub(super) ask_size: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTrades {
    pub(super) trades: Vec<RawTrade>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTrade {
    pub(super) price: String,
    pub(super) size: String,
    pub(super) side: String,
    pub(super) trade_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawTicker {
    pub(super) open: Option<String>,
    pub(super) high: Option<String>,
    pub(super) low: Option<String>,
    pub(super) last: Option<String>,
    pub(super) volume: Option<String>,
    pub(super) vwap: Option<String>,
    pub(super) change: Option<String>,
    pub(super) trades: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawBar {
    pub(super) interval: u32,
    pub(super) open_time: String,
    pub(super) open: String,
    pub(super) high: String,
    pub(super) low: String,
    pub(super) close: String,
    pub(super) volume: String,
    pub(super) trades: u32,
    pub(super) closed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawStatus {
    pub(super) channel: String,
    pub(super) state: String,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawHeartbeat {
    pub(super) channel: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawLag {
    pub(super) channel: String,
    pub(super) kind: String,
    pub(super) from_seq: i64,
    pub(super) to_seq: i64,
    pub(super) messages: u32,
    pub(super) bytes: u64,
    pub(super) age: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawGoAway {
    pub(super) reason: String,
    pub(super) delay: u32,
    pub(super) close_after: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawReplayComplete {
    pub(super) channel: String,
    pub(super) messages: u64,
}
