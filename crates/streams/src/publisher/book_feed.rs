//! The book of one instrument, and the streams that are derived from it.

mod loss;
mod publish;

use market::{
    Book, DeltaOutcome, DuplicateLevel, Epoch, Level, Nanos, Reason, SavedBook, SeqLink,
    SnapshotOrigin, SnapshotOutcome, State, VenueBook,
};

use super::bbo_feed::BboFeed;
use super::identity::Identity;
use super::shared::Shared;
use super::source_partition::SourcePartition;
use crate::book_log::BookLog;
use crate::checkpoint::BookPart;
use crate::stamp::Stamp;
use crate::view::BookView;
use crate::{Settings, StreamId};

/// The book of one instrument, and the streams that are derived from it.
#[derive(Debug)]
pub(super) struct BookFeed {
    pub(super) source: Option<SourcePartition>,
    pub(super) epoch: Epoch,
    venue_book: VenueBook,
    /// The stamp of the full raw stream's last message.
    pub(super) last: Stamp,
    pub(super) log: BookLog,
    /// The full raw stream, in all encodings.
    pub(super) full: Vec<StreamId>,
    pub(super) views: Vec<BookView>,
    pub(super) bbo: BboFeed,
    /// The published state and reason while the book cannot be trusted.
    pub(super) broken: Option<(State, Reason)>,
    pub(super) venue_checks: VenueChecks,
}

/// A snapshot in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Snapshot<'a> {
    pub(super) seq: Option<u64>,
    pub(super) origin: SnapshotOrigin,
    pub(super) bids: &'a [Level],
    pub(super) asks: &'a [Level],
}

/// A delta in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta<'a> {
    pub(super) link: Option<SeqLink>,
    pub(super) origin: SnapshotOrigin,
    pub(super) bids: &'a [Level],
    pub(super) asks: &'a [Level],
}

/// Counts how often the book was checked against the venue's own numbers and checksums.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct VenueChecks {
    /// Messages that the venue's sequence numbers confirmed.
    pub(super) chained: u64,
    /// Messages that the venue's checksum confirmed.
    pub(super) checked: u64,
    /// Breaks of either.
    pub(super) gaps: u64,
    /// Messages that no valid book can be made of.
    pub(super) unusable: u64,
}

impl VenueChecks {
    fn count(&mut self, numbered: bool, origin: SnapshotOrigin) {
        let checks = matches!(origin, SnapshotOrigin::Checked(check) if check.checksum.is_some());
        self.chained += u64::from(numbered);
        self.checked += u64::from(checks);
    }
}

/// What an event did to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It was published, and the book is valid.
    Published,
    /// Nothing was published.
    Silent,
    /// The book became invalid, which was published in its streams.
    Lost(State, Reason),
}

impl BookFeed {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            source: None,
            epoch: Epoch::NONE,
            venue_book: VenueBook::bounded(settings.book_levels),
            last: Stamp::NONE,
            log: BookLog::new(settings.log_bytes),
            full: Vec::new(),
            views: Vec::new(),
            bbo: BboFeed::new(settings.log_bytes / 4),
            broken: Some((State::Resyncing, Reason::Starting)),
            venue_checks: VenueChecks::default(),
        }
    }

    /// The book as it was when it was last valid.
    pub(super) const fn book(&self) -> &Book {
        self.venue_book.book()
    }

    /// Starts over with an empty book in an epoch, after `base`.
    pub(super) fn restart(
        &mut self,
        epoch: Epoch,
        price_exponent: i8,
        base: Stamp,
        reason: Reason,
    ) {
        self.epoch = epoch;
        self.venue_book.reset();
        self.last = base;
        self.log.reset();
        for view in &mut self.views {
            view.restart(price_exponent, self.venue_book.book(), base);
        }
        self.bbo.restart(base);
        self.broken = Some((State::Resyncing, reason));
    }

    pub(super) fn save(&self) -> SavedBook {
        self.venue_book.save()
    }

    /// Restores a saved state. Clients cannot resume from before it, and no stream is open yet.
    pub(super) fn restore(
        &mut self,
        epoch: Epoch,
        part: &BookPart,
        now: Nanos,
    ) -> Result<(), DuplicateLevel> {
        self.venue_book.restore(&part.book)?;
        self.epoch = epoch;
        self.last = part.last.restored_at(now);
        self.broken = part.broken;
        self.bbo.bbo = part.bbo;
        self.bbo.last = part.bbo_last.restored_at(now);
        if part.has_snapshot {
            self.log.restart(self.last.seq);
            self.bbo.log.restart(self.bbo.last.seq);
        } else {
            self.log.reset();
            self.bbo.log.reset();
        }
        Ok(())
    }

    pub(super) fn delta(
        &mut self,
        identity: &Identity,
        delta: &Delta<'_>,
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> Effect {
        let outcome = self.venue_book.delta(
            stamp.seq,
            stamp.log_time,
            delta.link,
            delta.origin,
            stamp.event_time,
            delta.bids,
            delta.asks,
            &mut shared.scratch.changes,
        );
        let stats = &mut shared.stats;
        match outcome {
            DeltaOutcome::Applied => {
                stats.deltas += 1;
                self.venue_checks.count(delta.link.is_some(), delta.origin);
                self.publish(identity, stamp, shared);
                Effect::Published
            }
            DeltaOutcome::Stale => {
                stats.stale += 1;
                Effect::Silent
            }
            DeltaOutcome::Waiting => {
                stats.waiting += 1;
                Effect::Silent
            }
            DeltaOutcome::Gap { .. } => {
                stats.upstream_gaps += 1;
                self.venue_checks.gaps += 1;
                self.lose(identity, (State::UpstreamGap, Reason::Gap), stamp, shared)
            }
            DeltaOutcome::Crossed(_) => {
                stats.crossed += 1;
                self.lose_to_unusable(identity, Reason::Crossed, stamp, shared)
            }
            DeltaOutcome::TooDeep => {
                stats.unusable += 1;
                self.lose_to_unusable(identity, Reason::BadRecord, stamp, shared)
            }
        }
    }

    pub(super) fn snapshot(
        &mut self,
        identity: &Identity,
        snapshot: &Snapshot<'_>,
        stamp: &Stamp,
        shared: &mut Shared,
    ) -> Effect {
        let outcome = self.venue_book.snapshot(
            snapshot.seq,
            snapshot.origin,
            snapshot.bids,
            snapshot.asks,
            self.last.seq,
            &mut shared.scratch.changes,
        );
        let stats = &mut shared.stats;
        let is_numbered = snapshot.seq.is_some();
        match outcome {
            SnapshotOutcome::Applied => {
                stats.snapshots += 1;
                self.venue_checks.count(is_numbered, snapshot.origin);
                self.publish(identity, stamp, shared);
                Effect::Published
            }
            SnapshotOutcome::Staged { base, first } => {
                stats.snapshots += 1;
                self.venue_checks.count(is_numbered, snapshot.origin);
                self.publish_staged(identity, base, first, stamp, shared);
                Effect::Published
            }
            SnapshotOutcome::TooOld { .. } => {
                stats.too_old += 1;
                Effect::Silent
            }
            SnapshotOutcome::Crossed(_) => {
                stats.crossed += 1;
                self.lose_to_unusable(identity, Reason::Crossed, stamp, shared)
            }
            SnapshotOutcome::Duplicate(_) | SnapshotOutcome::TooDeep => {
                stats.unusable += 1;
                self.lose_to_unusable(identity, Reason::BadRecord, stamp, shared)
            }
        }
    }

    /// The allocated memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.book().capacity_bytes() + self.log.memory() + self.bbo.log.memory()
    }
}
