use market::{Epoch, Position, Seq};
use streams::Cursor;
use wire::control::Policy;

/// Marks the end of a list of subscriptions.
pub(super) const NO_SUBSCRIPTION: u16 = u16::MAX;

/// Bits that hold the next subscription in the list; the others hold a frame number. At a million
/// frames per second those last nine years.
const NEXT_BITS: u32 = u16::BITS;

/// A session's subscription to a stream.
///
/// There are ten times as many subscriptions as clients, so small fields are packed.
pub(crate) struct Subscription {
    /// Last sequence number sent.
    seq: Seq,
    /// Number of the next frame to send, and the next subscription in the session's ready list.
    frame_and_next: u64,
    pub(crate) stream: u32,
    /// Index in the stream's list of subscriptions.
    pub(crate) place: u32,
    pub(crate) epoch: Epoch,
    /// Distinguishes it from earlier subscriptions at the same index.
    pub(super) token: u16,
    pub(crate) phase: Phase,
    traits: Traits,
}

/// Flags: lag policy, membership of the session's ready list, replay phase, whether it resumes, whether
/// it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Traits(u8);

/// Progress of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Ended; its index is free.
    Free,
    /// Its publisher has been asked to let it join.
    Joining,
    /// Joined, but its request has not been answered yet.
    Accepted,
    /// Likewise, and it has yet to request its initial state.
    AcceptedDue,
    /// Has to request its initial state, or the next page of it.
    Due,
    /// Has requested its initial state.
    Requested,
    /// Being sent a page of its initial state, with more to request.
    StartingInPart,
    /// Being sent the last page of its initial state or catch-up.
    Starting,
    /// Being sent a page of its catch-up, with more to request.
    CatchingUpInPart,
    /// Being sent a page of a replay.
    Replaying,
    /// Has been sent a page of a replay, and has to request the next one.
    ReplayPageSent,
    /// Has requested the next page of a replay.
    ReplayPageRequested,
    /// Being sent the stream's runs.
    Live,
    /// Lagging while its socket is full; it requests a catch-up once there is room.
    Lagging,
    /// Lagging; its publisher has been asked to catch it up.
    CatchUpRequested,
}

/// Relation of a subscription to its replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplayPhase {
    /// It has none.
    None,
    /// Replaying; the live stream is not needed yet.
    BeforeLive,
    /// Replaying, and already holding the live stream for afterwards.
    HoldsLive,
}

impl Phase {
    /// Returns whether an initial state or catch-up has been requested.
    pub(crate) const fn has_asked(self) -> bool {
        matches!(self, Self::Requested | Self::CatchUpRequested)
    }

    /// Returns whether it is being sent a backlog rather than its stream's runs.
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
    const ENDS: u8 = 1 << 5;

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

    /// Returns the position of the next frame to send.
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

    /// Sets the client's position, leaving the next frame unchanged.
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

    /// Sets the replay phase and returns the previous one.
    pub(crate) fn set_replay(&mut self, replay: ReplayPhase) -> ReplayPhase {
        let was = self.replay();
        self.traits
            .set(Traits::BEFORE, replay == ReplayPhase::BeforeLive);
        self.traits
            .set(Traits::HELD, replay == ReplayPhase::HoldsLive);
        was
    }

    /// Returns whether its initial state continues from its position.
    pub(crate) const fn resumes(&self) -> bool {
        self.traits.has(Traits::RESUMES)
    }

    /// Sets whether its initial state continues from its position.
    pub(crate) const fn set_resumes(&mut self, resumes: bool) {
        self.traits.set(Traits::RESUMES, resumes);
    }

    /// Returns whether it ends once its session's request is answered.
    pub(crate) const fn ends(&self) -> bool {
        self.traits.has(Traits::ENDS)
    }

    /// Has it end once its session's request is answered.
    pub(crate) const fn set_ends(&mut self) {
        self.traits.set(Traits::ENDS, true);
    }

    /// Returns whether it keeps frames in its stream's ring.
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

    /// Returns the next subscription in the session's ready list.
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
