//! What a client received, as bytes to compare.

use std::collections::BTreeMap;
use std::time::Instant;

use client::event::{StatusUpdate, Subscribed};
use client::{Client, Event};
use wire::control::StartKind;

use crate::watcher::Observer;

/// The offset of `publishTime` in every message: the only bytes that are a node's own.
const PUBLISH_TIME: std::ops::Range<usize> = 48..56;

/// `Instrument`, `BookSnapshot`, `Heartbeat`, `Lag`, `ReplayComplete`: messages that are not part of the stream itself.
const BESIDE: [u16; 5] = [1, 2, 9, 10, 12];

/// A message of a stream, with `publishTime` blanked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The message that it follows.
    pub prev: i64,
    /// The Kafka offset.
    pub seq: i64,
    /// All of its bytes.
    pub bytes: Vec<u8>,
}

/// What one client received; streams by the number of their subscription.
#[derive(Debug, Default)]
pub struct Tape {
    /// The messages of the streams themselves.
    pub messages: BTreeMap<u64, Vec<Message>>,
    /// The `seq` of every verified step of every book.
    pub books: BTreeMap<u64, Vec<i64>>,
    /// The checksum of every book as it is now.
    pub checksums: BTreeMap<u64, u32>,
    /// Every acceptance of a subscription.
    pub subscribed: Vec<Subscribed>,
    /// Rejections of subscriptions that are retried.
    pub postponed: Vec<String>,
    /// Every interruption, as text.
    pub faults: Vec<String>,
    /// Statuses of streams.
    pub statuses: Vec<StatusUpdate>,
    /// Connections that were lost.
    pub reconnects: Vec<String>,
    /// Streams whose replay is complete, with the `seq` at which they went live.
    pub completed: BTreeMap<u64, i64>,
    /// When data came last.
    pub last: Option<Instant>,
    /// How many checksums were verified.
    pub verified: u64,
}

impl Tape {
    /// The last `seq` of a stream.
    #[must_use]
    pub fn last_seq(&self, subscription: u64) -> i64 {
        self.messages
            .get(&subscription)
            .and_then(|messages| messages.last())
            .map_or(-1, |message| message.seq)
    }

    /// The messages of a stream after a `seq`.
    #[must_use]
    pub fn after(&self, subscription: u64, seq: i64) -> Vec<Message> {
        let messages = self.messages.get(&subscription).into_iter().flatten();
        messages
            .filter(|message| message.seq > seq)
            .cloned()
            .collect()
    }

    /// The messages of a stream that advanced it. A client that resumes at a node that has not read
    /// as far receives some again, and ignores them by rule 2 of the protocol.
    #[must_use]
    pub fn followed(&self, subscription: u64) -> Vec<Message> {
        let mut last = i64::MIN;
        let messages = self.messages.get(&subscription).into_iter().flatten();
        messages
            .filter(|message| {
                let advances = message.seq > last;
                last = last.max(message.seq);
                advances
            })
            .cloned()
            .collect()
    }

    /// How many subscriptions were accepted at least once.
    #[must_use]
    pub fn accepted(&self) -> usize {
        let mut ids: Vec<_> = self.subscribed.iter().map(|one| one.subscription).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    }

    /// How many subscriptions were accepted with this start.
    #[must_use]
    pub fn started(&self, start: StartKind) -> usize {
        self.subscribed
            .iter()
            .filter(|one| one.start == start)
            .count()
    }
}

impl Observer for Tape {
    fn observe(&mut self, _: &Client, event: &Event) {
        match event {
            Event::Raw {
                subscription: Some(subscription),
                bytes,
            } => {
                let template = u16::from_le_bytes([bytes[2], bytes[3]]);
                let number = |at: usize| {
                    i64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
                };
                let (prev, seq) = (number(16), number(24));
                // One that advances nothing restates the state to a new subscriber.
                if !BESIDE.contains(&template) && prev < seq {
                    let mut message = Message {
                        prev,
                        seq,
                        bytes: bytes.to_vec(),
                    };
                    message.bytes[PUBLISH_TIME].fill(0);
                    self.messages
                        .entry(subscription.0)
                        .or_default()
                        .push(message);
                    self.last = Some(Instant::now());
                }
            }
            Event::Book(update) => {
                self.verified += 1;
                self.checksums
                    .insert(update.subscription.0, update.checksum);
                let books = self.books.entry(update.subscription.0).or_default();
                books.push(update.head.seq.0);
            }
            Event::ReplayComplete(complete) => {
                self.completed
                    .insert(complete.subscription.0, complete.head.seq.0);
            }
            Event::Status(update) => self.statuses.push(*update),
            Event::Subscribed(subscribed) => self.subscribed.push(*subscribed),
            Event::Reconnecting { cause, .. } => self.reconnects.push(cause.to_string()),
            // A node that is starting is asked again.
            Event::Rejected(rejected) if rejected.retry.is_some() => {
                self.postponed.push(rejected.error.to_string());
            }
            Event::Gap(_)
            | Event::ChecksumMismatch(_)
            | Event::Resync(_)
            | Event::Lag(_)
            | Event::Rejected(_)
            | Event::Undecodable { .. }
            | Event::Closed { .. } => self.faults.push(format!("{event:?}")),
            _ => {}
        }
    }
}

/// Fails where two streams differ, and reports where.
pub fn assert_same(what: &str, left: &[Message], right: &[Message]) {
    for (index, (a, b)) in left.iter().zip(right).enumerate() {
        assert!(
            a == b,
            "{what}: message {index} differs: {} to {} against {} to {}\n{:02x?}\n{:02x?}",
            a.prev,
            a.seq,
            b.prev,
            b.seq,
            a.bytes,
            b.bytes
        );
    }
    assert_eq!(left.len(), right.len(), "{what}: one stream is shorter");
}
