//! Venues that write to Kafka, as well and as badly as real ones.

use std::collections::HashMap;

use market::{
    Aggressor, Definition, Exponents, Level, Price, Scope, SeqLink, Side, Size, SnapshotOrigin,
    State,
};
use proptest::prelude::*;
use wire::OwnedTrade;

use crate::client::PlainBook;
use crate::log::{Content, Entry, NAMES, Record};

/// Bids are below, asks at or above.
const MIDDLE: i64 = 60;
/// How many levels per side each venue starts with.
const DEPTHS: [i64; NAMES.len()] = [30, 8, 12, 3];

/// Something that a venue does.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Snapshot {
        instrument: usize,
        /// How many updates old the book is.
        behind: usize,
        /// So many levels per side at most.
        levels: usize,
        flaw: Flaw,
    },
    Change {
        instrument: usize,
        changes: Vec<(Side, i64, i64)>,
        slip: Slip,
    },
    /// An earlier record is repeated.
    Again {
        instrument: usize,
        back: usize,
    },
    Trade {
        instrument: usize,
        count: usize,
    },
    Halt {
        instrument: usize,
        halted: bool,
    },
    Define {
        instrument: usize,
        finer: i8,
    },
    Bad {
        instrument: usize,
        scope: Scope,
    },
    Other {
        instrument: usize,
    },
    Reopen {
        partition: u32,
    },
}

/// What is wrong with a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    Crossed,
    Twice,
}

/// What goes wrong with an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    None,
    /// It never reaches Kafka.
    Lost,
    /// It crosses the book.
    Crossed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feed {
    Numbered,
    Unnumbered,
    Fetched,
    WholeOnly,
}

pub(crate) const FEEDS: [Feed; NAMES.len()] = [
    Feed::Numbered,
    Feed::Unnumbered,
    Feed::Fetched,
    Feed::WholeOnly,
];

pub(crate) const fn book_partition(instrument: usize) -> u32 {
    if instrument < 2 { 0 } else { 1 }
}

pub(crate) const fn trades_partition(instrument: usize) -> u32 {
    match instrument {
        0 => 0,
        1 => 2,
        2 => 1,
        _ => 3,
    }
}

pub(crate) const PARTITIONS: u32 = 4;

/// Writes what venues do into the log.
#[derive(Debug)]
pub(crate) struct Scribe {
    venues: Vec<Venue>,
    next: HashMap<u32, i64>,
    turns: HashMap<u32, u32>,
    pub(crate) log: Vec<Entry>,
    /// A fetched snapshot is never older than the preceding one.
    orderly: bool,
}

#[derive(Debug)]
struct Venue {
    feed: Feed,
    book: PlainBook,
    number: u64,
    /// The book as of each number.
    history: Vec<(u64, PlainBook)>,
    fetched: u64,
    written: Vec<Record>,
    trades: u64,
    exponent: i8,
}

impl Scribe {
    pub(crate) fn new(orderly: bool) -> Self {
        let venue = |index: usize| {
            let mut book = PlainBook::default();
            for i in 0..DEPTHS[index] {
                book.set(Side::Bid, MIDDLE - 2 - i, 1 + i % 3);
                book.set(Side::Ask, MIDDLE + 2 + i, 1 + i % 2);
            }
            Venue {
                feed: FEEDS[index],
                history: vec![(100, book.clone())],
                book,
                number: 100,
                fetched: 0,
                written: Vec::new(),
                trades: 0,
                exponent: -8,
            }
        };
        Self {
            venues: (0..NAMES.len()).map(venue).collect(),
            next: HashMap::new(),
            turns: HashMap::new(),
            log: Vec::new(),
            orderly,
        }
    }

    pub(crate) fn write_all(acts: &[Act], orderly: bool) -> Vec<Entry> {
        let mut scribe = Self::new(orderly);
        for act in acts {
            scribe.write(act);
        }
        scribe.log
    }

    pub(crate) fn write(&mut self, act: &Act) {
        match act {
            Act::Snapshot {
                instrument,
                behind,
                levels,
                flaw,
            } => {
                let content =
                    self.venues[*instrument].snapshot(*behind, *levels, *flaw, self.orderly);
                self.record(book_partition(*instrument), *instrument, content);
            }
            Act::Change {
                instrument,
                changes,
                slip,
            } => {
                if let Some(content) = self.venues[*instrument].change(changes, *slip) {
                    self.record(book_partition(*instrument), *instrument, content);
                }
            }
            Act::Again { instrument, back } => {
                let written = &self.venues[*instrument].written;
                let index = written.len().checked_sub(1 + back);
                if let Some(record) = index.map(|index| written[index].clone()) {
                    self.record(record.partition, *instrument, record.content);
                }
            }
            Act::Trade { instrument, count } => {
                let content = self.venues[*instrument].trade(*count);
                self.record(trades_partition(*instrument), *instrument, content);
            }
            Act::Halt { instrument, halted } => {
                let state = if *halted { State::Halted } else { State::Live };
                self.record(
                    book_partition(*instrument),
                    *instrument,
                    Content::State(state),
                );
            }
            Act::Define { instrument, finer } => {
                let venue = &mut self.venues[*instrument];
                venue.exponent = if venue.exponent == *finer { -8 } else { *finer };
                let definition = Definition {
                    exponents: Exponents {
                        price: venue.exponent,
                        size: -8,
                    },
                    tick_size: Some(5),
                    lot_size: None,
                };
                let content = Content::Definition(definition);
                self.record(book_partition(*instrument), *instrument, content);
            }
            Act::Bad { instrument, scope } => {
                let partition = match scope {
                    Scope::Trades => trades_partition(*instrument),
                    _ => book_partition(*instrument),
                };
                self.record(partition, *instrument, Content::Bad(*scope));
            }
            Act::Other { instrument } => {
                self.record(book_partition(*instrument), *instrument, Content::Nothing);
            }
            Act::Reopen { partition } => {
                let turns = self.turns.entry(*partition).or_default();
                *turns += 1;
                self.next.insert(*partition, 0);
                self.log.push(Entry::Reopen {
                    partition: *partition,
                    turns: *turns,
                });
            }
        }
    }

    /// Skips some offsets of a partition; returns the next one.
    pub(crate) fn skip(&mut self, partition: u32, lost: i64) -> Option<i64> {
        let next = self.next.get_mut(&partition)?;
        *next += lost;
        Some(*next)
    }

    fn record(&mut self, partition: u32, instrument: usize, content: Content) {
        let next = self.next.entry(partition).or_default();
        // Every few offsets one belongs to a record of another producer.
        let offset = *next + i64::from(*next % 5 == 3);
        *next = offset + 1;
        let record = Record {
            partition,
            offset,
            instrument,
            content,
        };
        let comes_again = matches!(
            record.content,
            Content::Snapshot { .. } | Content::Delta { .. }
        );
        if comes_again {
            self.venues[instrument].written.push(record.clone());
        }
        self.log.push(Entry::Record(record));
    }
}

impl Venue {
    const fn origin(&self) -> SnapshotOrigin {
        match self.feed {
            Feed::Fetched => SnapshotOrigin::OutOfBand,
            _ => SnapshotOrigin::InBand,
        }
    }

    fn snapshot(&mut self, behind: usize, levels: usize, flaw: Flaw, orderly: bool) -> Content {
        let last = self.history.len() - 1;
        let (mut number, mut book) = self.history[last.saturating_sub(behind)].clone();
        if orderly && number < self.fetched {
            (number, book) = self.history[last].clone();
        }
        self.fetched = number;
        book = book.top(Some(levels));
        if flaw == Flaw::Crossed {
            book.set(Side::Bid, MIDDLE + 50, 1);
            book.set(Side::Ask, MIDDLE - 50, 1);
        }
        let (mut bids, asks) = (side(&book, Side::Bid), side(&book, Side::Ask));
        if flaw == Flaw::Twice {
            bids.push(Level::new(7, 1));
            bids.push(Level::new(7, 2));
        }
        Content::Snapshot {
            seq: matches!(self.feed, Feed::Numbered | Feed::Fetched).then_some(number),
            origin: self.origin(),
            bids,
            asks,
        }
    }

    fn change(&mut self, changes: &[(Side, i64, i64)], slip: Slip) -> Option<Content> {
        let prev = self.number;
        self.number += 1 + changes.len() as u64 % 3;
        for (side, price, size) in changes {
            self.book.set(*side, *price, *size);
        }
        self.history.push((self.number, self.book.clone()));
        if self.feed == Feed::WholeOnly {
            return (slip != Slip::Lost).then(|| {
                let flaw = match slip {
                    Slip::Crossed => Flaw::Crossed,
                    _ => Flaw::None,
                };
                self.snapshot(0, usize::MAX, flaw, false)
            });
        }
        if slip == Slip::Lost {
            return None;
        }
        let of = |wanted: Side| -> Vec<Level> {
            changes
                .iter()
                .filter(|(side, ..)| *side == wanted)
                .map(|(_, price, size)| Level::new(*price, *size))
                .collect()
        };
        let (mut bids, asks) = (of(Side::Bid), of(Side::Ask));
        if slip == Slip::Crossed {
            bids.push(Level::new(MIDDLE + 80, 1));
        }
        Some(Content::Delta {
            link: (self.feed != Feed::Unnumbered).then_some(SeqLink {
                prev,
                seq: self.number,
            }),
            origin: self.origin(),
            bids,
            asks,
        })
    }

    fn trade(&mut self, count: usize) -> Content {
        let trades = (0..count).map(|i| {
            self.trades += 1;
            OwnedTrade {
                price: Price(MIDDLE + i as i64),
                size: Size(1 + i as i64),
                side: Aggressor::Buy,
                id: self.trades.to_string(),
            }
        });
        Content::Trades(trades.collect())
    }
}

fn side(book: &PlainBook, side: Side) -> Vec<Level> {
    let level = |(price, size): (&i64, &i64)| Level::new(*price, *size);
    match side {
        Side::Bid => book.bids.iter().rev().map(level).collect(),
        Side::Ask => book.asks.iter().map(level).collect(),
    }
}

pub(crate) fn change() -> impl Strategy<Value = (Side, i64, i64)> {
    prop_oneof![
        (MIDDLE - 40..MIDDLE, 0i64..4).prop_map(|(price, size)| (Side::Bid, price, size)),
        (MIDDLE..MIDDLE + 40, 0i64..4).prop_map(|(price, size)| (Side::Ask, price, size)),
    ]
}

/// What venues do, mostly well.
pub(crate) fn act() -> impl Strategy<Value = Act> {
    let instrument = 0..NAMES.len();
    let slip = prop_oneof![
        18 => Just(Slip::None),
        1 => Just(Slip::Lost),
        1 => Just(Slip::Crossed),
    ];
    let flaw = prop_oneof![
        18 => Just(Flaw::None),
        1 => Just(Flaw::Crossed),
        1 => Just(Flaw::Twice),
    ];
    let levels = prop_oneof![3 => Just(usize::MAX), 1 => 1usize..20];
    let behind = prop_oneof![2 => Just(0usize), 1 => 0usize..6];
    let scope = prop_oneof![Just(Scope::Book), Just(Scope::Trades), Just(Scope::Unknown)];
    prop_oneof![
        10 => (instrument.clone(), behind, levels, flaw).prop_map(|(instrument, behind, levels, flaw)| {
            Act::Snapshot { instrument, behind, levels, flaw }
        }),
        40 => (instrument.clone(), proptest::collection::vec(change(), 0..6), slip).prop_map(
            |(instrument, changes, slip)| Act::Change { instrument, changes, slip }
        ),
        3 => (instrument.clone(), 0usize..4).prop_map(|(instrument, back)| Act::Again { instrument, back }),
        10 => (instrument.clone(), 1usize..4).prop_map(|(instrument, count)| Act::Trade { instrument, count }),
        2 => (instrument.clone(), any::<bool>()).prop_map(|(instrument, halted)| Act::Halt { instrument, halted }),
        1 => (instrument.clone(), prop_oneof![Just(-9i8), Just(-7i8)]).prop_map(|(instrument, finer)| Act::Define { instrument, finer }),
        2 => (instrument.clone(), scope).prop_map(|(instrument, scope)| Act::Bad { instrument, scope }),
        2 => instrument.prop_map(|instrument| Act::Other { instrument }),
        1 => (0..PARTITIONS).prop_map(|partition| Act::Reopen { partition }),
    ]
}
