//! Builders of records for hand-written tests.

use market::{Aggressor, Definition, Exponents, Level, Price, SeqLink, Size, SnapshotOrigin};
use wire::OwnedTrade;

use crate::log::{Content, Entry, Record};

pub(crate) const A: usize = 0;

type Pairs<'a> = &'a [(i64, i64)];

/// A record of instrument [`A`] in partition 0.
pub(crate) fn at(offset: i64, content: Content) -> Entry {
    of(A, 0, offset, content)
}

pub(crate) fn of(instrument: usize, partition: u32, offset: i64, content: Content) -> Entry {
    Entry::Record(Record {
        partition,
        offset,
        instrument,
        content,
    })
}

pub(crate) fn snapshot(seq: Option<u64>, bids: Pairs<'_>, asks: Pairs<'_>) -> Content {
    Content::Snapshot {
        seq,
        origin: SnapshotOrigin::InBand,
        bids: levels(bids),
        asks: levels(asks),
    }
}

pub(crate) fn delta(link: Option<(u64, u64)>, bids: Pairs<'_>, asks: Pairs<'_>) -> Content {
    Content::Delta {
        link: link.map(|(prev, seq)| SeqLink { prev, seq }),
        origin: SnapshotOrigin::InBand,
        bids: levels(bids),
        asks: levels(asks),
    }
}

pub(crate) fn trade(id: &str) -> Content {
    Content::Trades(vec![OwnedTrade {
        price: Price(1),
        size: Size(1),
        side: Aggressor::Sell,
        id: id.to_owned(),
    }])
}

pub(crate) fn definition(price_exponent: i8, tick_size: i64) -> Content {
    Content::Definition(Definition {
        exponents: Exponents {
            price: price_exponent,
            size: -8,
        },
        tick_size: Some(tick_size),
        lot_size: None,
    })
}

fn levels(pairs: Pairs<'_>) -> Vec<Level> {
    pairs
        .iter()
        .map(|(price, size)| Level::new(*price, *size))
        .collect()
}
