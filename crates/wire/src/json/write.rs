use market::{Bbo, Exponents};

use super::object::{Object, key};
use crate::sbe::{Body, BookDelta, BookSnapshot, Instrument, Message, TradeEntries};
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// What the JSON of a message shows of its instrument beyond the number.
#[derive(Debug, Clone, Copy)]
pub struct InstrumentText<'a> {
    /// `VENUE:SYMBOL`.
    pub name: &'a str,
    /// The exponents of its prices and sizes.
    pub exponents: Exponents,
}

/// Appends the JSON of a message. A message without an instrument ([`Head::of_connection`]) has
/// `"instrument":null`.
pub fn write(out: &mut Vec<u8>, message: &Message<'_>, instrument: &InstrumentText<'_>) {
    let mut object = Object {
        out,
        exponents: instrument.exponents,
    };
    object.text("{\"type\":", message.body.name());
    if message.head.instrument.0 == 0 {
        object.raw(key!("instrument"));
        object.raw("null");
    } else {
        object.text(key!("instrument"), instrument.name);
    }
    write_head(&mut object, &message.head);
    match &message.body {
        Body::Instrument(info) => write_instrument(&mut object, info),
        Body::BookSnapshot(snapshot) => write_snapshot(&mut object, snapshot),
        Body::BookDelta(delta) => write_delta(&mut object, delta),
        Body::Bbo(bbo) => write_bbo(&mut object, bbo),
        Body::Trades(trades) => write_trades(&mut object, *trades),
        Body::Ticker(ticker) => write_ticker(&mut object, ticker),
        Body::Bar(bar) => write_bar(&mut object, bar),
        Body::Status(status) => write_status(&mut object, status),
        Body::Heartbeat(channel) => object.name(key!("channel"), *channel),
        Body::Lag(lag) => write_lag(&mut object, lag),
        Body::GoAway(go_away) => write_go_away(&mut object, go_away),
        Body::ReplayComplete(complete) => write_replay_complete(&mut object, complete),
    }
    object.raw("}");
}

fn write_head(object: &mut Object<'_>, head: &Head) {
    object.number(key!("instrumentId"), head.instrument.0);
    object.number(key!("prevSeq"), head.prev_seq.0);
    object.number(key!("seq"), head.seq.0);
    if let Some(time) = head.event_time {
        object.time(key!("eventTime"), time);
    }
    object.time(key!("logTime"), head.log_time);
    object.time(key!("publishTime"), head.publish_time);
    object.number(key!("epoch"), head.epoch.0);
    object.number(key!("view"), head.view.0);
}

fn write_instrument(object: &mut Object<'_>, info: &Instrument<'_>) {
    object.exponents = info.exponents;
    object.number(key!("priceExponent"), info.exponents.price);
    object.number(key!("sizeExponent"), info.exponents.size);
    object.name(key!("state"), info.state);
    object.price(key!("tickSize"), info.tick_size);
    object.size(key!("lotSize"), info.lot_size);
    object.text(key!("venue"), info.venue);
    object.text(key!("symbol"), info.symbol);
}

fn write_snapshot(object: &mut Object<'_>, snapshot: &BookSnapshot<'_>) {
    object.number(key!("checksum"), snapshot.checksum);
    object.number(key!("chunk"), snapshot.chunk);
    object.number(key!("chunks"), snapshot.chunks);
    object.levels(key!("bids"), snapshot.bids);
    object.levels(key!("asks"), snapshot.asks);
}

fn write_delta(object: &mut Object<'_>, delta: &BookDelta<'_>) {
    object.number(key!("checksum"), delta.checksum);
    object.levels(key!("bids"), delta.bids);
    object.levels(key!("asks"), delta.asks);
}

fn write_bbo(object: &mut Object<'_>, bbo: &Bbo) {
    object.price(key!("bidPrice"), bbo.bid.map(|level| level.price));
    object.size(key!("bidSize"), bbo.bid.map(|level| level.size));
    object.price(key!("askPrice"), bbo.ask.map(|level| level.price));
    object.size(key!("askSize"), bbo.ask.map(|level| level.size));
}

fn write_trades(object: &mut Object<'_>, trades: TradeEntries<'_>) {
    object.raw(key!("trades"));
    object.raw("[");
    for (i, trade) in trades.enumerate() {
        let first = if i == 0 {
            "{\"price\":"
        } else {
            ",{\"price\":"
        };
        object.price(first, Some(trade.price));
        object.size(key!("size"), Some(trade.size));
        object.name(key!("side"), trade.side);
        object.text(key!("tradeId"), trade.id);
        object.raw("}");
    }
    object.raw("]");
}

fn write_ticker(object: &mut Object<'_>, ticker: &Ticker) {
    object.price(key!("open"), ticker.open);
    object.price(key!("high"), ticker.high);
    object.price(key!("low"), ticker.low);
    object.price(key!("last"), ticker.last);
    object.size(key!("volume"), ticker.volume);
    object.price(key!("vwap"), ticker.vwap);
    object.price(key!("change"), ticker.change);
    object.number(key!("trades"), ticker.trades);
}

fn write_bar(object: &mut Object<'_>, bar: &Bar) {
    object.number(key!("interval"), bar.interval);
    object.time(key!("openTime"), bar.open_time);
    object.price(key!("open"), Some(bar.open));
    object.price(key!("high"), Some(bar.high));
    object.price(key!("low"), Some(bar.low));
    object.price(key!("close"), Some(bar.close));
    object.size(key!("volume"), Some(bar.volume));
    object.number(key!("trades"), bar.trades);
    object.raw(key!("closed"));
    object.raw(if bar.closed { "true" } else { "false" });
}

fn write_status(object: &mut Object<'_>, status: &Status) {
    object.name(key!("channel"), status.channel);
    object.name(key!("state"), status.state);
    object.name(key!("reason"), status.reason);
}

fn write_lag(object: &mut Object<'_>, lag: &Lag) {
    object.name(key!("channel"), lag.channel);
    object.name(key!("kind"), lag.kind);
    object.number(key!("fromSeq"), lag.from_seq.0);
    object.number(key!("toSeq"), lag.to_seq.0);
    object.number(key!("messages"), lag.messages);
    object.number(key!("bytes"), lag.bytes);
    object.nanos(key!("age"), lag.age);
}

fn write_go_away(object: &mut Object<'_>, go_away: &GoAway) {
    object.name(key!("reason"), go_away.reason);
    object.number(key!("delay"), go_away.delay);
    object.number(key!("closeAfter"), go_away.close_after);
}

fn write_replay_complete(object: &mut Object<'_>, complete: &ReplayComplete) {
    object.name(key!("channel"), complete.channel);
    object.number(key!("messages"), complete.messages);
}
