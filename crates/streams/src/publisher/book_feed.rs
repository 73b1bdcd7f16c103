use market::{
    Book, BookBuilder, Channel, DeltaOutcome, DuplicateLevel, Epoch, Level, Link, Nanos, Reason,
    SavedBook, Seq, SnapshotOrigin, SnapshotOutcome, State,
};
use wire::{Head, Status, View, ViewParams, sbe};

use super::bbo_feed::BboFeed;
use super::book_messages::{MAX_DELTA_CHANGES, write_delta, write_snapshot};
use super::book_views::{Telling, tell_view};
use super::desk::Desk;
use super::home::Home;
use super::identity::Identity;
use crate::book_log::{BookEntry, BookEntryKind, BookLog};
use crate::checkpoint::BookPart;
use crate::pace::Resting;
use crate::place::Place;
use crate::view::BookView;
use crate::{Settings, WatchId};

/// The book of one instrument, and the streams that are made of it.
#[derive(Debug)]
pub(super) struct BookFeed {
    pub(super) home: Option<Home>,
    pub(super) epoch: Epoch,
    builder: BookBuilder,
    /// The last message of the full raw stream.
    pub(super) last: Place,
    pub(super) log: BookLog,
    pub(super) full: Vec<WatchId>,
    pub(super) views: Vec<BookView>,
    pub(super) bbo: BboFeed,
    /// What has been told of a book that is not to be trusted.
    pub(super) broken: Option<(State, Reason)>,
    /// What the venue proved, and where that broke.
    pub(super) proofs: Proofs,
}

/// A whole book, as a record says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    pub(super) seq: Option<u64>,
    pub(super) origin: SnapshotOrigin,
    pub(super) bids: &'a [Level],
    pub(super) asks: &'a [Level],
}

/// A change of the book, as a record says it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delta<'a> {
    pub(super) link: Option<Link>,
    pub(super) origin: SnapshotOrigin,
    pub(super) bids: &'a [Level],
    pub(super) asks: &'a [Level],
}

/// How often the venue's own numbers and checksums were held against the book.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Proofs {
    /// Messages that its sequence proved.
    pub(super) chained: u64,
    /// Messages that its checksum proved.
    pub(super) checked: u64,
    /// Where either broke.
    pub(super) gaps: u64,
    /// Messages that no book could be made of.
    pub(super) unusable: u64,
}

impl Proofs {
    fn held(&mut self, numbered: bool, origin: SnapshotOrigin) {
        let checks = matches!(origin, SnapshotOrigin::Checked(check) if check.checksum.is_some());
        self.chained += u64::from(numbered);
        self.checked += u64::from(checks);
    }
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
            epoch: Epoch::NONE,
            builder: BookBuilder::bounded(settings.book_levels),
            last: Place::NONE,
            log: BookLog::new(settings.log_bytes),
            full: Vec::new(),
            views: Vec::new(),
            bbo: BboFeed::new(settings.log_bytes / 4),
            broken: Some((State::Resyncing, Reason::Starting)),
            proofs: Proofs::default(),
        }
    }

    /// The book as it was when it was last right.
    pub(super) const fn book(&self) -> &Book {
        self.builder.book()
    }

    /// Reading begins, or begins anew, behind `base`: nothing of before counts.
    pub(super) fn begin(&mut self, epoch: Epoch, price_exponent: i8, base: Place, reason: Reason) {
        self.epoch = epoch;
        self.builder.reset();
        self.last = base;
        self.log.reset();
        for view in &mut self.views {
            view.restart(price_exponent, self.builder.book(), base);
        }
        self.bbo.begin(base);
        self.broken = Some((State::Resyncing, reason));
    }

    /// All that the book knows.
    pub(super) fn save(&self) -> SavedBook {
        self.builder.save()
    }

    /// Becomes what was saved; nobody can resume from before it, and nobody watches yet.
    pub(super) fn restore(
        &mut self,
        epoch: Epoch,
        part: &BookPart,
        now: Nanos,
    ) -> Result<(), DuplicateLevel> {
        self.builder.restore(&part.book)?;
        self.epoch = epoch;
        self.last = part.last.place(now);
        self.broken = part.broken;
        self.bbo.bbo = part.bbo;
        self.bbo.last = part.bbo_last.place(now);
        if part.founded {
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
        place: &Place,
        desk: &mut Desk,
    ) -> Effect {
        let outcome = self.builder.delta(
            place.seq,
            place.log_time,
            delta.link,
            delta.origin,
            place.event_time,
            delta.bids,
            delta.asks,
            &mut desk.bench.changes,
        );
        let stats = &mut desk.stats;
        match outcome {
            DeltaOutcome::Applied => {
                stats.deltas += 1;
                self.proofs.held(delta.link.is_some(), delta.origin);
                self.publish(identity, place, desk);
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
                self.proofs.gaps += 1;
                self.lose(identity, (State::UpstreamGap, Reason::Gap), place, desk)
            }
            DeltaOutcome::Crossed(_) => {
                stats.crossed += 1;
                self.proofs.unusable += 1;
                self.lose(identity, (State::Resyncing, Reason::Crossed), place, desk)
            }
            DeltaOutcome::TooDeep => {
                stats.unusable += 1;
                self.proofs.unusable += 1;
                self.lose(identity, (State::Resyncing, Reason::BadRecord), place, desk)
            }
        }
    }

    pub(super) fn whole(
        &mut self,
        identity: &Identity,
        whole: &Whole<'_>,
        place: &Place,
        desk: &mut Desk,
    ) -> Effect {
        let outcome = self.builder.snapshot(
            whole.seq,
            whole.origin,
            whole.bids,
            whole.asks,
            self.last.seq,
            &mut desk.bench.changes,
        );
        let stats = &mut desk.stats;
        match outcome {
            SnapshotOutcome::Applied => {
                stats.snapshots += 1;
                self.proofs.held(whole.seq.is_some(), whole.origin);
                self.publish(identity, place, desk);
                Effect::Published
            }
            SnapshotOutcome::Staged { base, first } => {
                stats.snapshots += 1;
                self.proofs.held(whole.seq.is_some(), whole.origin);
                self.publish_staged(identity, base, first, place, desk);
                Effect::Published
            }
            SnapshotOutcome::TooOld { .. } => {
                stats.too_old += 1;
                Effect::Silent
            }
            SnapshotOutcome::Crossed(_) => {
                stats.crossed += 1;
                self.proofs.unusable += 1;
                self.lose(identity, (State::Resyncing, Reason::Crossed), place, desk)
            }
            SnapshotOutcome::Duplicate(_) | SnapshotOutcome::TooDeep => {
                stats.unusable += 1;
                self.proofs.unusable += 1;
                self.lose(identity, (State::Resyncing, Reason::BadRecord), place, desk)
            }
        }
    }

    /// A record could not be read.
    pub(super) fn bad_record(
        &mut self,
        identity: &Identity,
        place: &Place,
        desk: &mut Desk,
    ) -> Effect {
        self.builder.bad_record();
        self.lose(identity, (State::Resyncing, Reason::BadRecord), place, desk)
    }

    /// Records were lost before this node read them: no record says so, and other nodes may have
    /// them. So it is told where the streams stand, nothing leads over it, and the next whole book
    /// is told whole.
    pub(super) fn lose_records(
        &mut self,
        identity: &Identity,
        now: Nanos,
        desk: &mut Desk,
    ) -> Effect {
        let told = (State::Resyncing, Reason::Retention);
        self.builder.distrust();
        self.log.reset();
        self.bbo.log.reset();
        if self.broken.is_none() {
            self.broken = Some(told);
            self.tell_lost(identity, told, now, |last| last.restated_at(now), desk);
        }
        Effect::Lost(told.0, told.1)
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
        desk: &mut Desk,
    ) {
        let at_base = Place {
            seq: base,
            ..*place
        };
        self.publish(identity, &at_base, desk);
        let mut index = first;
        while let Some(delta) = self.builder.replay(index, &mut desk.bench.changes) {
            let at = Place {
                seq: delta.offset,
                event_time: delta.time,
                log_time: delta.log_time,
                now: place.now,
            };
            self.publish(identity, &at, desk);
            index += 1;
        }
        desk.bench.changes.clear();
        self.publish(identity, place, desk);
        self.log.restart(place.seq);
        self.bbo.log.restart(self.bbo.last.seq);
    }

    /// Tells the changes on the bench, which the book has, in every stream that is made of it.
    fn publish(&mut self, identity: &Identity, place: &Place, desk: &mut Desk) {
        let recovered = self.broken.take().is_some();
        let founds = self.log.is_unfounded();
        self.publish_full(identity, place, desk);
        let telling = Telling {
            identity,
            epoch: self.epoch,
            book: self.builder.book(),
            recovers: recovered,
            founds,
        };
        for view in &mut self.views {
            let bench = &mut desk.bench;
            view.follow(&bench.changes, place, &mut bench.grouped);
            if recovered || view.behind.is_some() && view.pace.may_speak() {
                tell_view(view, &telling, place, desk);
            }
        }
        let bbo = self.book().bbo();
        if recovered || bbo != self.bbo.bbo {
            self.bbo
                .publish(identity, self.epoch, bbo, recovered, place, desk);
        }
    }

    /// Tells what has not been told of the streams that speak only so often.
    fn tell_all(&mut self, identity: &Identity, now: Nanos, desk: &mut Desk) {
        let telling = Telling {
            identity,
            epoch: self.epoch,
            book: self.builder.book(),
            recovers: false,
            founds: false,
        };
        for view in &mut self.views {
            if let Some(place) = view.behind {
                tell_view(view, &telling, &place.told_at(now), desk);
            }
        }
        let (bbo, views) = (self.bbo.bbo, &mut self.bbo.views);
        views.tell_all(identity, self.epoch, bbo, now, desk);
    }

    /// A stream that rested may speak; it does where there is anything to tell.
    pub(super) fn wake(
        &mut self,
        identity: &Identity,
        resting: &Resting,
        now: Nanos,
        desk: &mut Desk,
    ) {
        if resting.channel == Channel::Bbo {
            let (bbo, views) = (self.bbo.bbo, &mut self.bbo.views);
            views.wake(identity, self.epoch, bbo, resting, now, desk);
            return;
        }
        let mut views = self.views.iter_mut();
        let Some(view) = views.find(|view| view.pace.is(resting)) else {
            return;
        };
        view.pace.wake();
        self.speak(identity, Channel::Book, resting.params, now, desk);
    }

    /// Tells what a stream has not told, whether it may speak or not; whether there was anything.
    pub(super) fn speak(
        &mut self,
        identity: &Identity,
        channel: Channel,
        params: ViewParams,
        now: Nanos,
        desk: &mut Desk,
    ) -> bool {
        if channel == Channel::Bbo {
            let (bbo, views) = (self.bbo.bbo, &mut self.bbo.views);
            return views.speak(identity, self.epoch, bbo, params, now, desk);
        }
        let telling = Telling {
            identity,
            epoch: self.epoch,
            book: self.builder.book(),
            recovers: false,
            founds: false,
        };
        let mut views = self.views.iter_mut();
        let Some(view) = views.find(|view| view.params == params) else {
            return false;
        };
        let Some(place) = view.behind else {
            return false;
        };
        tell_view(view, &telling, &place.told_at(now), desk)
    }

    fn publish_full(&mut self, identity: &Identity, place: &Place, desk: &mut Desk) {
        let Desk { bench, out, .. } = desk;
        let head = identity.head(self.epoch, self.last.seq, place);
        self.last = *place;
        let book = self.builder.book();
        if self.log.is_unfounded() || bench.changes.len() > MAX_DELTA_CHANGES {
            // The log cannot lead anybody over this message.
            self.log.restart(place.seq);
            if !self.full.is_empty() {
                let (bids, asks) = (book.bids().iter(), book.asks().iter());
                write_snapshot(&head, book.checksum(), bids, asks, |has, write| {
                    out.draft(write);
                    out.emit_part(&self.full, identity.text(), has);
                });
            }
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_DELTA_CHANGES")]
        let kind = BookEntryKind::Delta {
            checksum: book.checksum(),
            bids: bench.changes.bids.len() as u32,
            asks: bench.changes.asks.len() as u32,
        };
        let entry = BookEntry::new(head.prev_seq, *place, kind);
        self.log.push(entry, &bench.changes);
        if !self.full.is_empty() {
            out.draft(|sbe| write_delta(sbe, &head, book.checksum(), &bench.changes));
            out.emit(&self.full, identity.text(), &head);
        }
    }

    /// The book is not to be trusted from this record on; that is told once.
    fn lose(
        &mut self,
        identity: &Identity,
        told: (State, Reason),
        place: &Place,
        desk: &mut Desk,
    ) -> Effect {
        let (state, reason) = told;
        if self.broken.is_none() {
            self.broken = Some(told);
            let kind = BookEntryKind::Status { state, reason };
            let entry = BookEntry::new(self.last.seq, *place, kind);
            desk.bench.changes.clear();
            self.log.push(entry, &desk.bench.changes);
            self.tell_lost(identity, told, place.now, |_| *place, desk);
        }
        Effect::Lost(state, reason)
    }

    /// Tells every stream of the book that it is not to be trusted; `at` says where, given the
    /// stream's last place.
    fn tell_lost(
        &mut self,
        identity: &Identity,
        (state, reason): (State, Reason),
        now: Nanos,
        at: impl Fn(&Place) -> Place,
        desk: &mut Desk,
    ) {
        let status = |channel| Status {
            channel,
            state,
            reason,
        };
        // Whoever stands at the status stands at the book of before it.
        self.tell_all(identity, now, desk);
        let epoch = self.epoch;
        let mut tell = |last: &mut Place, view: View, status: &Status, watches: &[WatchId]| {
            let place = at(last);
            let head = Head {
                view,
                ..identity.head(epoch, last.seq, &place)
            };
            *last = place;
            desk.out.draft(|sbe| sbe::status(sbe, &head, status));
            desk.out.emit(watches, identity.text(), &head);
        };
        let book = status(Channel::Book);
        tell(&mut self.last, View::FULL_RAW, &book, &self.full);
        for view in &mut self.views {
            tell(&mut view.last, view.params.view(), &book, &view.watches);
        }
        let bbo = &mut self.bbo;
        let prev_seq = bbo.last.seq;
        let of_bbo = status(Channel::Bbo);
        tell(&mut bbo.last, View::FULL_RAW, &of_bbo, &bbo.watches);
        if bbo.last.seq > prev_seq {
            bbo.log
                .push(prev_seq, bbo.last.seq, bbo.last.now, desk.out.message());
        }
        bbo.views.tell_status(identity, epoch, &of_bbo, at, desk);
    }

    pub(super) fn memory(&self) -> usize {
        self.book().capacity_bytes() + self.log.memory() + self.bbo.log.memory()
    }
}
