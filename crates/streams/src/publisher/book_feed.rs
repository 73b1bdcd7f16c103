use market::{
    Bbo, BookBuilder, Channel, DeltaOutcome, Epoch, Level, Link, Nanos, Reason, Seq, Side,
    SnapshotOrigin, SnapshotOutcome, State,
};
use wire::sbe::{self, MAX_CHUNK_LEVELS};
use wire::{Head, Status, View};

use super::instrument::Identity;
use super::outbox::{Outbox, Text};
use super::place::{Bench, Place};
use super::stats::Stats;
use crate::book_log::{BookEntry, BookEntryKind, BookLog};
use crate::view::BookView;
use crate::{MessageLog, Settings, WatchId};

/// The most changes that one delta tells; more are told as a snapshot in chunks. So no frame has
/// more than 64 KiB, which is what a slow client may cost: 76 bytes and 16 a change.
pub(super) const MAX_DELTA_CHANGES: usize = 4_000;

/// The book of one instrument, and the streams that are made of it.
#[derive(Debug)]
pub(super) struct BookFeed {
    pub(super) home: Option<u32>,
    pub(super) epoch: Epoch,
    pub(super) builder: BookBuilder,
    pub(super) last_seq: Seq,
    /// The times of the last message, for those who start at it.
    pub(super) last_place: Option<Place>,
    pub(super) log: BookLog,
    pub(super) full: Vec<WatchId>,
    pub(super) views: Vec<BookView>,
    pub(super) bbo: BboFeed,
    /// What has been told of a book that is not to be trusted.
    pub(super) broken: Option<(State, Reason)>,
    book_levels: usize,
}

/// Best bid and offer of one instrument.
#[derive(Debug)]
pub(super) struct BboFeed {
    pub(super) last: Bbo,
    pub(super) last_seq: Seq,
    pub(super) log: MessageLog,
    pub(super) watches: Vec<WatchId>,
}

/// What an event did to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Published; the book is right.
    Published,
    /// Nothing to tell anybody.
    Silent,
    /// The book is lost, and that was told in its streams.
    Lost(State, Reason),
}

impl BookFeed {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            home: None,
            epoch: Epoch(0),
            builder: BookBuilder::new(),
            last_seq: Seq::NONE,
            last_place: None,
            log: BookLog::new(settings.log_bytes),
            full: Vec::new(),
            views: Vec::new(),
            bbo: BboFeed {
                last: Bbo::default(),
                last_seq: Seq::NONE,
                log: MessageLog::new(settings.log_bytes / 4),
                watches: Vec::new(),
            },
            broken: Some((State::Resyncing, Reason::Starting)),
            book_levels: settings.book_levels,
        }
    }

    /// Reading begins, or begins anew, behind `base`: nothing of before counts.
    pub(super) fn begin(&mut self, home: u32, epoch: Epoch, base: Seq, reason: Reason) {
        self.home = Some(home);
        self.epoch = epoch;
        self.builder.reset();
        self.last_seq = base;
        self.last_place = None;
        self.log.reset();
        for view in &mut self.views {
            view.restart(self.builder.book(), base);
        }
        self.bbo.last = Bbo::default();
        self.bbo.last_seq = base;
        self.bbo.log.reset();
        self.broken = Some((State::Resyncing, reason));
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of an event and where it stands"
    )]
    pub(super) fn delta(
        &mut self,
        identity: &Identity,
        link: Option<Link>,
        origin: SnapshotOrigin,
        bids: &[Level],
        asks: &[Level],
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) -> Effect {
        let outcome = self.builder.delta(
            place.seq,
            place.log_time,
            link,
            origin,
            place.event_time,
            bids,
            asks,
            &mut bench.changes,
        );
        match outcome {
            DeltaOutcome::Applied if self.is_too_deep() => {
                stats.unusable += 1;
                // The log and the views have not seen the change, so the book must not either.
                self.builder.take_back(&bench.changes);
                self.lose(
                    identity,
                    State::Resyncing,
                    Reason::BadRecord,
                    place,
                    bench,
                    out,
                )
            }
            DeltaOutcome::Applied => {
                stats.deltas += 1;
                self.publish(identity, place, bench, out);
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
                self.lose(identity, State::UpstreamGap, Reason::Gap, place, bench, out)
            }
            DeltaOutcome::Crossed(_) => {
                stats.crossed += 1;
                self.lose(
                    identity,
                    State::Resyncing,
                    Reason::Crossed,
                    place,
                    bench,
                    out,
                )
            }
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of an event and where it stands"
    )]
    pub(super) fn snapshot(
        &mut self,
        identity: &Identity,
        seq: Option<u64>,
        origin: SnapshotOrigin,
        bids: &[Level],
        asks: &[Level],
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
        stats: &mut Stats,
    ) -> Effect {
        if bids.len().max(asks.len()) > self.book_levels {
            stats.unusable += 1;
            self.builder.distrust();
            return self.lose(
                identity,
                State::Resyncing,
                Reason::BadRecord,
                place,
                bench,
                out,
            );
        }
        let published = self.last_seq;
        let outcome = self
            .builder
            .snapshot(seq, origin, bids, asks, published, &mut bench.changes);
        match outcome {
            SnapshotOutcome::Applied => {
                stats.snapshots += 1;
                self.publish(identity, place, bench, out);
                Effect::Published
            }
            SnapshotOutcome::Staged { base, first } => {
                stats.snapshots += 1;
                self.publish_staged(identity, base, first, place, bench, out);
                Effect::Published
            }
            SnapshotOutcome::Stale => {
                stats.stale += 1;
                Effect::Silent
            }
            SnapshotOutcome::TooOld { .. } => {
                stats.too_old += 1;
                Effect::Silent
            }
            SnapshotOutcome::Crossed(_) => {
                stats.crossed += 1;
                self.lose(
                    identity,
                    State::Resyncing,
                    Reason::Crossed,
                    place,
                    bench,
                    out,
                )
            }
            SnapshotOutcome::Duplicate(_) => {
                stats.unusable += 1;
                self.lose(
                    identity,
                    State::Resyncing,
                    Reason::BadRecord,
                    place,
                    bench,
                    out,
                )
            }
        }
    }

    /// A fetched whole book and the kept deltas behind it, each told as the record it came in;
    /// the whole book's own record then says nothing new but has its place in the sequence.
    ///
    /// Only who has the last of them can resume: a node that never stopped holds deeper books at
    /// the sequence numbers in between.
    fn publish_staged(
        &mut self,
        identity: &Identity,
        base: Seq,
        first: usize,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        self.publish(
            identity,
            &Place {
                seq: base,
                ..*place
            },
            bench,
            out,
        );
        let mut index = first;
        while let Some(delta) = self.builder.replay(index, &mut bench.changes) {
            let at = Place {
                seq: delta.offset,
                event_time: delta.time,
                log_time: delta.log_time,
                now: place.now,
            };
            self.publish(identity, &at, bench, out);
            index += 1;
        }
        bench.changes.clear();
        self.publish(identity, place, bench, out);
        self.log.restart(place.seq);
        self.bbo.log.restart(self.bbo.last_seq);
    }

    /// Tells the changes on the bench, which the book has, in every stream that is made of it.
    fn publish(&mut self, identity: &Identity, place: &Place, bench: &mut Bench, out: &mut Outbox) {
        let recovered = self.broken.take().is_some();
        self.publish_full(identity, place, bench, out);
        let mut views = std::mem::take(&mut self.views);
        for view in &mut views {
            view.follow(self.builder.book(), &bench.changes, &mut bench.seen);
            if recovered || !bench.seen.is_empty() {
                self.publish_view(identity, view, place, bench, out);
            }
        }
        self.views = views;
        let bbo = self.builder.book().bbo();
        if recovered || bbo != self.bbo.last {
            self.bbo.last = bbo;
            bench.sbe.clear();
            sbe::bbo(
                &mut bench.sbe,
                &identity.head(self.epoch, self.bbo.last_seq, place),
                &bbo,
            );
            self.bbo.tell(identity.text(), place, &bench.sbe, out);
        }
    }

    fn publish_full(
        &mut self,
        identity: &Identity,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        let founds = self.log.is_unfounded();
        let whole = founds || bench.changes.len() > MAX_DELTA_CHANGES;
        let head = identity.head(self.epoch, self.last_seq, place);
        let checksum = self.builder.book().checksum();
        if whole {
            // The log cannot lead anybody over this message.
            self.log.restart(place.seq);
        } else {
            #[expect(clippy::cast_possible_truncation, reason = "at most MAX_DELTA_CHANGES")]
            let (bids, asks) = (
                bench.changes.bids.len() as u32,
                bench.changes.asks.len() as u32,
            );
            let entry = entry(
                &head,
                BookEntryKind::Delta {
                    checksum,
                    bids,
                    asks,
                },
            );
            self.log.push(entry, &bench.changes);
        }
        if !self.full.is_empty() && whole {
            let book = self.builder.book();
            bench.bids.clear();
            bench.bids.extend(book.bids().iter());
            bench.asks.clear();
            bench.asks.extend(book.asks().iter());
            write_snapshot(
                &head,
                checksum,
                &bench.bids,
                &bench.asks,
                &mut bench.sbe,
                |message, seq| {
                    out.emit(&self.full, identity.text(), message, seq, place.now);
                },
            );
        } else if !self.full.is_empty() {
            bench.sbe.clear();
            write_delta(&mut bench.sbe, &head, checksum, &bench.changes);
            out.emit(
                &self.full,
                identity.text(),
                &bench.sbe,
                place.seq,
                place.now,
            );
        }
        self.last_seq = place.seq;
        self.last_place = Some(*place);
    }

    fn publish_view(
        &self,
        identity: &Identity,
        view: &mut BookView,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) {
        let head = Head {
            view: View::from(view.params),
            ..identity.head(self.epoch, view.last_seq, place)
        };
        bench.sbe.clear();
        write_delta(&mut bench.sbe, &head, view.checksum(), &bench.seen);
        out.emit(
            &view.watches,
            identity.text(),
            &bench.sbe,
            place.seq,
            place.now,
        );
        view.last_seq = place.seq;
    }

    /// Tells every stream of the book that it is not to be trusted from here on; once.
    pub(super) fn lose(
        &mut self,
        identity: &Identity,
        state: State,
        reason: Reason,
        place: &Place,
        bench: &mut Bench,
        out: &mut Outbox,
    ) -> Effect {
        let first = self.broken.is_none();
        self.broken = Some((state, reason));
        if !first || place.seq <= self.last_seq {
            return Effect::Lost(state, reason);
        }
        let status = Status {
            channel: Channel::Book,
            state,
            reason,
        };
        let head = identity.head(self.epoch, self.last_seq, place);
        bench.changes.clear();
        self.log.push(
            entry(&head, BookEntryKind::Status { state, reason }),
            &bench.changes,
        );
        bench.sbe.clear();
        sbe::status(&mut bench.sbe, &head, &status);
        out.emit(
            &self.full,
            identity.text(),
            &bench.sbe,
            place.seq,
            place.now,
        );
        self.last_seq = place.seq;
        self.last_place = Some(*place);
        for view in &mut self.views {
            let head = Head {
                view: View::from(view.params),
                ..identity.head(self.epoch, view.last_seq, place)
            };
            bench.sbe.clear();
            sbe::status(&mut bench.sbe, &head, &status);
            out.emit(
                &view.watches,
                identity.text(),
                &bench.sbe,
                place.seq,
                place.now,
            );
            view.last_seq = place.seq;
        }
        let head = identity.head(self.epoch, self.bbo.last_seq, place);
        let status = Status {
            channel: Channel::Bbo,
            ..status
        };
        bench.sbe.clear();
        sbe::status(&mut bench.sbe, &head, &status);
        self.bbo.tell(identity.text(), place, &bench.sbe, out);
        Effect::Lost(state, reason)
    }

    /// When the last message stood and happened; the moment itself when there was none.
    pub(super) fn place_of_last(&self, now: Nanos) -> Place {
        let last = self.last_place.unwrap_or(Place {
            seq: self.last_seq,
            event_time: None,
            log_time: Nanos(0),
            now,
        });
        Place { now, ..last }
    }

    pub(super) fn memory(&self) -> usize {
        self.builder.book().capacity_bytes() + self.log.size() + self.bbo.log.size()
    }

    fn is_too_deep(&self) -> bool {
        let book = self.builder.book();
        Side::BOTH
            .into_iter()
            .any(|side| book.side(side).len() > self.book_levels)
    }
}

impl BboFeed {
    fn tell(&mut self, text: Text<'_>, place: &Place, message: &[u8], out: &mut Outbox) {
        self.log.push(self.last_seq, place.seq, place.now, message);
        out.emit(&self.watches, text, message, place.seq, place.now);
        self.last_seq = place.seq;
    }
}

const fn entry(head: &Head, kind: BookEntryKind) -> BookEntry {
    BookEntry {
        prev_seq: head.prev_seq,
        seq: head.seq,
        event_time: head.event_time,
        log_time: head.log_time,
        published: head.publish_time,
        kind,
    }
}

/// Appends the delta that tells `changes`, of which there are at most [`MAX_DELTA_CHANGES`].
pub(super) fn write_delta(
    out: &mut Vec<u8>,
    head: &Head,
    checksum: u32,
    changes: &market::Changes,
) {
    let bids = changes.bids.iter().map(|change| change.level());
    let asks = changes.asks.iter().map(|change| change.level());
    let encoded = sbe::book_delta(out, head, checksum, bids, asks);
    debug_assert!(
        encoded.is_ok(),
        "the bound of a delta is far below the encoder's"
    );
}

/// Encodes a snapshot chunk by chunk and gives each with the sequence number that its receiver
/// then has: the new one only after the last chunk.
pub(super) fn write_snapshot(
    head: &Head,
    checksum: u32,
    bids: &[Level],
    asks: &[Level],
    sbe: &mut Vec<u8>,
    mut give: impl FnMut(&[u8], Seq),
) {
    let chunks = bids.len().max(asks.len()).div_ceil(MAX_CHUNK_LEVELS).max(1);
    for chunk in 0..chunks {
        let part = |levels: &[Level]| {
            let begin = (chunk * MAX_CHUNK_LEVELS).min(levels.len());
            let end = (begin + MAX_CHUNK_LEVELS).min(levels.len());
            begin..end
        };
        sbe.clear();
        let (number, count) = (u16::try_from(chunk), u16::try_from(chunks));
        let (Ok(number), Ok(count)) = (number, count) else {
            return;
        };
        let encoded = sbe::book_snapshot(
            sbe,
            head,
            checksum,
            number,
            count,
            bids[part(bids)].iter().copied(),
            asks[part(asks)].iter().copied(),
        );
        debug_assert!(encoded.is_ok(), "a chunk is cut to the encoder's bound");
        let has = if chunk + 1 == chunks {
            head.seq
        } else {
            head.prev_seq
        };
        give(sbe, has);
    }
}
