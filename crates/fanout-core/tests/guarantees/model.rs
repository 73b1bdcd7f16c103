//! What a publisher has to know of an instrument's book, computed in the plainest way.

use market::{Scope, SeqLink, Side, SnapshotOrigin};

use crate::client::PlainBook;
use crate::log::{Content, Record};

/// One instrument's book.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// The book as of when it was last right.
    pub(crate) book: PlainBook,
    pub(crate) live: bool,
    number: Option<u64>,
    /// Of feeds whose snapshots are fetched: one unbroken chain.
    kept: Vec<(SeqLink, PlainChange)>,
    /// The offsets of the instrument's trades.
    pub(crate) trades: Vec<i64>,
}

type PlainChange = Vec<(Side, i64, i64)>;

impl Model {
    pub(crate) fn read(&mut self, record: &Record) {
        match &record.content {
            Content::Snapshot {
                seq,
                origin,
                bids,
                asks,
            } => {
                let levels: PlainChange = sided(bids, asks);
                self.snapshot(*seq, *origin, &levels);
            }
            Content::Delta {
                link,
                origin,
                bids,
                asks,
            } => self.delta(*link, *origin, sided(bids, asks)),
            Content::Bad(Scope::Book | Scope::Unknown) => self.live = false,
            Content::Definition(_) => self.restart(),
            Content::Trades(_) => self.trades.push(record.offset),
            Content::Bad(Scope::Trades) | Content::State(_) | Content::Nothing => {}
        }
    }

    /// Forgets everything so far.
    pub(crate) fn restart(&mut self) {
        *self = Self {
            trades: std::mem::take(&mut self.trades),
            ..Self::default()
        };
    }

    /// Records were lost.
    pub(crate) fn lose(&mut self) {
        self.live = false;
        self.number = None;
    }

    fn snapshot(&mut self, seq: Option<u64>, origin: SnapshotOrigin, levels: &PlainChange) {
        let mut book = PlainBook::default();
        for (side, price, size) in levels {
            if *size != 0 && book.side_mut(*side).contains_key(price) {
                return self.lose();
            }
            book.set(*side, *price, *size);
        }
        let mut number = seq;
        if let (Some(seq), SnapshotOrigin::OutOfBand) = (seq, origin) {
            let behind = self.kept.iter().filter(|(link, _)| link.seq > seq);
            if behind
                .clone()
                .next()
                .is_some_and(|(link, _)| link.prev > seq)
            {
                return;
            }
            for (link, change) in behind {
                apply(&mut book, change);
                number = Some(link.seq);
            }
        }
        if book.bbo().is_crossed() {
            return self.lose();
        }
        self.book = book;
        self.number = number;
        self.live = true;
    }

    fn delta(&mut self, link: Option<SeqLink>, origin: SnapshotOrigin, change: PlainChange) {
        if let (Some(link), SnapshotOrigin::OutOfBand) = (link, origin) {
            let last = self.kept.last().map(|(last, _)| last.seq);
            if last.is_none_or(|last| link.seq > last) {
                if last.is_some_and(|last| link.prev > last) {
                    self.kept.clear();
                }
                self.kept.push((link, change.clone()));
            }
        }
        match (link, self.number) {
            (Some(link), Some(number)) if link.seq <= number => return,
            (Some(link), Some(number)) if link.prev > number => return self.lose(),
            (Some(_), Some(_)) => {}
            _ if !self.live => return,
            _ => {}
        }
        let before = self.book.clone();
        apply(&mut self.book, &change);
        if self.book.bbo().is_crossed() {
            self.book = before;
            return self.lose();
        }
        self.live = true;
        self.number = link.map(|link| link.seq).or(self.number);
    }
}

fn apply(book: &mut PlainBook, change: &PlainChange) {
    for (side, price, size) in change {
        book.set(*side, *price, *size);
    }
}

fn sided(bids: &[market::Level], asks: &[market::Level]) -> PlainChange {
    let of = |side: Side, levels: &[market::Level]| -> PlainChange {
        levels
            .iter()
            .map(|level| (side, level.price.0, level.size.0))
            .collect()
    };
    let mut all = of(Side::Bid, bids);
    all.extend(of(Side::Ask, asks));
    all
}
