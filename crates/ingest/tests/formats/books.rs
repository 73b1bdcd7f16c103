//! The books of a session, built as a node would build them.

use std::collections::BTreeMap;

use ingest::{Decoder, Format, IngestConfig, RawRecord};
use market::{Changes, DeltaOutcome, Event, Nanos, Seq, SnapshotOrigin, VenueBook};
use market::{ChecksumText, SnapshotOutcome, VenueChecksum};

use crate::instruments::Instruments;
use crate::venues::source;

/// The result of reading a session.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) books: BTreeMap<u32, VenueBook>,
    pub(crate) whole: u32,
    pub(crate) changes: u32,
    pub(crate) trades: usize,
    pub(crate) nothing: u32,
    /// The number of the venue's checksums that matched.
    pub(crate) proven: u32,
}

impl Session {
    /// Reads all records, each of which must apply.
    pub(crate) fn of(format: Format, records: &[String]) -> Self {
        let mut session = Self::default();
        let source = source(format);
        let mut decoder = Decoder::new(IngestConfig::MAX_RECORD_BYTES);
        let mut instruments = Instruments::default();
        for (offset, record) in (0..).zip(records) {
            let raw = RawRecord {
                source: &source,
                key: None,
                payload: Some(record.as_bytes()),
            };
            let decoded = decoder
                .decode(&raw, &mut instruments)
                .unwrap_or_else(|error| panic!("{error}: {record}"));
            match decoded.event() {
                Some((handle, event)) => session.take(handle.0, Seq(offset), event),
                None => session.nothing += 1,
            }
        }
        session
    }

    fn take(&mut self, instrument: u32, offset: Seq, event: Event<'_>) {
        let book = self.books.entry(instrument).or_default();
        let mut changes = Changes::default();
        let origin = match event {
            Event::Snapshot {
                seq,
                origin,
                bids,
                asks,
                ..
            } => {
                let outcome = book.snapshot(seq, origin, bids, asks, Seq::NONE, &mut changes);
                assert_eq!(outcome, SnapshotOutcome::Applied, "{offset:?}");
                self.whole += 1;
                origin
            }
            Event::Delta {
                link,
                origin,
                time,
                bids,
                asks,
            } => {
                let changes = &mut changes;
                let outcome = book.delta(offset, Nanos(0), link, origin, time, bids, asks, changes);
                assert_eq!(outcome, DeltaOutcome::Applied, "{offset:?}");
                self.changes += 1;
                origin
            }
            Event::Trades { trades, .. } => {
                self.trades += trades.len();
                return;
            }
            other => panic!("{other:?}"),
        };
        if let SnapshotOrigin::Checked(check) = origin
            && let Some(checksum) = check.checksum
        {
            self.proven += u32::from(is_of(&checksum, book));
        }
    }
}

/// Computed independently of the venue book, which must have found the same.
fn is_of(checksum: &VenueChecksum, book: &VenueBook) -> bool {
    let (bids, asks) = (book.book().bids().iter(), book.book().asks().iter());
    checksum.of_levels(bids, asks, &mut ChecksumText::default()) == checksum.expected
}
