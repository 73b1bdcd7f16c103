use market::{Channel, Epoch, Exponents, Position, Seq, Step};
use wire::control::{StartKind, Subscribed};
use wire::sbe::{Body, BookDelta, BookSnapshot, Message};
use wire::{Head, Lag, LagKind, Status};

use super::assembly::{Assembled, Assembly};
use super::{Checksums, Effect, Fault, LocalBook, Missing};
use crate::event::{GapCause, ResyncReason};

/// Tracks one stream: its position, and for `book` the book.
///
/// Invariants:
/// - `position` moves only forward within an epoch, and only by messages that follow on, or by what a node
///   says it cannot send.
/// - A local book is [`Trust::Live`](super::Trust::Live) only while it equals what was published as of its position.
#[derive(Debug)]
pub(crate) struct Tracker {
    channel: Channel,
    /// Epoch and `seq` of the last message applied; `None` until a message begins the stream.
    position: Option<Position>,
    /// Whether the node has accepted the stream before: what was published in between is missed.
    was_open: bool,
    /// Whether the node has said that the stream cannot be trusted at the moment.
    broken: bool,
    /// Whether the node has not read as far as this client.
    ahead: bool,
    /// How far an announced catch-up reaches: a self-contained message may follow on that.
    covered: Option<Seq>,
    /// What is wrong with the stream, and since when.
    fault: Option<Fault>,
    exponents: Exponents,
    /// The exponents of an epoch that has not begun.
    announced: Option<(Epoch, Exponents)>,
    /// For the channel `book` only.
    local: Option<Box<Local>>,
}

#[derive(Debug)]
struct Local {
    book: LocalBook,
    assembly: Assembly,
}

impl Tracker {
    pub(crate) fn new(channel: Channel) -> Self {
        let local = (channel == Channel::Book).then(|| {
            Box::new(Local {
                book: LocalBook::new(),
                assembly: Assembly::default(),
            })
        });
        Self {
            channel,
            position: None,
            was_open: false,
            broken: false,
            ahead: false,
            covered: None,
            fault: None,
            exponents: Exponents::default(),
            announced: None,
            local,
        }
    }

    /// The local book; `None` for channels other than `book`.
    pub(crate) fn book(&self) -> Option<&LocalBook> {
        self.local.as_deref().map(|local| &local.book)
    }

    /// Returns whether the node has not read as far as this client, so that what it sends is known already.
    ///
    /// That passes if the node merely lags behind another one. It does not if the log was recreated and nobody
    /// could tell: then the same numbers mean something else.
    pub(crate) const fn is_ahead_of_node(&self) -> bool {
        self.ahead
    }

    /// The exponents of the latest data.
    pub(crate) fn exponents(&self) -> Exponents {
        self.local
            .as_ref()
            .map_or(self.exponents, |local| local.book.exponents())
    }

    /// The position to resume from without a loss.
    pub(crate) fn resume_position(&self) -> Option<Position> {
        match &self.local {
            Some(local) => local.book.resume_position(),
            None => self.position,
        }
    }

    /// The position of the stream, or its last one while it is not followed.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position.or_else(|| self.resume_position())
    }

    /// Begins to follow the stream, which the node has accepted with `requested` as the position to resume from.
    /// Returns what has been missed for good, if anything.
    pub(crate) fn open(
        &mut self,
        subscribed: &Subscribed,
        requested: Option<Position>,
    ) -> Option<Missing> {
        self.covered = None;
        let again = std::mem::replace(&mut self.was_open, true);
        if let (StartKind::Resumed, Some(_)) = (subscribed.start, requested) {
            self.position = requested;
            self.announce(subscribed.epoch, subscribed.exponents);
            if let Some(local) = &mut self.local {
                local.book.mark_live();
            }
            return None;
        }
        let from = self.position();
        if again && (requested.is_some() || self.fault.is_none()) {
            self.fail(ResyncReason::NotResumed(subscribed.reason));
        }
        self.position = None;
        self.broken = false;
        self.announce(subscribed.epoch, subscribed.exponents);
        // A book or a best bid and offer is complete again with its first message; trades are not.
        let loses = self.channel == Channel::Trades && again;
        loses.then_some(Missing { from, to: None })
    }

    /// Stops following the stream: what is published from now on is missed, and an incomplete snapshot is void.
    pub(crate) fn stop(&mut self) {
        self.covered = None;
        self.ahead = false;
        if let Some(local) = &mut self.local {
            local.assembly.discard();
            local.book.mark_behind();
        }
    }

    /// Records a fault: the reason of the latest one counts, and the position of the earliest.
    pub(crate) fn fail(&mut self, reason: ResyncReason) {
        let from = match self.fault {
            Some(fault) => fault.from,
            None => self.position(),
        };
        self.fault = Some(Fault { from, reason });
    }

    /// Sets the exponents of an epoch.
    pub(crate) fn announce(&mut self, epoch: Epoch, exponents: Exponents) {
        if self.position.is_none_or(|it| it.epoch == epoch) {
            self.exponents = exponents;
        } else {
            self.announced = Some((epoch, exponents));
        }
    }

    /// Applies one message of the stream.
    pub(crate) fn apply(&mut self, message: &Message<'_>) -> Effect {
        let head = &message.head;
        if let Body::BookSnapshot(chunk) = &message.body {
            return self.snapshot(head, chunk);
        }
        if let Some(local) = &mut self.local {
            local.assembly.discard();
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

    /// Applies the one rule of every stream; `None` if the message begins an epoch. A `self_contained` message does
    /// not build on those before it.
    #[inline]
    fn judge(&self, head: &Head, self_contained: bool) -> Option<Step> {
        let position = self.position.filter(|it| it.epoch == head.epoch)?;
        let step = position.judge(head.prev_seq, head.seq);
        let reaches = |covered| self_contained && head.prev_seq <= covered;
        if step == Step::Gap && self.covered.is_some_and(reaches) {
            return Some(Step::Apply);
        }
        Some(step)
    }

    #[inline]
    fn delta(&mut self, head: &Head, delta: &BookDelta<'_>) -> Effect {
        let step = self.judge(head, false);
        let Some(local) = &mut self.local else {
            return self.gap(head.prev_seq);
        };
        match step {
            // Only a snapshot begins a book.
            None | Some(Step::Gap) => self.gap(head.prev_seq),
            Some(Step::Stale) => self.duplicate(head, Some(delta.checksum)),
            Some(Step::Apply) => match local.book.apply(position_of(head), delta) {
                Ok(()) => self.applied(head),
                Err(checksums) => self.mismatch(checksums),
            },
        }
    }

    fn snapshot(&mut self, head: &Head, chunk: &BookSnapshot<'_>) -> Effect {
        let step = self.judge(head, true);
        let exponents = self.exponents_of(head.epoch);
        let Some(local) = &mut self.local else {
            return self.gap(head.prev_seq);
        };
        match step {
            Some(Step::Gap) => return self.gap(head.prev_seq),
            Some(Step::Stale) => {
                local.assembly.discard();
                return self.duplicate(head, Some(chunk.checksum));
            }
            None | Some(Step::Apply) => {}
        }
        match local.assembly.add(position_of(head), chunk) {
            Assembled::Incomplete => Effect::Incomplete,
            Assembled::Broken => self.gap(head.seq),
            Assembled::Complete => {
                let levels = local.assembly.levels();
                let replaced =
                    local
                        .book
                        .replace(position_of(head), exponents, levels, chunk.checksum);
                local.assembly.release();
                match replaced {
                    Ok(()) => self.applied(head),
                    Err(checksums) => self.mismatch(checksums),
                }
            }
        }
    }

    /// A message of a channel that has no book.
    fn plain(&mut self, head: &Head, self_contained: bool) -> Effect {
        match self.judge(head, self_contained) {
            Some(Step::Stale) => self.duplicate(head, None),
            Some(Step::Gap) => self.gap(head.prev_seq),
            None | Some(Step::Apply) => self.applied(head),
        }
    }

    /// A closed bar moves nothing: the running bar of the same record comes next.
    fn closed_bar(&mut self, head: &Head) -> Effect {
        match self.judge(head, true) {
            Some(Step::Stale) => self.duplicate(head, None),
            Some(Step::Gap) => self.gap(head.prev_seq),
            None | Some(Step::Apply) => Effect::Applied(None),
        }
    }

    fn status(&mut self, head: &Head, status: Status) -> Effect {
        let step = self.judge(head, self.channel == Channel::Status);
        let is_restated = self.position == Some(position_of(head));
        match step {
            Some(Step::Gap) => return self.gap(head.prev_seq),
            Some(Step::Stale) if !is_restated => return Effect::Duplicate,
            _ => {}
        }
        if self.channel == Channel::Status {
            self.advance(head);
            return Effect::Applied(self.fault.take());
        }
        let before = self.position;
        if status.state.is_broken() {
            self.fail(ResyncReason::Upstream(status.reason));
        }
        self.broken = status.state.is_broken();
        let follows_on = step == Some(Step::Apply);
        // A book's epoch begins with its snapshot: a status before that is believed, and moves nothing.
        let begins = step.is_none() && self.local.is_none();
        if begins || follows_on {
            self.advance(head);
        }
        if let Some(local) = &mut self.local {
            local.book.advance(self.position, status.state.is_broken());
        }
        // A book or a best bid and offer is complete again with the next message; trades in between may be lost.
        if follows_on && self.channel == Channel::Trades && status.state.is_broken() {
            let missing = Missing {
                from: before,
                to: Some(head.seq),
            };
            return Effect::Lost(missing, GapCause::Upstream(status.reason));
        }
        Effect::Noted
    }

    fn heartbeat(&mut self, head: &Head) -> Effect {
        let last = head.seq.max(head.prev_seq);
        match self.position.filter(|it| it.epoch == head.epoch) {
            Some(position) if last > position.seq => self.gap(last),
            Some(_) => {
                self.compare_with_node(head);
                Effect::Noted
            }
            // The snapshot before it was missed, unless the node has none to send.
            None if self.local.is_some() => {
                if self.broken || last == Seq::NONE {
                    return Effect::Noted;
                }
                self.gap(last)
            }
            None => {
                self.advance(head);
                Effect::Noted
            }
        }
    }

    /// The stream is live from here on; nothing changes but its position.
    fn replay_complete(&mut self, head: &Head) -> Effect {
        match self.judge(head, false) {
            Some(Step::Gap) => return self.gap(head.prev_seq),
            Some(Step::Apply) => {
                self.advance(head);
                if let Some(local) = &mut self.local {
                    local.book.advance(self.position, false);
                }
            }
            None if self.position.is_none() && self.local.is_none() => self.advance(head),
            None | Some(Step::Stale) => {}
        }
        Effect::Noted
    }

    fn lag(&mut self, head: &Head, lag: &Lag) -> Effect {
        let Some(position) = self.position.filter(|it| it.epoch == head.epoch) else {
            return match lag.kind {
                LagKind::Skipped => self.gap(lag.to_seq),
                LagKind::Conflated | LagKind::Snapshot => Effect::Noted,
            };
        };
        let from = head.prev_seq.max(lag.from_seq);
        if from > position.seq {
            return self.gap(from);
        }
        if lag.kind != LagKind::Skipped {
            self.covered = Some(lag.to_seq);
            return Effect::Noted;
        }
        if self.local.is_some() {
            // A book cannot continue after a hole.
            return self.gap(lag.to_seq);
        }
        self.position = Some(Position {
            seq: lag.to_seq.max(position.seq),
            ..position
        });
        let missing = Missing {
            from: Some(position),
            to: Some(lag.to_seq),
        };
        Effect::Lost(missing, GapCause::Skipped)
    }

    /// A message that has been applied already. If it is the last one that was, the book has to have its checksum.
    #[cold]
    fn duplicate(&mut self, head: &Head, checksum: Option<u32>) -> Effect {
        let is_last = self.position == Some(position_of(head));
        if let (true, Some(checksum), Some(local)) = (is_last, checksum, &mut self.local)
            && let Err(checksums) = local.book.confirm(checksum)
        {
            return self.mismatch(checksums);
        }
        self.compare_with_node(head);
        Effect::Duplicate
    }

    /// Notes how far the node has read, which is not beyond this client.
    fn compare_with_node(&mut self, head: &Head) {
        self.ahead = self.position.is_some_and(|it| head.seq < it.seq);
        if let Some(local) = &mut self.local {
            if self.ahead {
                local.book.mark_behind();
            } else {
                local.book.mark_live();
            }
        }
    }

    /// A message that makes the stream complete as of itself.
    #[inline]
    fn applied(&mut self, head: &Head) -> Effect {
        self.advance(head);
        self.broken = false;
        self.ahead = false;
        Effect::Applied(self.fault.take())
    }

    #[inline]
    fn advance(&mut self, head: &Head) {
        self.covered = None;
        if self.position.is_some_and(|it| it.epoch != head.epoch) {
            self.exponents = self.exponents_of(head.epoch);
            if self.fault.is_none() {
                self.fault = Some(Fault {
                    from: self.position,
                    reason: ResyncReason::EpochChanged,
                });
            }
        }
        self.position = Some(position_of(head));
    }

    fn exponents_of(&self, epoch: Epoch) -> Exponents {
        match self.announced {
            Some((announced, exponents)) if announced == epoch => exponents,
            _ => self.exponents,
        }
    }

    /// Something up to `to` is missing.
    #[cold]
    fn gap(&mut self, to: Seq) -> Effect {
        let from = self.position();
        self.fail(ResyncReason::Gap);
        self.stop();
        Effect::Gap(Missing { from, to: Some(to) })
    }

    /// The book is wrong, and nothing can be built on it.
    #[cold]
    fn mismatch(&mut self, checksums: Checksums) -> Effect {
        self.fail(ResyncReason::Checksum);
        self.stop();
        self.position = None;
        Effect::Mismatch(checksums)
    }
}

#[inline]
const fn position_of(head: &Head) -> Position {
    Position {
        epoch: head.epoch,
        seq: head.seq,
    }
}
