use super::bits::BitWriter;
use super::levels::Packed;
use super::{head, kind, levels, numbers, trades};
use crate::codes::Code;
use crate::sbe::{Body, Instrument, Message};
use crate::{GoAway, Lag, Status};

/// Writes packed messages; its memory is reused from message to message.
#[derive(Debug, Default)]
pub struct Packer {
    levels: Vec<Packed>,
}

impl Packer {
    /// A packer without any memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Appends a message.
    pub fn pack(&mut self, out: &mut Vec<u8>, message: &Message<'_>) {
        let mut bits = head::append(out, kind_of(&message.body), &message.head);
        match &message.body {
            Body::Instrument(info) => append_instrument(&mut bits, info),
            Body::BookSnapshot(snapshot) => {
                bits.bits(u64::from(snapshot.checksum), 32);
                bits.golomb(u64::from(snapshot.chunk), 0);
                bits.golomb(u64::from(snapshot.chunks), 0);
                levels::append(&mut bits, &mut self.levels, snapshot.bids, snapshot.asks);
            }
            Body::BookDelta(delta) => {
                bits.bits(u64::from(delta.checksum), 32);
                levels::append(&mut bits, &mut self.levels, delta.bids, delta.asks);
            }
            Body::Bbo(bbo) => numbers::append_bbo(&mut bits, bbo),
            Body::Trades(entries) => trades::append(&mut bits, *entries),
            Body::Ticker(ticker) => numbers::append_ticker(&mut bits, ticker),
            Body::Bar(bar) => numbers::append_bar(&mut bits, bar),
            Body::Status(status) => append_status(&mut bits, status),
            Body::Heartbeat(channel) => append_code(&mut bits, *channel),
            Body::Lag(lag) => append_lag(&mut bits, lag),
            Body::GoAway(go_away) => append_go_away(&mut bits, go_away),
            Body::ReplayComplete(complete) => {
                append_code(&mut bits, complete.channel);
                bits.wide(complete.messages);
            }
        }
        bits.finish();
    }
}

const fn kind_of(body: &Body<'_>) -> u8 {
    match body {
        Body::Instrument(_) => kind::INSTRUMENT,
        Body::BookSnapshot(_) => kind::BOOK_SNAPSHOT,
        Body::BookDelta(_) => kind::BOOK_DELTA,
        Body::Bbo(_) => kind::BBO,
        Body::Trades(_) => kind::TRADES,
        Body::Ticker(_) => kind::TICKER,
        Body::Bar(_) => kind::BAR,
        Body::Status(_) => kind::STATUS,
        Body::Heartbeat(_) => kind::HEARTBEAT,
        Body::Lag(_) => kind::LAG,
        Body::GoAway(_) => kind::GO_AWAY,
        Body::ReplayComplete(_) => kind::REPLAY_COMPLETE,
    }
}

fn append_code(bits: &mut BitWriter<'_>, value: impl Code) {
    bits.bits(u64::from(value.code()), 8);
}

fn append_instrument(bits: &mut BitWriter<'_>, info: &Instrument<'_>) {
    bits.bytes(&info.exponents.price.to_le_bytes());
    bits.bytes(&info.exponents.size.to_le_bytes());
    append_code(bits, info.state);
    numbers::append_optional(bits, info.tick_size.map(|price| price.0));
    numbers::append_optional(bits, info.lot_size.map(|size| size.0));
    bits.text(info.venue);
    bits.text(info.symbol);
}

fn append_status(bits: &mut BitWriter<'_>, status: &Status) {
    append_code(bits, status.channel);
    append_code(bits, status.state);
    append_code(bits, status.reason);
}

fn append_lag(bits: &mut BitWriter<'_>, lag: &Lag) {
    append_code(bits, lag.channel);
    append_code(bits, lag.kind);
    bits.number(lag.from_seq.0);
    bits.number(lag.to_seq.0);
    bits.wide(u64::from(lag.messages));
    bits.wide(lag.bytes);
    bits.wide(lag.age);
}

fn append_go_away(bits: &mut BitWriter<'_>, go_away: &GoAway) {
    append_code(bits, go_away.reason);
    bits.wide(u64::from(go_away.delay));
    bits.wide(u64::from(go_away.close_after));
}
