//! The hot path: each function appends one message to a buffer that its caller reuses, so that
//! nothing is allocated once the buffer has grown.

use market::{Bbo, Channel, Epoch, Level, Nanos, Trade};

use super::draft::Draft;
use super::layout::{
    BAR, BBO, BOOK_DELTA, BOOK_SNAPSHOT, GO_AWAY, GROUP_HEAD, HEADER, HEARTBEAT, INSTRUMENT, LAG,
    LEVEL, MAX_CHUNK_LEVELS, MAX_DELTA_LEVELS, MAX_TEXT, MAX_TRADES, PUBLISH_TIME_OFFSET,
    REPLAY_COMPLETE, STATUS, TICKER, TRADE, TRADES, Template, at, head,
};
use super::{EncodeError, Instrument};
use crate::codes::Code;
use crate::{Bar, GoAway, Head, Lag, ReplayComplete, Status, Ticker};

/// Appends an `Instrument`.
pub fn instrument(
    out: &mut Vec<u8>,
    head: &Head,
    info: &Instrument<'_>,
) -> Result<(), EncodeError> {
    check_text(&INSTRUMENT, "venue", info.venue)?;
    check_text(&INSTRUMENT, "symbol", info.symbol)?;
    let mut draft = Draft::<{ HEADER + INSTRUMENT.block }>::new(&INSTRUMENT, head);
    draft.put::<{ at::instrument::PRICE_EXPONENT }, _>(info.exponents.price.to_le_bytes());
    draft.put::<{ at::instrument::SIZE_EXPONENT }, _>(info.exponents.size.to_le_bytes());
    draft.put::<{ at::instrument::STATE }, _>([info.state.code()]);
    draft.put_price::<{ at::instrument::TICK_SIZE }>(info.tick_size);
    draft.put_size::<{ at::instrument::LOT_SIZE }>(info.lot_size);
    out.reserve(draft.bytes().len() + 2 + info.venue.len() + info.symbol.len());
    out.extend_from_slice(draft.bytes());
    append_text(out, info.venue);
    append_text(out, info.symbol);
    Ok(())
}

/// Appends one chunk of a `BookSnapshot`: at most [`MAX_CHUNK_LEVELS`] per side, best first.
pub fn book_snapshot(
    out: &mut Vec<u8>,
    head: &Head,
    checksum: u32,
    chunk: u16,
    chunks: u16,
    bids: impl ExactSizeIterator<Item = Level>,
    asks: impl ExactSizeIterator<Item = Level>,
) -> Result<(), EncodeError> {
    check_len(&BOOK_SNAPSHOT, "bids", bids.len(), MAX_CHUNK_LEVELS)?;
    check_len(&BOOK_SNAPSHOT, "asks", asks.len(), MAX_CHUNK_LEVELS)?;
    let mut draft = Draft::<{ HEADER + BOOK_SNAPSHOT.block }>::new(&BOOK_SNAPSHOT, head);
    draft.put::<{ at::book_snapshot::CHECKSUM }, _>(checksum.to_le_bytes());
    draft.put::<{ at::book_snapshot::CHUNK }, _>(chunk.to_le_bytes());
    draft.put::<{ at::book_snapshot::CHUNKS }, _>(chunks.to_le_bytes());
    append_book(out, draft.bytes(), bids, asks);
    Ok(())
}

/// Appends a `BookDelta`: at most [`MAX_DELTA_LEVELS`] per side, best first; size 0 deletes a level.
pub fn book_delta(
    out: &mut Vec<u8>,
    head: &Head,
    checksum: u32,
    bids: impl ExactSizeIterator<Item = Level>,
    asks: impl ExactSizeIterator<Item = Level>,
) -> Result<(), EncodeError> {
    check_len(&BOOK_DELTA, "bids", bids.len(), MAX_DELTA_LEVELS)?;
    check_len(&BOOK_DELTA, "asks", asks.len(), MAX_DELTA_LEVELS)?;
    let mut draft = Draft::<{ HEADER + BOOK_DELTA.block }>::new(&BOOK_DELTA, head);
    draft.put::<{ at::book_delta::CHECKSUM }, _>(checksum.to_le_bytes());
    append_book(out, draft.bytes(), bids, asks);
    Ok(())
}

/// Appends a `Bbo`.
pub fn bbo(out: &mut Vec<u8>, head: &Head, bbo: &Bbo) {
    let mut draft = Draft::<{ HEADER + BBO.block }>::new(&BBO, head);
    draft.put_price::<{ at::bbo::BID_PRICE }>(bbo.bid.map(|level| level.price));
    draft.put_size::<{ at::bbo::BID_SIZE }>(bbo.bid.map(|level| level.size));
    draft.put_price::<{ at::bbo::ASK_PRICE }>(bbo.ask.map(|level| level.price));
    draft.put_size::<{ at::bbo::ASK_SIZE }>(bbo.ask.map(|level| level.size));
    out.extend_from_slice(draft.bytes());
}

/// Appends a `Trades`: at most [`MAX_TRADES`], in the venue's order.
pub fn trades<'a>(
    out: &mut Vec<u8>,
    head: &Head,
    trades: impl ExactSizeIterator<Item = Trade<'a>>,
) -> Result<(), EncodeError> {
    check_len(&TRADES, "trades", trades.len(), MAX_TRADES)?;
    let begin = out.len();
    let draft = Draft::<{ HEADER + TRADES.block }>::new(&TRADES, head);
    out.reserve(draft.bytes().len() + GROUP_HEAD + trades.len() * (TRADE + 1));
    out.extend_from_slice(draft.bytes());
    append_group_head(out, TRADE, trades.len());
    for trade in trades {
        if let Err(error) = check_text(&TRADES, "tradeId", trade.id) {
            out.truncate(begin);
            return Err(error);
        }
        let mut entry = [0; TRADE];
        entry[at::trade::PRICE..at::trade::SIZE].copy_from_slice(&trade.price.0.to_le_bytes());
        entry[at::trade::SIZE..at::trade::SIDE].copy_from_slice(&trade.size.0.to_le_bytes());
        entry[at::trade::SIDE] = trade.side.code();
        out.extend_from_slice(&entry);
        append_text(out, trade.id);
    }
    Ok(())
}

/// Appends a `Ticker`.
pub fn ticker(out: &mut Vec<u8>, head: &Head, ticker: &Ticker) {
    let mut draft = Draft::<{ HEADER + TICKER.block }>::new(&TICKER, head);
    draft.put_price::<{ at::ticker::OPEN }>(ticker.open);
    draft.put_price::<{ at::ticker::HIGH }>(ticker.high);
    draft.put_price::<{ at::ticker::LOW }>(ticker.low);
    draft.put_price::<{ at::ticker::LAST }>(ticker.last);
    draft.put_size::<{ at::ticker::VOLUME }>(ticker.volume);
    draft.put_price::<{ at::ticker::VWAP }>(ticker.vwap);
    draft.put_price::<{ at::ticker::CHANGE }>(ticker.change);
    draft.put::<{ at::ticker::TRADES }, _>(ticker.trades.to_le_bytes());
    out.extend_from_slice(draft.bytes());
}

/// Appends a `Bar`.
pub fn bar(out: &mut Vec<u8>, head: &Head, bar: &Bar) {
    let mut draft = Draft::<{ HEADER + BAR.block }>::new(&BAR, head);
    draft.put::<{ at::bar::INTERVAL }, _>(bar.interval.to_le_bytes());
    draft.put::<{ at::bar::OPEN_TIME }, _>(bar.open_time.0.to_le_bytes());
    draft.put::<{ at::bar::OPEN }, _>(bar.open.0.to_le_bytes());
    draft.put::<{ at::bar::HIGH }, _>(bar.high.0.to_le_bytes());
    draft.put::<{ at::bar::LOW }, _>(bar.low.0.to_le_bytes());
    draft.put::<{ at::bar::CLOSE }, _>(bar.close.0.to_le_bytes());
    draft.put::<{ at::bar::VOLUME }, _>(bar.volume.0.to_le_bytes());
    draft.put::<{ at::bar::TRADES }, _>(bar.trades.to_le_bytes());
    draft.put::<{ at::bar::CLOSED }, _>([u8::from(bar.closed)]);
    out.extend_from_slice(draft.bytes());
}

/// Appends a `Status`.
pub fn status(out: &mut Vec<u8>, head: &Head, status: &Status) {
    let mut draft = Draft::<{ HEADER + STATUS.block }>::new(&STATUS, head);
    draft.put::<{ at::status::CHANNEL }, _>([status.channel.code()]);
    draft.put::<{ at::status::STATE }, _>([status.state.code()]);
    draft.put::<{ at::status::REASON }, _>([status.reason.code()]);
    out.extend_from_slice(draft.bytes());
}

/// Appends a `Heartbeat`.
pub fn heartbeat(out: &mut Vec<u8>, head: &Head, channel: Channel) {
    let mut draft = Draft::<{ HEADER + HEARTBEAT.block }>::new(&HEARTBEAT, head);
    draft.put::<{ at::heartbeat::CHANNEL }, _>([channel.code()]);
    out.extend_from_slice(draft.bytes());
}

/// Appends a `Lag`.
pub fn lag(out: &mut Vec<u8>, head: &Head, lag: &Lag) {
    let mut draft = Draft::<{ HEADER + LAG.block }>::new(&LAG, head);
    draft.put::<{ at::lag::CHANNEL }, _>([lag.channel.code()]);
    draft.put::<{ at::lag::KIND }, _>([lag.kind.code()]);
    draft.put::<{ at::lag::FROM_SEQ }, _>(lag.from_seq.0.to_le_bytes());
    draft.put::<{ at::lag::TO_SEQ }, _>(lag.to_seq.0.to_le_bytes());
    draft.put::<{ at::lag::MESSAGES }, _>(lag.messages.to_le_bytes());
    draft.put::<{ at::lag::BYTES }, _>(lag.bytes.to_le_bytes());
    draft.put::<{ at::lag::AGE }, _>(lag.age.to_le_bytes());
    out.extend_from_slice(draft.bytes());
}

/// Appends a `GoAway`; its head is [`Head::of_connection`].
pub fn go_away(out: &mut Vec<u8>, head: &Head, go_away: &GoAway) {
    let mut draft = Draft::<{ HEADER + GO_AWAY.block }>::new(&GO_AWAY, head);
    draft.put::<{ at::go_away::REASON }, _>([go_away.reason.code()]);
    draft.put::<{ at::go_away::DELAY }, _>(go_away.delay.to_le_bytes());
    draft.put::<{ at::go_away::CLOSE_AFTER }, _>(go_away.close_after.to_le_bytes());
    out.extend_from_slice(draft.bytes());
}

/// Appends a `ReplayComplete`.
pub fn replay_complete(out: &mut Vec<u8>, head: &Head, complete: &ReplayComplete) {
    let mut draft = Draft::<{ HEADER + REPLAY_COMPLETE.block }>::new(&REPLAY_COMPLETE, head);
    draft.put::<{ at::replay_complete::CHANNEL }, _>([complete.channel.code()]);
    draft.put::<{ at::replay_complete::MESSAGES }, _>(complete.messages.to_le_bytes());
    out.extend_from_slice(draft.bytes());
}

/// Overwrites the publish time of an encoded message; does nothing if the slice is too short.
pub fn stamp(message: &mut [u8], publish_time: Nanos) {
    let field = message
        .get_mut(PUBLISH_TIME_OFFSET..)
        .and_then(<[u8]>::first_chunk_mut::<8>);
    if let Some(field) = field {
        *field = publish_time.0.to_le_bytes();
    }
}

/// The epoch of an encoded message; `None` if the slice is too short.
#[must_use]
pub fn epoch(message: &[u8]) -> Option<Epoch> {
    let field = message.get(HEADER + head::EPOCH..)?.first_chunk::<4>()?;
    Some(Epoch(u32::from_le_bytes(*field)))
}

fn append_book(
    out: &mut Vec<u8>,
    block: &[u8],
    bids: impl ExactSizeIterator<Item = Level>,
    asks: impl ExactSizeIterator<Item = Level>,
) {
    out.reserve(block.len() + 2 * GROUP_HEAD + (bids.len() + asks.len()) * LEVEL);
    out.extend_from_slice(block);
    append_levels(out, bids);
    append_levels(out, asks);
}

fn append_levels(out: &mut Vec<u8>, levels: impl ExactSizeIterator<Item = Level>) {
    append_group_head(out, LEVEL, levels.len());
    for level in levels {
        let mut entry = [0; LEVEL];
        entry[at::level::PRICE..at::level::SIZE].copy_from_slice(&level.price.0.to_le_bytes());
        entry[at::level::SIZE..].copy_from_slice(&level.size.0.to_le_bytes());
        out.extend_from_slice(&entry);
    }
}

/// Appends a group's header; the caller has checked the bound.
fn append_group_head(out: &mut Vec<u8>, entry: usize, len: usize) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "entries have at most 17 bytes"
    )]
    let [a, b] = (entry as u16).to_le_bytes();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "every group's bound is below 65,536"
    )]
    let [c, d] = (len as u16).to_le_bytes();
    out.extend_from_slice(&[a, b, c, d]);
}

/// Appends a text with its length; the caller has checked the bound.
fn append_text(out: &mut Vec<u8>, text: &str) {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to have at most 254 bytes"
    )]
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

const fn check_len(
    template: &Template,
    group: &'static str,
    len: usize,
    max: usize,
) -> Result<(), EncodeError> {
    if len <= max {
        return Ok(());
    }
    Err(EncodeError::TooManyEntries {
        message: template.name,
        group,
        len,
        max,
    })
}

const fn check_text(
    template: &Template,
    field: &'static str,
    text: &str,
) -> Result<(), EncodeError> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(EncodeError::TextTooLong {
        message: template.name,
        field,
        len: text.len(),
        max: MAX_TEXT,
    })
}
