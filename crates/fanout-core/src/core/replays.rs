//! Subscriptions that replay the past before they go live.

use market::{Channel, Now, Position};
use wire::Speed;
use wire::control::{ControlError, Earliest, ErrorCode, StreamKey};

use super::Core;
use super::pump::FIRST;
use crate::message::{
    Ask, Handover, JoinError, NextPage, ReplayCommand, ReplayError, ReplayPage, SubscriptionId,
};
use crate::session::{Phase, ReplayPhase};

impl Core {
    /// Notes that a replay ended without its last page.
    pub fn replay_ended(&mut self, id: SubscriptionId, now: Now) {
        self.now = now;
        if self.is_current(id) {
            self.break_off(id.session, id.subscription);
        }
    }

    /// Requests the next page once the last one has been sent.
    pub(super) fn ask_for_page(&mut self, index: usize, subscription_index: usize) {
        let Some(id) = self.subscription_id(index, subscription_index) else {
            return;
        };
        let session = self.sessions.get_mut(index);
        if let Some(subscription) =
            session.and_then(|session| session.subscription_mut(subscription_index))
        {
            subscription.phase = Phase::ReplayPageRequested;
            self.out.replay_commands.push((id, ReplayCommand::Page));
        }
    }

    /// Handles the next page of a replay.
    pub(super) fn replayed(&mut self, id: SubscriptionId, page: ReplayPage) {
        if !self.is_current(id) {
            return;
        }
        let SubscriptionId {
            session: index,
            subscription: subscription_index,
            ..
        } = id;
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(subscription) = session.subscription_mut(subscription_index) else {
            return;
        };
        if subscription.replay() == ReplayPhase::BeforeLive {
            subscription.set_position(page.position);
        }
        let has_run = page.run.is_some();
        if let Some(run) = page.run {
            subscription.phase = Phase::Replaying;
            session.set_backlog(subscription_index, run, FIRST);
        }
        match page.next {
            NextPage::More => {}
            NextPage::Live { restarts } => self.ask_for_handover(id, restarts),
            NextPage::Done => {
                if let Some(subscription) = session.subscription_mut(subscription_index) {
                    subscription.set_replay(ReplayPhase::None);
                    subscription.phase = if has_run {
                        Phase::Starting
                    } else {
                        Phase::Live
                    };
                    self.out.left_replays.push(id);
                }
            }
            NextPage::Broken => return self.give_up(id, page.position),
        }
        self.go_on(index, subscription_index);
    }

    fn go_on(&mut self, index: usize, subscription_index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.mark_ready(subscription_index);
            self.sessions.mark_to_send(index);
        }
    }

    fn ask_for_handover(&mut self, id: SubscriptionId, restarts: bool) {
        let session = self.sessions.get(id.session);
        let Some(subscription) = session.and_then(|session| session.subscription(id.subscription))
        else {
            return;
        };
        let (slot, epoch) = (
            subscription.stream as usize,
            (!restarts).then_some(subscription.epoch),
        );
        self.command(slot, Ask::Handover { id, epoch });
    }

    /// From here on the subscription holds its live stream, to be sent after the replay.
    pub(super) fn handed_over(&mut self, id: SubscriptionId, handover: Option<Handover>) {
        if !self.is_current(id) {
            return;
        }
        let Some(handover) = handover else {
            // The stream no longer exists.
            return self.end_subscription(id.session, id.subscription);
        };
        let session = self.sessions.get_mut(id.session);
        let Some(subscription) =
            session.and_then(|session| session.subscription_mut(id.subscription))
        else {
            return;
        };
        subscription.set_replay(ReplayPhase::HoldsLive);
        subscription.epoch = handover.position.epoch;
        if let Some(cursor) = self
            .streams
            .hold(subscription.stream as usize, handover.position.seq)
        {
            subscription.set_cursor(cursor);
        }
        self.out
            .replay_commands
            .push((id, ReplayCommand::Live(handover)));
    }

    /// Ends a replay that cannot be read any further: the subscription, now at `position`, is
    /// caught up like a lagging one, and its client gets a `Lag`.
    fn give_up(&mut self, id: SubscriptionId, position: Position) {
        let SubscriptionId {
            session: index,
            subscription: subscription_index,
            ..
        } = id;
        let session = self.sessions.get_mut(index);
        let Some(subscription) =
            session.and_then(|session| session.subscription_mut(subscription_index))
        else {
            return;
        };
        let (slot, cursor) = (subscription.stream as usize, subscription.cursor());
        if subscription.set_replay(ReplayPhase::None) == ReplayPhase::HoldsLive {
            self.streams.release(slot, cursor);
        }
        subscription.set_position(position);
        self.out.left_replays.push(id);
        self.catch_up_later(index, subscription_index);
    }

    /// Ends a replay that ended without a reason.
    fn break_off(&mut self, index: usize, subscription_index: usize) {
        let session = self.sessions.get_mut(index);
        let Some(subscription) =
            session.and_then(|session| session.subscription_mut(subscription_index))
        else {
            return;
        };
        match subscription.set_replay(ReplayPhase::None) {
            ReplayPhase::None => {}
            ReplayPhase::HoldsLive => {
                // How much it lacks is unknown; the next live message shows the client the gap.
                let has_backlog = subscription.phase == Phase::Replaying;
                subscription.phase = if has_backlog {
                    Phase::Starting
                } else {
                    Phase::Live
                };
                self.go_on(index, subscription_index);
            }
            ReplayPhase::BeforeLive => self.catch_up_later(index, subscription_index),
        }
    }

    /// Catches up a subscription after it has been sent what it holds.
    fn catch_up_later(&mut self, index: usize, subscription_index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let holds_page = session.backlog_of(subscription_index).is_some();
        let Some(subscription) = session.subscription_mut(subscription_index) else {
            return;
        };
        if holds_page {
            // It requests the catch-up after the rest of its last page.
            subscription.phase = Phase::CatchingUpInPart;
            self.go_on(index, subscription_index);
        } else {
            subscription.phase = Phase::Lagging;
            self.ask_later(index, subscription_index);
            self.request_backlogs(index);
        }
    }
}

/// Returns why a stream cannot start in the past, if so.
pub(super) fn unsupported(key: &StreamKey) -> Option<String> {
    let what = match key.channel {
        Channel::Ticker | Channel::Bars => format!("of the channel {}", key.channel.name()),
        _ if key.speed != Speed::Raw => format!("with the speed {}", key.speed.name()),
        _ => return None,
    };
    Some(format!(
        "start is there, and no stream {what} begins in the past; leave it out"
    ))
}

/// Returns the error for a replay that was rejected.
pub(super) fn refusal(why: JoinError) -> ControlError {
    match why {
        JoinError::Busy => ControlError::new(
            ErrorCode::Busy,
            "this node replays as many streams as it may; try again later, or another node",
        ),
        JoinError::Replay(ReplayError::TooEarly(earliest)) => {
            let place = earliest.map_or_else(
                || "nothing that it could begin with is there".to_owned(),
                |Earliest { time, seq }| {
                    format!("the earliest is time \"{}\", seq {}", time.0, seq.0)
                },
            );
            let message = format!("start lies before what the log still has; {place}");
            ControlError::too_early(message, earliest)
        }
        JoinError::Replay(ReplayError::Unreadable) => ControlError::new(
            ErrorCode::NotReady,
            "the log cannot be read at the moment; try again soon",
        ),
        _ => ControlError::new(
            ErrorCode::UnsupportedStart,
            "this node does not begin in the past; leave start out",
        ),
    }
}
