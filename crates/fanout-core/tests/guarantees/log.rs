//! The content of Kafka: the records of a few instruments in a few partitions.

use market::{
    At, Definition, Event, Exponents, Handle, InstrumentName, Level, Nanos, Now, PartitionIdentity,
    PartitionIndex, Scope, Seq, SeqLink, SnapshotOrigin, State, Trade,
};
use streams::{Publisher, Skipped};
use wire::OwnedTrade;

pub(crate) const NAMES: [&str; 4] = ["V:A", "V:B", "W:C", "W:D"];
pub(crate) const TOPIC: &str = "market";

/// One thing that happens to a partition, the same for every node that reads it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    Record(Record),
    /// The topic is recreated: this partition restarts at offset 0.
    Reopen {
        partition: u32,
        turns: u32,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) partition: u32,
    pub(crate) offset: i64,
    pub(crate) instrument: usize,
    pub(crate) content: Content,
}

/// The content of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    Snapshot {
        seq: Option<u64>,
        origin: SnapshotOrigin,
        bids: Vec<Level>,
        asks: Vec<Level>,
    },
    Delta {
        link: Option<SeqLink>,
        origin: SnapshotOrigin,
        bids: Vec<Level>,
        asks: Vec<Level>,
    },
    Trades(Vec<OwnedTrade>),
    State(State),
    Definition(Definition),
    /// It cannot be read.
    Bad(Scope),
    Nothing,
}

impl Record {
    pub(crate) fn at(&self) -> At {
        At {
            partition: PartitionIndex(self.partition),
            seq: Seq(self.offset),
            log_time: log_time(self.offset),
        }
    }

    /// Hands the record to a publisher.
    pub(crate) fn read(&self, publisher: &mut Publisher, now: Now) {
        let name = InstrumentName::parse(NAMES[self.instrument]).unwrap();
        let handle = publisher
            .add_instrument(&name, Exponents::default(), now.monotonic)
            .unwrap();
        let _refused = self.offer(publisher, handle, now);
    }

    pub(crate) fn offer(
        &self,
        publisher: &mut Publisher,
        handle: Handle,
        now: Now,
    ) -> Result<(), Skipped> {
        let time = (self.offset % 3 != 0).then(|| Nanos(log_time(self.offset).0 - 7));
        let mut event = |event: &Event<'_>| publisher.event(self.at(), handle, event, now);
        match &self.content {
            Content::Snapshot {
                seq,
                origin,
                bids,
                asks,
            } => event(&Event::Snapshot {
                seq: *seq,
                origin: *origin,
                time,
                bids,
                asks,
            }),
            Content::Delta {
                link,
                origin,
                bids,
                asks,
            } => event(&Event::Delta {
                link: *link,
                origin: *origin,
                time,
                bids,
                asks,
            }),
            Content::Trades(trades) => {
                let trades: Vec<Trade<'_>> = trades.iter().map(OwnedTrade::borrow).collect();
                event(&Event::Trades {
                    time,
                    trades: &trades,
                })
            }
            Content::State(state) => event(&Event::Status {
                time,
                state: *state,
            }),
            Content::Definition(definition) => event(&Event::Definition {
                time,
                definition: *definition,
            }),
            Content::Nothing => event(&Event::Nothing),
            Content::Bad(scope) => {
                publisher.bad_record(self.at(), handle, *scope, now);
                Ok(())
            }
        }
    }
}

/// So far apart that some bars have one trade and some several.
pub(crate) fn log_time(offset: i64) -> Nanos {
    Nanos(1_700_000_000_000_000_000 + offset.unsigned_abs() * 700_000_003)
}

pub(crate) fn identity(partition: u32, turns: u32) -> PartitionIdentity {
    PartitionIdentity {
        topic: TOPIC.into(),
        topic_id: [7; 16],
        partition: i32::try_from(partition).unwrap(),
        turns,
    }
}
