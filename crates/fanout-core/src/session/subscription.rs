use market::{Epoch, Position, Seq};
use streams::Cursor;
use wire::control::Policy;

/// No subscriber: the end of a list of them.
pub(super) const NO_SUBSCRIPTION: u16 = u16::MAX;

/// Bits that tell the subscriber behind in a list; the others tell a frame's number. A stream with
/// a million frames a second has used those up in nine years.
const NEXT_BITS: u32 = u16::BITS;

/// A subscriber: a session's place in a stream.
///
/// There are ten times as many as clients, so what is small is packed.
pub(crate) struct Subscription {
    /// The sequence number that it has.
    seq: Seq,
    /// The number of the frame that it is sent next, and the subscriber behind it in its session's
    /// list of those that have something to send.
    frame_and_next: u64,
    pub(crate) stream: u32,
    /// Its index in the stream's list.
    pub(crate) place: u32,
    pub(crate) epoch: Epoch,
    /// Tells it from its session's earlier ones.
    pub(super) token: u16,
    pub(crate) phase: Phase,
    traits: Traits,
}

/// Whether it is disconnected when it is slow, whether it is in its session's list of those that
/// have something to send, and how it is with the past.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Traits(u8);

/// How far a subscriber is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It has left; its place is free.
    Free,
    /// Its publisher was asked for a start.
    Joining,
    /// It may begin, and the answer to its request has not been sent.
    Accepted,
    /// Likewise, and it has yet to ask for what it begins with.
    AcceptedDue,
    /// It is to ask for what it begins with, or for more of that.
    Due,
    /// It asked for what it begins with.
    Requested,
    /// It is sent a part of what it begins with, and is to ask for more after it.
    StartingInPart,
    /// It is sent its beginning, or what catches it up.
    Starting,
    /// It is sent a part of what catches it up, and is to ask for more behind it.
    CatchingUpInPart,
    /// It is sent a page of the past.
    Replaying,
    /// It was sent a page of the past, and is to ask for the next one.
    ReplayPageSent,
    /// It asked for the next page of the past.
    ReplayPageRequested,
    /// It is sent the stream's runs.
    Live,
    /// It fell behind while its socket was full: its publisher is asked when there is room.
    Lagging,
    /// It fell behind, and its publisher was asked to catch it up.
    CatchUpRequested,
}

/// Whether a subscriber is being sent the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplayPhase {
    /// It is not.
    None,
    /// It is, and the live stream is of no use to it yet.
    BeforeLive,
    /// It is, and it holds the live stream behind what it is still to be sent.
    HoldsLive,
}

impl Phase {
    /// Returns whether its publisher was asked for what it begins with, or for what catches it up.
    pub(crate) const fn has_asked(self) -> bool {
        matches!(self, Self::Requested | Self::CatchUpRequested)
    }

    /// Returns whether it is sent what only it is sent, before its stream's runs.
    pub(crate) const fn has_backlog(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::StartingInPart | Self::CatchingUpInPart | Self::Replaying
        )
    }
}

impl Traits {
    const DISCONNECT: u8 = 1;
    const QUEUED: u8 = 1 << 1;
    const BEFORE: u8 = 1 << 2;
    const HELD: u8 = 1 << 3;
    const RESUMES: u8 = 1 << 4;

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    const fn set(&mut self, bit: u8, on: bool) {
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }
}

impl Subscription {
    pub(crate) fn new(stream: u32, place: u32, cursor: Cursor, policy: Policy) -> Self {
        let mut subscription = Self {
            seq: Seq::NONE,
            frame_and_next: u64::from(NO_SUBSCRIPTION),
            stream,
            place,
            epoch: Epoch::NONE,
            token: 0,
            phase: Phase::Joining,
            traits: Traits(0),
        };
        subscription.set_cursor(cursor);
        subscription.set_policy(policy);
        subscription
    }

    /// What it is sent next.
    pub(crate) const fn cursor(&self) -> Cursor {
        Cursor {
            frame: self.frame_and_next >> NEXT_BITS,
            seq: self.seq,
        }
    }

    pub(crate) fn set_cursor(&mut self, cursor: Cursor) {
        self.seq = cursor.seq;
        self.frame_and_next = cursor.frame << NEXT_BITS | u64::from(self.next());
    }

    /// Where its receiver stands; which frame it is sent next stays.
    pub(crate) const fn set_position(&mut self, position: Position) {
        self.epoch = position.epoch;
        self.seq = position.seq;
    }

    pub(crate) const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            seq: self.seq,
        }
    }

    pub(crate) const fn policy(&self) -> Policy {
        if self.traits.has(Traits::DISCONNECT) {
            Policy::Disconnect
        } else {
            Policy::Conflate
        }
    }

    pub(crate) fn set_policy(&mut self, policy: Policy) {
        self.traits
            .set(Traits::DISCONNECT, policy == Policy::Disconnect);
    }

    pub(crate) const fn replay(&self) -> ReplayPhase {
        if self.traits.has(Traits::HELD) {
            ReplayPhase::HoldsLive
        } else if self.traits.has(Traits::BEFORE) {
            ReplayPhase::BeforeLive
        } else {
            ReplayPhase::None
        }
    }

    /// Sets how it is with the past; returns how it was.
    pub(crate) fn set_replay(&mut self, replay: ReplayPhase) -> ReplayPhase {
        let was = self.replay();
        self.traits
            .set(Traits::BEFORE, replay == ReplayPhase::BeforeLive);
        self.traits
            .set(Traits::HELD, replay == ReplayPhase::HoldsLive);
        was
    }

    /// Returns whether what it begins with is to lead on from its position.
    pub(crate) const fn resumes(&self) -> bool {
        self.traits.has(Traits::RESUMES)
    }

    /// Sets whether what it begins with is to lead on from its position.
    pub(crate) const fn set_resumes(&mut self, resumes: bool) {
        self.traits.set(Traits::RESUMES, resumes);
    }

    /// Returns whether the stream's ring is of use to it.
    pub(crate) const fn holds_ring(&self) -> bool {
        match self.replay() {
            ReplayPhase::None => {
                matches!(self.phase, Phase::Accepted | Phase::Starting | Phase::Live)
            }
            ReplayPhase::BeforeLive => false,
            ReplayPhase::HoldsLive => true,
        }
    }

    pub(super) const fn is_queued(&self) -> bool {
        self.traits.has(Traits::QUEUED)
    }

    pub(super) const fn set_queued(&mut self, queued: bool) {
        self.traits.set(Traits::QUEUED, queued);
    }

    /// The subscriber behind it in its session's list.
    #[expect(clippy::cast_possible_truncation, reason = "these are the lowest bits")]
    pub(super) const fn next(&self) -> u16 {
        self.frame_and_next as u16
    }

    pub(super) fn set_next(&mut self, next: u16) {
        let frame = self.frame_and_next >> NEXT_BITS;
        self.frame_and_next = frame << NEXT_BITS | u64::from(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replay_phases() -> impl Strategy<Value = ReplayPhase> {
        prop::sample::select(vec![
            ReplayPhase::None,
            ReplayPhase::BeforeLive,
            ReplayPhase::HoldsLive,
        ])
    }

    fn policies() -> impl Strategy<Value = Policy> {
        prop::sample::select(vec![Policy::Conflate, Policy::Disconnect])
    }

    proptest! {
        #[test]
        fn what_is_packed_together_does_not_touch_each_other(
            frame in 0..1_u64 << 48,
            seq: i64,
            next: u16,
            queued: bool,
            replay in replay_phases(),
            policy in policies(),
            other in (0..1_u64 << 48, any::<u16>(), replay_phases(), policies()),
        ) {
            let cursor = Cursor { frame, seq: Seq(seq) };
            let mut subscription = Subscription::new(1, 2, Cursor { frame: other.0, seq: Seq(0) }, other.3);
            subscription.set_next(other.1);
            subscription.set_replay(other.2);
            subscription.set_cursor(cursor);
            subscription.set_next(next);
            subscription.set_queued(queued);
            prop_assert_eq!(subscription.set_replay(replay), other.2);
            subscription.set_policy(policy);
            prop_assert_eq!(subscription.cursor(), cursor);
            prop_assert_eq!((subscription.next(), subscription.is_queued()), (next, queued));
            prop_assert_eq!((subscription.replay(), subscription.policy()), (replay, policy));
        }
    }

    #[test]
    fn a_new_one_is_in_no_list_and_of_no_past() {
        let cursor = Cursor {
            frame: 7,
            seq: Seq(8),
        };
        let subscription = Subscription::new(1, 2, cursor, Policy::Conflate);
        assert_eq!(
            (subscription.next(), subscription.is_queued()),
            (NO_SUBSCRIPTION, false)
        );
        assert_eq!(
            (subscription.replay(), subscription.cursor()),
            (ReplayPhase::None, cursor)
        );
    }
}
