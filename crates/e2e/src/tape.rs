//! What a client saw, as bytes to compare.

use std::collections::BTreeMap;
use std::time::Instant;

use client::event::{StatusUpdate, Subscribed};
use client::{Client, Event};
use wire::control::StartKind;

use crate::watcher::Saw;

/// Where `publishTime` stands in every message: the only bytes that are a node's own.
const PUBLISH_TIME: std::ops::Range<usize> = 48..56;

/// `Instrument`, `BookSnapshot`, `Heartbeat`, `Lag`, `ReplayComplete`: what a client is told beside the stream itself.
const BESIDE: [u16; 5] = [1, 2, 9, 10, 12];

/// A message of a stream, with `publishTime` blanked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Follows on this one.
    pub prev: i64,
    /// The Kafka offset.
    pub seq: i64,
    /// The whole message.
    pub bytes: Vec<u8>,
}

/// What one client saw; streams by the number of their subscription.
#[derive(Debug, Default)]
pub struct Tape {
    /// The messages of the streams themselves.
    pub said: BTreeMap<u64, Vec<Said>>,
    /// The `seq` of every verified step of every book.
    pub books: BTreeMap<u64, Vec<i64>>,
    /// The checksum of every book as it is now.
    pub checksums: BTreeMap<u64, u32>,
    /// Every acceptance of a subscription.
    pub subscribed: Vec<Subscribed>,
    /// Refusals of subscriptions that are asked for again.
    pub postponed: Vec<String>,
    /// Everything that interrupts, in words.
    pub faults: Vec<String>,
    /// States that streams told.
    pub statuses: Vec<StatusUpdate>,
    /// Connections that were lost.
    pub reconnects: Vec<String>,
    /// Streams that were told to be live after their past, with the place.
    pub completed: BTreeMap<u64, i64>,
    /// When data came last.
    pub last: Option<Instant>,
    /// Checksums that were checked and right.
    pub verified: u64,
}

impl Tape {
    /// The last `seq` of a stream.
    #[must_use]
    pub fn last_seq(&self, subscription: u64) -> i64 {
        self.said
            .get(&subscription)
            .and_then(|said| said.last())
            .map_or(-1, |said| said.seq)
    }

    /// The messages of a stream behind a `seq`.
    #[must_use]
    pub fn behind(&self, subscription: u64, seq: i64) -> Vec<Said> {
        let said = self.said.get(&subscription).into_iter().flatten();
        said.filter(|said| said.seq > seq).cloned().collect()
    }

    /// The messages of a stream that led the client on. What it had already comes again where it
    /// resumes at a node that has not read as far, and is passed over by the protocol's rule 2.
    #[must_use]
    pub fn followed(&self, subscription: u64) -> Vec<Said> {
        let mut last = i64::MIN;
        let said = self.said.get(&subscription).into_iter().flatten();
        said.filter(|said| {
            let leads_on = said.seq > last;
            last = last.max(said.seq);
            leads_on
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

impl Saw for Tape {
    fn saw(&mut self, _: &Client, event: &Event) {
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
                // One that moves nothing restates something to a client that begins.
                if !BESIDE.contains(&template) && prev < seq {
                    let mut said = Said {
                        prev,
                        seq,
                        bytes: bytes.to_vec(),
                    };
                    said.bytes[PUBLISH_TIME].fill(0);
                    self.said.entry(subscription.0).or_default().push(said);
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
            // A node that has just begun is asked again.
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

/// Fails where two streams differ, and says where.
pub fn assert_same(what: &str, left: &[Said], right: &[Said]) {
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
