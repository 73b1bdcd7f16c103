//! A client to the letter of the protocol: it trusts nothing that it cannot prove.
//!
//! Long because it reads every message of every channel by the rules of the protocol.

use std::collections::{BTreeMap, HashMap};

use market::{Bbo, Channel, Epoch, Exponents, Level, Position, Reason, Seq, Side, State, checksum};
use proptest::prelude::*;
use streams::{Run, StreamKey};
use wire::{
    Bar, Encoding, Head, Lag, LagKind, OwnedBody, OwnedInstrument, OwnedMessage, OwnedTrade,
    Status, Ticker, json, packed, sbe,
};

pub(crate) type Checked = Result<(), TestCaseError>;

/// The largest payload of a frame in SBE.
const MAX_PAYLOAD: usize = 64 * 1024;
/// A level has 16 bytes in SBE, and at most 68 in JSON.
const MAX_TEXT: usize = MAX_PAYLOAD / 16 * 68;

/// One side of a book: the size at each price.
pub(crate) type Levels = BTreeMap<i64, i64>;

/// The slowest and plainest book possible.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PlainBook {
    pub(crate) bids: Levels,
    pub(crate) asks: Levels,
}

/// One subscriber of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) key: StreamKey,
    pub(crate) encoding: Encoding,
    pub(crate) mine: Option<Position>,
    /// The last state that the node reported of the stream.
    pub(crate) broken: Option<(State, Reason)>,
    pub(crate) book: PlainBook,
    sum: u32,
    pub(crate) bbo: Bbo,
    ticker: Option<Ticker>,
    /// The running bar.
    pub(crate) bar: Option<Bar>,
    /// Closed bars, by their start.
    closed: BTreeMap<u64, Bar>,
    pub(crate) state: Option<(State, Reason)>,
    pub(crate) about: Option<OwnedInstrument>,
    /// Every message that moved mine, as bytes, but for the publish time.
    pub(crate) applied: Vec<(Position, Vec<u8>)>,
    /// The same, read.
    pub(crate) messages: Vec<OwnedMessage>,
    pub(crate) lags: Vec<Lag>,
    pub(crate) heartbeats: u32,
    pub(crate) held: u32,
    exponents: HashMap<Epoch, Exponents>,
    partial: Option<Partial>,
    /// How much of what a `Lag` announced is still to come.
    announced: Option<Lag>,
}

/// A snapshot of which chunks are missing.
#[derive(Debug, Clone)]
struct Partial {
    head: Head,
    checksum: u32,
    chunks: u16,
    next: u16,
    book: PlainBook,
}

/// What a message is to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Starts,
    Held,
    Follows,
}

impl PlainBook {
    pub(crate) fn side_mut(&mut self, side: Side) -> &mut Levels {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    pub(crate) fn set(&mut self, side: Side, price: i64, size: i64) {
        if size == 0 {
            self.side_mut(side).remove(&price);
        } else {
            self.side_mut(side).insert(price, size);
        }
    }

    pub(crate) fn checksum(&self) -> u32 {
        let levels = |side: &Levels| -> Vec<Level> {
            side.iter().map(|(p, s)| Level::new(*p, *s)).collect()
        };
        checksum::of_levels(Side::Bid, levels(&self.bids))
            .wrapping_add(checksum::of_levels(Side::Ask, levels(&self.asks)))
    }

    pub(crate) fn bbo(&self) -> Bbo {
        let level = |(price, size): (&i64, &i64)| Level::new(*price, *size);
        Bbo {
            bid: self.bids.last_key_value().map(level),
            ask: self.asks.first_key_value().map(level),
        }
    }

    /// The best `depth` levels of either side.
    pub(crate) fn top(&self, depth: Option<usize>) -> Self {
        let depth = depth.unwrap_or(usize::MAX);
        let copy = |(price, size): (&i64, &i64)| (*price, *size);
        Self {
            bids: self.bids.iter().rev().take(depth).map(copy).collect(),
            asks: self.asks.iter().take(depth).map(copy).collect(),
        }
    }
}

impl Client {
    pub(crate) fn new(key: StreamKey, encoding: Encoding) -> Self {
        Self {
            key,
            encoding,
            mine: None,
            broken: None,
            book: PlainBook::default(),
            sum: 0,
            bbo: Bbo::default(),
            ticker: None,
            bar: None,
            closed: BTreeMap::new(),
            state: None,
            about: None,
            applied: Vec::new(),
            messages: Vec::new(),
            lags: Vec::new(),
            heartbeats: 0,
            held: 0,
            exponents: HashMap::new(),
            partial: None,
            announced: None,
        }
    }

    /// Starts from scratch, as after `"start":"snapshot"`.
    pub(crate) fn forget(&mut self) {
        let Self { key, encoding, .. } = self;
        *self = Self {
            exponents: std::mem::take(&mut self.exponents),
            applied: std::mem::take(&mut self.applied),
            messages: std::mem::take(&mut self.messages),
            ..Self::new(*key, *encoding)
        };
    }

    /// What is known before the first message: the answer to the subscription has the scale.
    pub(crate) fn learn(&mut self, epoch: Epoch, exponents: Exponents) {
        self.exponents.insert(epoch, exponents);
    }

    /// Reads all frames of a run.
    pub(crate) fn take(&mut self, run: &Run) -> Checked {
        let mut start = 0;
        for mark in run.marks() {
            let end = mark.end as usize;
            self.take_marked(&run.bytes()[start..end], mark.seq)?;
            start = end;
        }
        Ok(())
    }

    /// Reads one frame, which is marked with its receiver's position after it.
    fn take_marked(&mut self, frame: &[u8], seq: Seq) -> Checked {
        let before = self.mine;
        self.take_frame(frame)?;
        if self.mine != before {
            prop_assert_eq!(self.mine.unwrap().seq, seq, "a mark is the position");
        } else if let (Some(partial), Some(mine)) = (&self.partial, before) {
            prop_assert!(partial.head.epoch != mine.epoch || seq <= mine.seq);
        }
        Ok(())
    }

    /// Reads one frame.
    pub(crate) fn take_frame(&mut self, frame: &[u8]) -> Checked {
        let payload = self.unframe(frame)?;
        self.payload(payload)
    }

    /// Reads what its instrument is, in a frame that may be of another stream of the instrument.
    pub(crate) fn take_definition(&mut self, frame: &[u8]) -> Checked {
        let message = self.read(self.unframe(frame)?)?;
        let OwnedBody::Instrument(info) = message.body else {
            return Err(TestCaseError::fail(format!("{message:?} of no channel")));
        };
        prop_assert_eq!(message.head.instrument, self.key.instrument);
        prop_assert_eq!(message.head.prev_seq, message.head.seq);
        self.exponents.insert(message.head.epoch, info.exponents);
        self.about = Some(info);
        Ok(())
    }

    /// Reads one payload, which is one message.
    fn payload(&mut self, payload: &[u8]) -> Checked {
        let message = self.read(payload)?;
        let mut same = payload.to_vec();
        match self.encoding {
            Encoding::Json => strip_publish_time(&mut same),
            Encoding::Packed => {
                let mut message = message.clone();
                message.head.publish_time = market::Nanos(0);
                same.clear();
                message.encode(&mut same).unwrap();
            }
            _ => sbe::stamp(&mut same, market::Nanos(0)),
        }
        let before = self.mine;
        self.message(&message)?;
        let tells = !matches!(message.body, OwnedBody::Heartbeat(_) | OwnedBody::Lag(_));
        if self.mine != before && tells {
            let mut message = message;
            message.head.publish_time = market::Nanos(0);
            self.applied.push((self.mine.unwrap(), same));
            self.messages.push(message);
        }
        Ok(())
    }

    fn unframe<'a>(&self, frame: &'a [u8]) -> Result<&'a [u8], TestCaseError> {
        let (opcode, bound) = match self.encoding {
            Encoding::Json => (0x81, MAX_TEXT),
            _ => (0x82, MAX_PAYLOAD),
        };
        prop_assert_eq!(frame[0], opcode);
        let (head, len) = match frame[1] {
            126 => (4, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
            127 => (
                10,
                u64::from_be_bytes(frame[2..10].try_into().unwrap()) as usize,
            ),
            len => (2, usize::from(len)),
        };
        prop_assert_eq!(frame.len(), head + len);
        prop_assert!(len <= bound, "a frame of {} bytes", len);
        Ok(&frame[head..])
    }

    fn read(&self, payload: &[u8]) -> Result<OwnedMessage, TestCaseError> {
        let wrong = |error: String| TestCaseError::fail(error);
        if self.encoding == Encoding::Json {
            let raw: serde_json::Value = serde_json::from_slice(payload).unwrap();
            let epoch = Epoch(u32::try_from(raw["epoch"].as_u64().unwrap()).unwrap());
            return json::read(payload, |_| self.exponents.get(&epoch).copied())
                .map_err(|error| wrong(error.to_string()));
        }
        if self.encoding == Encoding::Packed {
            let mut messages = packed::Messages::new(payload);
            let message = messages.next().unwrap();
            prop_assert!(messages.next().is_none());
            return message.map_err(|error| wrong(error.to_string()));
        }
        let (message, rest) =
            sbe::Message::decode(payload).map_err(|error| wrong(error.to_string()))?;
        prop_assert!(rest.is_empty());
        Ok(message.into_owned())
    }

    fn message(&mut self, message: &OwnedMessage) -> Checked {
        let head = &message.head;
        prop_assert_eq!(head.instrument, self.key.instrument);
        prop_assert_eq!(head.view, self.key.params.view());
        prop_assert!(head.prev_seq <= head.seq, "{:?}", message);
        if !matches!(message.body, OwnedBody::BookSnapshot { .. }) {
            // Anything but the next chunk voids what was gathered.
            prop_assert!(
                self.partial.is_none(),
                "nothing comes between chunks: {:?}",
                message
            );
        }
        if self.mine.is_some_and(|mine| mine.epoch != head.epoch) {
            // Bars are of another scale now, or of another log.
            self.bar = None;
            self.closed.clear();
        }
        let announced = self.announced.take();
        match &message.body {
            OwnedBody::Instrument(info) => {
                self.exponents.insert(head.epoch, info.exponents);
                self.about = Some(info.clone());
                self.announced = announced;
                return Ok(());
            }
            OwnedBody::Heartbeat(channel) => {
                prop_assert_eq!(*channel, self.key.channel);
                prop_assert_eq!(head.prev_seq, head.seq);
                self.heartbeats += 1;
                if self.judge(head)? == Judged::Starts {
                    prop_assert!(self.key.channel != Channel::Book, "it starts no book");
                    self.mine = Some(position(head));
                }
                return Ok(());
            }
            OwnedBody::Lag(lag) => return self.lag(head, *lag),
            _ => {}
        }
        if let Some(lag) = announced.filter(|lag| lag.kind != LagKind::Skipped) {
            prop_assert_eq!(head.seq, lag.to_seq, "what follows a Lag covers its range");
            prop_assert!(head.prev_seq <= lag.from_seq);
        }
        match &message.body {
            OwnedBody::BookSnapshot { .. } => self.snapshot(message),
            OwnedBody::BookDelta {
                checksum,
                bids,
                asks,
            } => self.delta(head, *checksum, bids, asks),
            OwnedBody::Status(status) => self.status(head, *status),
            OwnedBody::Bbo(bbo) => {
                prop_assert_eq!(self.key.channel, Channel::Bbo);
                if self.judge(head)? != Judged::Held {
                    prop_assert!(!bbo.is_crossed());
                    self.bbo = *bbo;
                    self.apply(head);
                }
                Ok(())
            }
            OwnedBody::Ticker(ticker) => {
                prop_assert_eq!(self.key.channel, Channel::Ticker);
                if self.judge(head)? != Judged::Held {
                    self.ticker = Some(*ticker);
                    self.apply(head);
                }
                Ok(())
            }
            OwnedBody::Bar(bar) => {
                prop_assert_eq!(self.key.channel, Channel::Bars);
                let interval = self.key.params.interval.unwrap();
                prop_assert_eq!(bar.interval, interval.seconds());
                if self.judge(head)? == Judged::Held {
                    return Ok(());
                }
                if bar.closed {
                    // It advances nothing: the running one follows it.
                    self.closed.insert(bar.open_time.0, *bar);
                    return Ok(());
                }
                self.bar = Some(*bar);
                self.apply(head);
                Ok(())
            }
            OwnedBody::Trades(trades) => {
                prop_assert_eq!(self.key.channel, Channel::Trades);
                prop_assert!(!trades.is_empty());
                if self.judge(head)? != Judged::Held {
                    self.apply(head);
                }
                Ok(())
            }
            other => Err(TestCaseError::fail(format!("unexpected {other:?}"))),
        }
    }

    /// The one rule.
    fn judge(&mut self, head: &Head) -> Result<Judged, TestCaseError> {
        let Some(mine) = self.mine.filter(|mine| mine.epoch == head.epoch) else {
            return Ok(Judged::Starts);
        };
        prop_assert!(
            head.prev_seq <= mine.seq,
            "a gap: {:?} after {:?}",
            head,
            mine
        );
        if head.seq <= mine.seq {
            self.held += 1;
            return Ok(Judged::Held);
        }
        Ok(Judged::Follows)
    }

    fn apply(&mut self, head: &Head) {
        self.mine = Some(position(head));
        self.broken = None;
    }

    fn snapshot(&mut self, message: &OwnedMessage) -> Checked {
        let head = &message.head;
        let OwnedBody::BookSnapshot {
            checksum,
            chunk,
            chunks,
            bids,
            asks,
        } = &message.body
        else {
            unreachable!()
        };
        prop_assert_eq!(self.key.channel, Channel::Book);
        if self.judge(head)? == Judged::Held {
            return Ok(());
        }
        let mut partial = match self.partial.take() {
            Some(partial) => partial,
            None => Partial {
                head: *head,
                checksum: *checksum,
                chunks: *chunks,
                next: 0,
                book: PlainBook::default(),
            },
        };
        prop_assert_eq!(partial.head, *head);
        prop_assert_eq!(
            (partial.checksum, partial.chunks, partial.next),
            (*checksum, *chunks, *chunk)
        );
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            let last = match side {
                Side::Bid => partial.book.bids.first_key_value(),
                Side::Ask => partial.book.asks.last_key_value(),
            };
            check_order(side, last.map(|(price, _)| *price), levels)?;
            for level in levels {
                prop_assert!(level.size.0 > 0);
                partial.book.set(side, level.price.0, level.size.0);
            }
        }
        partial.next += 1;
        if partial.next < partial.chunks {
            self.partial = Some(partial);
            return Ok(());
        }
        self.book = partial.book;
        self.sum = self.book.checksum();
        prop_assert_eq!(self.sum, *checksum, "the snapshot book's checksum");
        self.apply(head);
        Ok(())
    }

    fn delta(&mut self, head: &Head, told: u32, bids: &[Level], asks: &[Level]) -> Checked {
        prop_assert_eq!(self.key.channel, Channel::Book);
        let judged = self.judge(head)?;
        prop_assert!(
            judged != Judged::Starts,
            "a delta starts no book: {:?}",
            head
        );
        if judged == Judged::Held {
            return Ok(());
        }
        let exact = self.mine.unwrap().seq == head.prev_seq;
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            check_order(side, None, levels)?;
            for level in levels {
                let (price, size) = (level.price.0, level.size.0);
                let before = self.book.side_mut(side).get(&price).copied().unwrap_or(0);
                prop_assert!(
                    !exact || before != size,
                    "a change that changes nothing: {:?} {:?} {:?}",
                    head,
                    side,
                    level
                );
                if before != 0 {
                    let term = checksum::mix(side, Level::new(price, before));
                    self.sum = self.sum.wrapping_sub(term);
                }
                if size != 0 {
                    self.sum = self.sum.wrapping_add(checksum::mix(side, *level));
                }
                self.book.set(side, price, size);
            }
        }
        prop_assert_eq!(self.sum, told, "the checksum as it is kept up: {:?}", head);
        prop_assert_eq!(self.book.checksum(), told, "the checksum from scratch");
        prop_assert!(!self.book.bbo().is_crossed());
        if let Some(depth) = self.key.params.depth.levels() {
            prop_assert!(self.book.bids.len() <= depth && self.book.asks.len() <= depth);
        }
        self.apply(head);
        Ok(())
    }

    fn status(&mut self, head: &Head, status: Status) -> Checked {
        prop_assert_eq!(status.channel, self.key.channel);
        let told = (status.state, status.reason);
        let restated = self.mine == Some(position(head));
        let judged = self.judge(head)?;
        if self.key.channel == Channel::Status {
            if restated || judged != Judged::Held {
                self.state = Some(told);
                self.mine = Some(position(head));
            }
            return Ok(());
        }
        prop_assert!(status.state.is_broken());
        if restated {
            self.broken = Some(told);
        } else if judged != Judged::Held {
            let starts_book = judged == Judged::Starts && self.key.channel == Channel::Book;
            prop_assert!(!starts_book, "a status starts no book");
            self.mine = Some(position(head));
            self.broken = Some(told);
        }
        Ok(())
    }

    fn lag(&mut self, head: &Head, lag: Lag) -> Checked {
        prop_assert_eq!(lag.channel, self.key.channel);
        prop_assert_eq!(head.prev_seq, head.seq);
        prop_assert_eq!(head.seq, lag.from_seq);
        if let Some(mine) = self.mine.filter(|mine| mine.epoch == head.epoch) {
            // An epoch that starts in the middle of a run counts from the end of that run.
            prop_assert!(
                head.seq == mine.seq || head.seq == Seq::NONE,
                "it has its receiver's position: {:?} {:?}",
                head,
                mine
            );
        }
        if self.judge(head)? == Judged::Starts && self.key.channel != Channel::Book {
            self.mine = Some(position(head));
        }
        if self.key.channel != Channel::Book {
            let ahead = self.mine.is_some_and(|mine| mine.seq > head.seq);
            prop_assert!(ahead || self.mine == Some(position(head)));
        }
        if lag.kind == LagKind::Skipped {
            let channels = [Channel::Trades, Channel::Bars];
            prop_assert!(channels.contains(&self.key.channel));
            prop_assert!(lag.to_seq >= lag.from_seq);
            self.closed.clear();
            self.mine = Some(Position {
                epoch: head.epoch,
                seq: lag.to_seq.max(self.mine.unwrap().seq),
            });
        } else {
            prop_assert!(lag.to_seq >= lag.from_seq);
            self.announced = Some(lag);
        }
        self.lags.push(lag);
        Ok(())
    }

    /// The scale of prices in an epoch.
    pub(crate) fn scale(&self, epoch: Epoch) -> Option<i8> {
        Some(self.exponents.get(&epoch)?.price)
    }

    /// All trades, in order.
    pub(crate) fn trades(&self) -> Vec<(Seq, Vec<OwnedTrade>)> {
        self.messages
            .iter()
            .filter_map(|message| match &message.body {
                OwnedBody::Trades(trades) => Some((message.head.seq, trades.clone())),
                _ => None,
            })
            .collect()
    }

    /// What it holds, for comparing it with another client of the same stream. That trades may be
    /// missing is reported once to present clients, and is no state.
    pub(crate) fn holds(&self) -> Held {
        Held {
            book: self.book.clone(),
            bbo: self.bbo,
            ticker: self.ticker,
            bar: self.bar,
            state: self.state,
            broken: self.broken.filter(|_| !lossy(self.key.channel)),
        }
    }

    /// Whoever has the bars of some time on has them all.
    pub(crate) fn check_closed_bars(&self, fresh: &Self) -> Checked {
        let Some(first) = self.closed.keys().next() else {
            return Ok(());
        };
        for (start, bar) in fresh.closed.range(first..) {
            prop_assert_eq!(self.closed.get(start), Some(bar));
        }
        Ok(())
    }
}

/// What a client holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    book: PlainBook,
    bbo: Bbo,
    ticker: Option<Ticker>,
    bar: Option<Bar>,
    state: Option<(State, Reason)>,
    broken: Option<(State, Reason)>,
}

/// Returns whether a loss is reported once to present clients and is no state.
const fn lossy(channel: Channel) -> bool {
    matches!(channel, Channel::Trades | Channel::Ticker | Channel::Bars)
}

const fn position(head: &Head) -> Position {
    Position {
        epoch: head.epoch,
        seq: head.seq,
    }
}

/// Best first, no price twice, no size below zero.
fn check_order(side: Side, mut last: Option<i64>, levels: &[Level]) -> Checked {
    for level in levels {
        let price = level.price.0;
        let sorted = last.is_none_or(|last| match side {
            Side::Bid => price < last,
            Side::Ask => price > last,
        });
        prop_assert!(sorted && level.size.0 >= 0, "{:?} {:?}", side, levels);
        last = Some(price);
    }
    Ok(())
}

fn strip_publish_time(text: &mut Vec<u8>) {
    let key = b"\"publishTime\":\"";
    let start = text
        .windows(key.len())
        .position(|window| window == key)
        .unwrap()
        + key.len();
    let len = text[start..].iter().position(|byte| *byte == b'"').unwrap();
    text.drain(start..start + len);
}
