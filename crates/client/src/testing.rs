//! An instrument at a node: its book, what was published, and the book as of each message.

use std::collections::BTreeMap;

use bytes::Bytes;
use market::{
    Bbo, Book, Changes, Channel, Epoch, Exponents, InstrumentId, InstrumentName, Level, Nanos,
    Position, Reason, Seq, Side, State, Trade, difference,
};
use wire::sbe::{self, Message};
use wire::{Head, Lag, LagKind, Status, View};

use crate::Payload;

pub(crate) const NAME: &str = "TEST:A-B";

/// One encoded message.
pub(crate) type Encoded = Vec<u8>;

pub(crate) struct Origin {
    pub(crate) channel: Channel,
    pub(crate) epoch: Epoch,
    pub(crate) view: View,
    pub(crate) exponents: Exponents,
    pub(crate) book: Book,
    pub(crate) seq: Seq,
    /// What was published in this epoch, by `seq`.
    pub(crate) log: Vec<(Seq, Encoded)>,
    /// The book as of each message, in all epochs.
    pub(crate) truth: BTreeMap<(u32, Seq), Book>,
}

impl Origin {
    pub(crate) fn new(channel: Channel) -> Self {
        let mut origin = Self {
            channel,
            epoch: Epoch(7),
            view: View::FULL_RAW,
            exponents: Exponents {
                price: -2,
                size: -3,
            },
            book: Book::new(),
            seq: Seq(99),
            log: Vec::new(),
            truth: BTreeMap::new(),
        };
        origin.set(&[(100, 5), (99, 7)], &[(101, 4), (102, 6)]);
        origin
    }

    pub(crate) fn instrument(&self) -> InstrumentId {
        InstrumentId::of(NAME)
    }

    pub(crate) fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            seq: self.seq,
        }
    }

    pub(crate) fn head(&self, prev_seq: Seq, seq: Seq) -> Head {
        Head {
            instrument: self.instrument(),
            epoch: self.epoch,
            view: self.view,
            prev_seq,
            seq,
            event_time: None,
            log_time: Nanos(1),
            publish_time: Nanos(2),
        }
    }

    /// Sends another view from now on, of which the log has nothing.
    pub(crate) fn show_as(&mut self, view: View) {
        self.view = view;
        self.log.clear();
    }

    /// A record that sets levels, as a delta.
    pub(crate) fn set(&mut self, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> Encoded {
        let mut changes = Changes::default();
        for (side, levels) in [(Side::Bid, bids), (Side::Ask, asks)] {
            let levels: Vec<Level> = levels.iter().map(|(p, s)| Level::new(*p, *s)).collect();
            self.book.apply(side, &levels, &mut changes);
        }
        changes.normalize();
        let head = self.next_head();
        let message = self.encode_changes(&head, &changes);
        self.publish(head, message)
    }

    /// A record after which the stream cannot be trusted.
    pub(crate) fn break_off(&mut self, reason: Reason) -> Encoded {
        let head = self.next_head();
        let message = self.status_at(&head, State::Resyncing, reason);
        self.publish(head, message)
    }

    /// A record with one trade.
    pub(crate) fn trade(&mut self, price: i64) -> Encoded {
        let head = self.next_head();
        let trade = Trade {
            price: market::Price(price),
            size: market::Size(1),
            side: market::Aggressor::Buy,
            id: "t",
        };
        let mut out = Vec::new();
        sbe::trades(&mut out, &head, [trade].into_iter()).unwrap();
        self.publish(head, out)
    }

    /// A record that changes the best bid and offer.
    pub(crate) fn bbo(&mut self) -> Encoded {
        let head = self.next_head();
        let mut out = Vec::new();
        sbe::bbo(&mut out, &head, &self.book.bbo());
        self.publish(head, out)
    }

    /// Begins a new epoch, with an empty book.
    pub(crate) fn new_epoch(&mut self) {
        self.epoch = Epoch(self.epoch.0 + 1);
        self.seq = Seq(4);
        self.log.clear();
        self.book.clear();
        self.truth
            .insert((self.epoch.0, self.seq), self.book.clone());
    }

    fn next_head(&self) -> Head {
        // Offsets skip: most records belong to other streams.
        self.head(self.seq, Seq(self.seq.0 + 1 + self.seq.0 % 3))
    }

    fn publish(&mut self, head: Head, message: Encoded) -> Encoded {
        self.seq = head.seq;
        self.log.push((head.seq, message.clone()));
        self.truth
            .insert((self.epoch.0, self.seq), self.book.clone());
        message
    }

    fn encode_changes(&self, head: &Head, changes: &Changes) -> Encoded {
        let mut out = Vec::new();
        let [bids, asks] =
            Side::BOTH.map(|side| changes.side(side).iter().map(|change| change.level()));
        sbe::book_delta(&mut out, head, self.book.checksum(), bids, asks).unwrap();
        out
    }

    /// A snapshot in chunks of that many levels per side.
    pub(crate) fn snapshot(&self, per_chunk: usize) -> Vec<Encoded> {
        let head = self.head(self.seq, self.seq);
        let bids: Vec<Level> = self.book.bids().iter().collect();
        let asks: Vec<Level> = self.book.asks().iter().collect();
        let chunks = bids.len().max(asks.len()).div_ceil(per_chunk).max(1);
        let part = |levels: &[Level], chunk: usize| -> Vec<Level> {
            let levels = levels.iter().skip(chunk * per_chunk).take(per_chunk);
            levels.copied().collect()
        };
        let encode = |chunk: usize| {
            let mut out = Vec::new();
            sbe::book_snapshot(
                &mut out,
                &head,
                self.book.checksum(),
                chunk.try_into().unwrap(),
                chunks.try_into().unwrap(),
                part(&bids, chunk).into_iter(),
                part(&asks, chunk).into_iter(),
            )
            .unwrap();
            out
        };
        (0..chunks).map(encode).collect()
    }

    /// The net change since `from`, as one delta.
    pub(crate) fn net_since(&self, from: Seq) -> Encoded {
        let then = &self.truth[&(self.epoch.0, from)];
        let mut changes = Changes::default();
        let (bids, asks) = (then.bids().iter(), then.asks().iter());
        difference(Side::Bid, bids, self.book.bids().iter(), &mut changes.bids);
        difference(Side::Ask, asks, self.book.asks().iter(), &mut changes.asks);
        self.encode_changes(&self.head(from, self.seq), &changes)
    }

    pub(crate) fn heartbeat(&self) -> Encoded {
        let mut out = Vec::new();
        sbe::heartbeat(&mut out, &self.head(self.seq, self.seq), self.channel);
        out
    }

    pub(crate) fn lag(&self, kind: LagKind, from: Seq) -> Encoded {
        let lag = Lag {
            channel: self.channel,
            kind,
            from_seq: from,
            to_seq: self.seq,
            messages: 3,
            bytes: 300,
            age: 1_000,
        };
        let mut out = Vec::new();
        sbe::lag(&mut out, &self.head(from, from), &lag);
        out
    }

    /// Restates a state to a new subscription.
    pub(crate) fn status(&self, state: State, reason: Reason) -> Encoded {
        self.status_at(&self.head(self.seq, self.seq), state, reason)
    }

    fn status_at(&self, head: &Head, state: State, reason: Reason) -> Encoded {
        let mut out = Vec::new();
        let status = Status {
            channel: self.channel,
            state,
            reason,
        };
        sbe::status(&mut out, head, &status);
        out
    }

    pub(crate) fn last_bbo(&self) -> Encoded {
        let mut out = Vec::new();
        let bbo: Bbo = self.book.bbo();
        sbe::bbo(&mut out, &self.head(self.seq, self.seq), &bbo);
        out
    }

    pub(crate) fn definition(&self) -> Encoded {
        let name = InstrumentName::parse(NAME).unwrap();
        let info = sbe::Instrument {
            exponents: self.exponents,
            state: State::Live,
            tick_size: None,
            lot_size: None,
            venue: name.venue(),
            symbol: name.symbol(),
        };
        let mut out = Vec::new();
        sbe::instrument(&mut out, &self.head(self.seq, self.seq), &info).unwrap();
        out
    }
}

/// Calls `take` with each of the encoded messages.
pub(crate) fn each(encoded: &[u8], mut take: impl FnMut(&Message<'_>, Bytes)) {
    let mut payload = Payload::new(wire::Encoding::Sbe, Bytes::copy_from_slice(encoded));
    while let Some(next) = payload.take_next() {
        let (message, raw) = next.unwrap();
        take(&message, raw);
    }
}
