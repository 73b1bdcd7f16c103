//! Subscriptions that are sent the past before they are live.

use market::{Channel, Now, Position};
use wire::Speed;
use wire::control::{ControlError, Earliest, ErrorCode, StreamKey};

use super::Core;
use super::pump::FIRST;
use crate::message::{
    Ask, Handover, NoReplay, NotJoined, ReplayOrder, ReplayPage, SubscriberId, Then,
};
use crate::session::{Past, Phase};

impl Core {
    /// A replay has ended without its last page.
    pub fn replay_ended(&mut self, subscriber: SubscriberId, now: Now) {
        self.now = now;
        if self.is_current(subscriber) {
            self.break_off(subscriber.session, subscriber.sub);
        }
    }

    /// The last page has gone out: asks for the next one.
    pub(super) fn ask_for_page(&mut self, index: usize, sub_index: usize) {
        let Some(subscriber) = self.subscriber(index, sub_index) else {
            return;
        };
        let session = self.sessions.get_mut(index);
        if let Some(sub) = session.and_then(|session| session.sub_mut(sub_index)) {
            sub.phase = Phase::Awaiting;
            self.out.orders.push((subscriber, ReplayOrder::Page));
        }
    }

    /// The next page came.
    pub(super) fn replayed(&mut self, subscriber: SubscriberId, page: ReplayPage) {
        if !self.is_current(subscriber) {
            return;
        }
        let SubscriberId {
            session: index,
            sub: sub_index,
            ..
        } = subscriber;
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        if sub.past() == Past::Before {
            sub.set_position(page.position);
        }
        let has_run = page.run.is_some();
        if let Some(run) = page.run {
            sub.phase = Phase::Replaying;
            session.begin_with(sub_index, run, FIRST);
        }
        match page.then {
            Then::More => {}
            Then::Live { anew } => self.ask_for_handover(subscriber, anew),
            Then::Done => {
                if let Some(sub) = session.sub_mut(sub_index) {
                    sub.set_past(Past::No);
                    sub.phase = if has_run {
                        Phase::Starting
                    } else {
                        Phase::Live
                    };
                    self.out.left_replays.push(subscriber);
                }
            }
            Then::Broken => return self.give_up(subscriber, page.position),
        }
        self.go_on(index, sub_index);
    }

    fn go_on(&mut self, index: usize, sub_index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.mark_ready(sub_index);
            self.sessions.mark_to_send(index);
        }
    }

    fn ask_for_handover(&mut self, subscriber: SubscriberId, anew: bool) {
        let session = self.sessions.get(subscriber.session);
        let Some(sub) = session.and_then(|session| session.sub(subscriber.sub)) else {
            return;
        };
        let (slot, epoch) = (sub.stream as usize, (!anew).then_some(sub.epoch));
        self.command(slot, Ask::Handover { subscriber, epoch });
    }

    /// From here on the subscription holds its live stream, after what it is still to be sent.
    pub(super) fn handed_over(&mut self, subscriber: SubscriberId, handover: Option<Handover>) {
        if !self.is_current(subscriber) {
            return;
        }
        let Some(handover) = handover else {
            // The stream is no longer made, so neither is this subscription.
            return self.end_subscription(subscriber.session, subscriber.sub);
        };
        let session = self.sessions.get_mut(subscriber.session);
        let Some(sub) = session.and_then(|session| session.sub_mut(subscriber.sub)) else {
            return;
        };
        sub.set_past(Past::Held);
        sub.epoch = handover.position.epoch;
        if let Some(cursor) = self
            .streams
            .hold(sub.stream as usize, handover.position.seq)
        {
            sub.set_cursor(cursor);
        }
        self.out
            .orders
            .push((subscriber, ReplayOrder::Live(handover)));
    }

    /// The rest of the past cannot be read: the subscription, which is at `position`, is caught up
    /// like one that lagged, and its client gets a `Lag`.
    fn give_up(&mut self, subscriber: SubscriberId, position: Position) {
        let SubscriberId {
            session: index,
            sub: sub_index,
            ..
        } = subscriber;
        let session = self.sessions.get_mut(index);
        let Some(sub) = session.and_then(|session| session.sub_mut(sub_index)) else {
            return;
        };
        let (slot, cursor) = (sub.stream as usize, sub.cursor());
        if sub.set_past(Past::No) == Past::Held {
            self.streams.let_go(slot, cursor);
        }
        sub.set_position(position);
        self.out.left_replays.push(subscriber);
        self.park(index, sub_index);
    }

    /// The replay ended without reporting how.
    fn break_off(&mut self, index: usize, sub_index: usize) {
        let session = self.sessions.get_mut(index);
        let Some(sub) = session.and_then(|session| session.sub_mut(sub_index)) else {
            return;
        };
        match sub.set_past(Past::No) {
            Past::No => {}
            Past::Held => {
                // What it lacks is not known: the live stream's next message shows it the gap.
                let has_beginning = sub.phase == Phase::Replaying;
                sub.phase = if has_beginning {
                    Phase::Starting
                } else {
                    Phase::Live
                };
                self.go_on(index, sub_index);
            }
            Past::Before => self.park(index, sub_index),
        }
    }

    /// Has a subscription caught up once it has been sent what it holds.
    fn park(&mut self, index: usize, sub_index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let holds_page = session.start_of(sub_index).is_some();
        let Some(sub) = session.sub_mut(sub_index) else {
            return;
        };
        if holds_page {
            // The rest of its last page, after which it asks.
            sub.phase = Phase::Paging;
            self.go_on(index, sub_index);
        } else {
            sub.phase = Phase::Parked;
            self.ask_later(index, sub_index);
            self.ask_for_beginnings(index);
        }
    }
}

/// Why a stream cannot begin in the past, if so.
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

/// The answer to a client whose stream cannot begin in the past.
pub(super) fn refusal(why: NotJoined) -> ControlError {
    match why {
        NotJoined::Busy => ControlError::new(
            ErrorCode::Busy,
            "this node replays as many streams as it may; try again later, or another node",
        ),
        NotJoined::NoReplay(NoReplay::TooEarly(earliest)) => {
            let place = earliest.map_or_else(
                || "nothing that it could begin with is there".to_owned(),
                |Earliest { time, seq }| {
                    format!("the earliest is time \"{}\", seq {}", time.0, seq.0)
                },
            );
            let message = format!("start lies before what the log still has; {place}");
            ControlError::too_early(message, earliest)
        }
        NotJoined::NoReplay(NoReplay::Unreadable) => ControlError::new(
            ErrorCode::NotReady,
            "the log cannot be read at the moment; try again soon",
        ),
        _ => ControlError::new(
            ErrorCode::UnsupportedStart,
            "this node does not begin in the past; leave start out",
        ),
    }
}
