use market::{Channel, Epoch, Exponents, Position, Seq};
use wire::control::{StartKind, Subscribed};
use wire::sbe::{Body, BookDelta, BookSnapshot, Message};
use wire::{Head, Lag, LagKind, Status};

use super::assembly::{Assembled, Assembly};
use super::{Fault, KeptBook, Missing, Taken, Wrong};
use crate::event::{GapCause, ResyncReason};

/// Follows one stream.
///
/// Invariants:
/// - `mine` moves only forward within an epoch, and only by messages that follow on, or by what a node
///   says it cannot send.
/// - A kept book is [`Trust::Live`](super::Trust::Live) only while it equals what was published as of its position.
#[derive(Debug)]
pub(crate) struct Follower {
    channel: Channel,
    /// The last message that was applied; `None` until something begins the stream.
    mine: Option<Position>,
    /// Whether the stream was ever open: what comes between two times is missed.
    was_open: bool,
    /// Whether the node has told that the stream is not to be trusted at the moment.
    broken: bool,
    /// Whether the node shows that it has not come as far as this client has.
    ahead: bool,
    /// How far the announced catch-up reaches: a message that is whole in itself may follow on that.
    covered: Option<Seq>,
    /// What is not whole, since when.
    fault: Option<Fault>,
    exponents: Exponents,
    /// The scale of an epoch that has not begun.
    announced: Option<(Epoch, Exponents)>,
    /// Of the channel `book` only.
    kept: Option<Box<Kept>>,
}

#[derive(Debug)]
struct Kept {
    book: KeptBook,
    assembly: Assembly,
}

/// Where a message stands, seen from mine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In another numbering, or in the first.
    Begin,
    /// I have it.
    Held,
    /// It follows on.
    Next,
    /// Something between is missing.
    Gap,
}

impl Follower {
    pub(crate) fn new(channel: Channel) -> Self {
        let kept = (channel == Channel::Book).then(|| {
            Box::new(Kept {
                book: KeptBook::new(),
                assembly: Assembly::default(),
            })
        });
        Self {
            channel,
            mine: None,
            was_open: false,
            broken: false,
            ahead: false,
            covered: None,
            fault: None,
            exponents: Exponents::default(),
            announced: None,
            kept,
        }
    }

    /// The kept book, of the channel `book`.
    pub(crate) fn book(&self) -> Option<&KeptBook> {
        self.kept.as_deref().map(|kept| &kept.book)
    }

    /// Whether the node has not come as far as this client has: what it sends is had already.
    ///
    /// It passes when the node only lags behind another one. It does not when the log was made anew and
    /// nobody could tell: then the same numbers say something else.
    pub(crate) const fn is_ahead(&self) -> bool {
        self.ahead
    }

    /// The scale of what was told last.
    pub(crate) fn exponents(&self) -> Exponents {
        self.kept
            .as_ref()
            .map_or(self.exponents, |kept| kept.book.exponents())
    }

    /// From where the stream can go on without a loss.
    pub(crate) fn resumable(&self) -> Option<Position> {
        match &self.kept {
            Some(kept) => kept.book.resumable(),
            None => self.mine,
        }
    }

    /// Where the stream stands, or stood when it was last followed.
    pub(crate) fn stands(&self) -> Option<Position> {
        self.mine.or_else(|| self.resumable())
    }

    /// The node accepted the subscription, with `asked` as the position to resume from. What was missed for
    /// good, if anything was, comes back.
    pub(crate) fn open(&mut self, told: &Subscribed, asked: Option<Position>) -> Option<Missing> {
        self.covered = None;
        let again = std::mem::replace(&mut self.was_open, true);
        if let (StartKind::Resumed, Some(_)) = (told.start, asked) {
            self.mine = asked;
            self.announce(told.epoch, told.exponents);
            if let Some(kept) = &mut self.kept {
                kept.book.catch_on();
            }
            return None;
        }
        let from = self.stands();
        if again && (asked.is_some() || self.fault.is_none()) {
            self.fail(ResyncReason::NotResumed(told.reason));
        }
        self.mine = None;
        self.broken = false;
        self.announce(told.epoch, told.exponents);
        // A book and a best bid and offer are whole again with their first message; trades are not.
        let loses = self.channel == Channel::Trades && again;
        loses.then_some(Missing { from, to: None })
    }

    /// The stream is not followed any more: what comes since is missed, and an unfinished snapshot void.
    pub(crate) fn stop(&mut self) {
        self.covered = None;
        self.ahead = false;
        if let Some(kept) = &mut self.kept {
            kept.assembly.drop_partial();
            kept.book.fall_behind();
        }
    }

    /// Something is wrong since here; the latest reason stands, and the earliest position.
    pub(crate) fn fail(&mut self, reason: ResyncReason) {
        let from = match self.fault {
            Some(fault) => fault.from,
            None => self.stands(),
        };
        self.fault = Some(Fault { from, reason });
    }

    /// The scale of an epoch.
    pub(crate) fn announce(&mut self, epoch: Epoch, exponents: Exponents) {
        if self.mine.is_none_or(|mine| mine.epoch == epoch) {
            self.exponents = exponents;
        } else {
            self.announced = Some((epoch, exponents));
        }
    }

    /// Takes one message of this stream.
    pub(crate) fn take(&mut self, message: &Message<'_>) -> Taken {
        let head = &message.head;
        if let Body::BookSnapshot(chunk) = &message.body {
            return self.snapshot(head, chunk);
        }
        if let Some(kept) = &mut self.kept {
            kept.assembly.drop_partial();
        }
        match &message.body {
            Body::BookDelta(delta) => self.delta(head, delta),
            Body::Status(status) => self.status(head, *status),
            Body::Heartbeat(_) => self.heartbeat(head),
            Body::Lag(lag) => self.lag(head, lag),
            Body::ReplayComplete(_) => self.replay_complete(head),
            Body::Trades(_) => self.plain(head, false),
            Body::Bar(bar) if bar.closed => self.closed_bar(head),
            _ => self.plain(head, true),
        }
    }

    /// `whole`: the message does not build on the ones before it.
    #[inline]
    fn place(&self, head: &Head, whole: bool) -> Place {
        let Some(mine) = self.mine.filter(|mine| mine.epoch == head.epoch) else {
            return Place::Begin;
        };
        let reach = match self.covered {
            Some(covered) if whole => covered.max(mine.seq),
            _ => mine.seq,
        };
        if head.prev_seq > reach {
            Place::Gap
        } else if head.seq <= mine.seq {
            Place::Held
        } else {
            Place::Next
        }
    }

    #[inline]
    fn delta(&mut self, head: &Head, delta: &BookDelta<'_>) -> Taken {
        let place = self.place(head, false);
        let Some(kept) = &mut self.kept else {
            return self.gap(head.prev_seq);
        };
        match place {
            // Only a snapshot begins a book.
            Place::Begin | Place::Gap => self.gap(head.prev_seq),
            Place::Held => self.held(head, Some(delta.checksum)),
            Place::Next => match kept.book.apply(position(head), delta) {
                Ok(()) => self.applied(head),
                Err(wrong) => self.wrong(wrong),
            },
        }
    }

    fn snapshot(&mut self, head: &Head, chunk: &BookSnapshot<'_>) -> Taken {
        let place = self.place(head, true);
        let exponents = self.exponents_of(head.epoch);
        let Some(kept) = &mut self.kept else {
            return self.gap(head.prev_seq);
        };
        if matches!(place, Place::Held | Place::Gap) {
            kept.assembly.drop_partial();
            return match place {
                Place::Gap => self.gap(head.prev_seq),
                _ => self.held(head, Some(chunk.checksum)),
            };
        }
        match kept.assembly.add(position(head), chunk) {
            Assembled::Partial => Taken::Partial,
            Assembled::Broken => self.gap(head.seq),
            Assembled::Whole => {
                let levels = kept.assembly.levels();
                let replaced = kept
                    .book
                    .replace(position(head), exponents, levels, chunk.checksum);
                kept.assembly.release();
                match replaced {
                    Ok(()) => self.applied(head),
                    Err(wrong) => self.wrong(wrong),
                }
            }
        }
    }

    /// A message of a channel that has no book.
    fn plain(&mut self, head: &Head, whole: bool) -> Taken {
        match self.place(head, whole) {
            Place::Held => self.held(head, None),
            Place::Gap => self.gap(head.prev_seq),
            Place::Begin | Place::Next => self.applied(head),
        }
    }

    /// A closed bar moves nothing: the running bar of the same record comes behind it.
    fn closed_bar(&mut self, head: &Head) -> Taken {
        match self.place(head, true) {
            Place::Held => self.held(head, None),
            Place::Gap => self.gap(head.prev_seq),
            Place::Begin | Place::Next => Taken::Applied(None),
        }
    }

    fn status(&mut self, head: &Head, status: Status) -> Taken {
        let place = self.place(head, self.channel == Channel::Status);
        let restated = self.mine == Some(position(head));
        match place {
            Place::Gap => return self.gap(head.prev_seq),
            Place::Held if !restated => return Taken::Held,
            _ => {}
        }
        if self.channel == Channel::Status {
            self.advance(head);
            return Taken::Applied(self.fault.take());
        }
        let before = self.mine;
        if status.state.is_broken() {
            self.fail(ResyncReason::Upstream(status.reason));
        }
        self.broken = status.state.is_broken();
        // A book's new epoch begins with its snapshot: the status is believed, and moves nothing.
        let begins = place == Place::Begin && self.kept.is_none();
        if begins || place == Place::Next {
            self.advance(head);
        }
        if let Some(kept) = &mut self.kept {
            kept.book.pass(self.mine, status.state.is_broken());
        }
        // Levels and best prices are whole again with the next message; trades between may be lost.
        if place == Place::Next && self.channel == Channel::Trades && status.state.is_broken() {
            let missing = Missing {
                from: before,
                to: Some(head.seq),
            };
            return Taken::Lost(missing, GapCause::Upstream(status.reason));
        }
        Taken::Noted
    }

    fn heartbeat(&mut self, head: &Head) -> Taken {
        let told = head.seq.max(head.prev_seq);
        match self.mine.filter(|mine| mine.epoch == head.epoch) {
            Some(mine) if told > mine.seq => self.gap(told),
            Some(_) => {
                self.meet(head);
                Taken::Noted
            }
            // The snapshot that is spoken of was missed, unless the node has none to send.
            None if self.kept.is_some() => {
                if self.broken || told == Seq::NONE {
                    return Taken::Noted;
                }
                self.gap(told)
            }
            None => {
                self.advance(head);
                Taken::Noted
            }
        }
    }

    /// From here on the stream is live: nothing changes but the place.
    fn replay_complete(&mut self, head: &Head) -> Taken {
        match self.place(head, false) {
            Place::Gap => return self.gap(head.prev_seq),
            Place::Next => {
                self.advance(head);
                if let Some(kept) = &mut self.kept {
                    kept.book.pass(self.mine, false);
                }
            }
            Place::Begin if self.mine.is_none() && self.kept.is_none() => self.advance(head),
            Place::Begin | Place::Held => {}
        }
        Taken::Noted
    }

    fn lag(&mut self, head: &Head, lag: &Lag) -> Taken {
        let Some(mine) = self.mine.filter(|mine| mine.epoch == head.epoch) else {
            return match lag.kind {
                LagKind::Skipped => self.gap(lag.to_seq),
                LagKind::Conflated | LagKind::Snapshot => Taken::Noted,
            };
        };
        let before = head.prev_seq.max(lag.from_seq);
        if before > mine.seq {
            return self.gap(before);
        }
        if lag.kind != LagKind::Skipped {
            self.covered = Some(lag.to_seq);
            return Taken::Noted;
        }
        if self.kept.is_some() {
            // A book cannot go on behind a hole.
            return self.gap(lag.to_seq);
        }
        self.mine = Some(Position {
            seq: lag.to_seq.max(mine.seq),
            ..mine
        });
        let missing = Missing {
            from: Some(mine),
            to: Some(lag.to_seq),
        };
        Taken::Lost(missing, GapCause::Skipped)
    }

    /// The message was had already; where it is the very one that this client stands at, the book has to be
    /// what it says.
    #[cold]
    fn held(&mut self, head: &Head, checksum: Option<u32>) -> Taken {
        let stands = self.mine == Some(position(head));
        if let (true, Some(told), Some(kept)) = (stands, checksum, &mut self.kept)
            && let Err(wrong) = kept.book.confirm(told)
        {
            return self.wrong(wrong);
        }
        self.meet(head);
        Taken::Held
    }

    /// The node shows how far it has come, and that is not further than this client.
    fn meet(&mut self, head: &Head) {
        self.ahead = self.mine.is_some_and(|mine| head.seq < mine.seq);
        if let Some(kept) = &mut self.kept {
            if self.ahead {
                kept.book.fall_behind();
            } else {
                kept.book.catch_on();
            }
        }
    }

    /// The message made the stream whole as of itself.
    #[inline]
    fn applied(&mut self, head: &Head) -> Taken {
        self.advance(head);
        self.broken = false;
        self.ahead = false;
        Taken::Applied(self.fault.take())
    }

    #[inline]
    fn advance(&mut self, head: &Head) {
        self.covered = None;
        let changes = self.mine.is_some_and(|mine| mine.epoch != head.epoch);
        if changes {
            self.exponents = self.exponents_of(head.epoch);
            if self.fault.is_none() {
                self.fault = Some(Fault {
                    from: self.mine,
                    reason: ResyncReason::EpochChanged,
                });
            }
        }
        self.mine = Some(position(head));
    }

    fn exponents_of(&self, epoch: Epoch) -> Exponents {
        match self.announced {
            Some((announced, exponents)) if announced == epoch => exponents,
            _ => self.exponents,
        }
    }

    /// Up to `to` something is missing.
    #[cold]
    fn gap(&mut self, to: Seq) -> Taken {
        let from = self.stands();
        self.fail(ResyncReason::Gap);
        self.stop();
        Taken::Gap(Missing { from, to: Some(to) })
    }

    /// The book is wrong, and nothing can be built on it.
    #[cold]
    fn wrong(&mut self, wrong: Wrong) -> Taken {
        self.fail(ResyncReason::Checksum);
        self.stop();
        self.mine = None;
        Taken::Wrong(wrong)
    }
}

#[inline]
const fn position(head: &Head) -> Position {
    Position {
        epoch: head.epoch,
        seq: head.seq,
    }
}
