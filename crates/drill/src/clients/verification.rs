//! How the clients stand against Kafka's log at the end.

use super::history::{Gap, History};
use super::{BOOK, STREAMS};
use crate::kafka_log::KafkaLog;
use serde::Serialize;
use std::fmt;

/// Sums over clients.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verification {
    /// Clients whose book equals that at the end of the log, level by level.
    pub(crate) right_books: usize,
    /// Clients that received every record after their first, once, apart from what a snapshot or a
    /// reported net change stands for.
    pub(crate) complete: usize,
    /// Items that clients received.
    pub(crate) items: u64,
    /// Book records that a snapshot stands for.
    pub(crate) by_snapshot: u64,
    /// Records that a net change stands for.
    pub(crate) conflated: u64,
    /// Trades that a client missed because its stream could not resume.
    pub(crate) lost: u64,
    /// Records that a client missed without a report.
    pub(crate) silently_lost: u64,
    /// Sequences that clients received and the log does not have.
    pub(crate) invented: u64,
}

impl Verification {
    /// Adds one client's streams. Returns whether the client has everything that it could have.
    pub(super) fn add_client(
        &mut self,
        log: &KafkaLog,
        instrument: usize,
        histories: &[History; STREAMS],
    ) -> bool {
        let mut is_complete = true;
        for (stream, history) in histories.iter().enumerate() {
            is_complete &= self.add_stream(log, instrument, stream == BOOK, history);
        }
        is_complete
    }

    fn add_stream(
        &mut self,
        log: &KafkaLog,
        instrument: usize,
        is_book: bool,
        history: &History,
    ) -> bool {
        let between = |from, to| log.between(instrument, is_book, from, to);
        let mut silent = 0;
        let mut last: Option<i64> = None;
        for span in history.spans() {
            self.items += span.items;
            silent += between(span.from, span.to).abs_diff(span.items);
            if let Some(last) = last {
                let missed = between(last, span.from);
                match span.gap {
                    Gap::Silent => silent += missed,
                    Gap::Restart if is_book => self.by_snapshot += missed,
                    Gap::Restart => self.lost += missed,
                    Gap::Conflated => self.conflated += missed,
                }
            }
            last = Some(span.to);
        }
        silent += between(last.unwrap_or(-1), i64::MAX);
        self.silently_lost += silent;
        silent == 0 && !history.spans().is_empty()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.right_books += other.right_books;
        self.complete += other.complete;
        self.items += other.items;
        self.by_snapshot += other.by_snapshot;
        self.conflated += other.conflated;
        self.lost += other.lost;
        self.silently_lost += other.silently_lost;
        self.invented += other.invented;
    }

    /// What is wrong with that many clients.
    pub(crate) fn faults(&self, clients: usize) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |name: &str, found: u64, wanted: u64| {
            if found != wanted {
                faults.push(format!("{name}: {found}, expected {wanted}"));
            }
        };
        check("right books", self.right_books as u64, clients as u64);
        check("complete", self.complete as u64, clients as u64);
        check("lost", self.lost, 0);
        check("silently lost", self.silently_lost, 0);
        check("invented", self.invented, 0);
        faults
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} right books, {} complete, {} items, {} by snapshot, {} conflated, {} lost, {} silently lost, \
             {} invented",
            self.right_books,
            self.complete,
            self.items,
            self.by_snapshot,
            self.conflated,
            self.lost,
            self.silently_lost,
            self.invented
        )
    }
}
