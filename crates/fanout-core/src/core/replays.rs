//! Subscribers that are sent the past before they are live.

use market::{Channel, Position};
use wire::Speed;
use wire::control::{ControlError, Earliest, ErrorCode, Pace, Start, StreamKey};

use super::state::State;
use super::subscribers::FIRST;
use crate::history::{
    Handover, NoReplay, ReplayLine, ReplayOrder, ReplayPage, ReplayRequest, Then,
};
use crate::link::{Command, NotJoined, SubscriberId};
use crate::session::{Past, Phase};

impl State {
    /// What a publisher needs to begin a replay for a subscriber.
    pub(super) fn replay(
        &mut self,
        subscriber: SubscriberId,
        start: Start,
        pace: Option<Pace>,
    ) -> ReplayRequest {
        let (line, orders) = ReplayLine::new();
        self.replays.insert(subscriber, line);
        ReplayRequest {
            start,
            pace,
            orders,
        }
    }

    /// The last page has gone out: asks for the next one.
    pub(super) fn ask_for_page(&mut self, index: usize, sub_index: usize) {
        let Some(sub) = self.sessions[index].sub_mut(sub_index) else {
            return;
        };
        sub.phase = Phase::Awaiting;
        if !self.order(index, sub_index, ReplayOrder::Page) {
            self.break_off(index, sub_index);
        }
    }

    /// Tells a subscriber's replay what it is to do; whether it is there to be told.
    fn order(&self, index: usize, sub_index: usize, order: ReplayOrder) -> bool {
        let subscriber = self.subscriber(index, sub_index);
        let line = subscriber.and_then(|subscriber| self.replays.get(&subscriber));
        line.is_some_and(|line| line.send(order))
    }

    /// A subscriber is sent the past no more.
    pub(super) fn forget_replay(&mut self, index: usize, sub_index: usize) {
        if let Some(subscriber) = self.subscriber(index, sub_index) {
            self.replays.remove(&subscriber);
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
        let session = &mut self.sessions[index];
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
                if let Some(sub) = self.sessions[index].sub_mut(sub_index) {
                    sub.set_past(Past::No);
                    sub.phase = if has_run {
                        Phase::Starting
                    } else {
                        Phase::Live
                    };
                    self.replays.remove(&subscriber);
                }
            }
            Then::Broken => return self.give_up(subscriber, page.position),
        }
        self.sessions[index].mark_ready(sub_index);
        self.mark_to_send(index);
    }

    fn ask_for_handover(&mut self, subscriber: SubscriberId, anew: bool) {
        let Some(sub) = self.sessions[subscriber.session].sub(subscriber.sub) else {
            return;
        };
        let slot = sub.stream as usize;
        let stream = &self.streams[slot];
        let command = Command::Handover {
            key: stream.key,
            encoding: stream.encoding,
            subscriber,
            epoch: (!anew).then_some(sub.epoch),
            stream: self.slot_of(slot),
        };
        let publisher = stream.publisher;
        self.publishers[publisher].send(command);
    }

    /// From here on the subscriber holds its live stream, behind what it is still to be sent.
    pub(super) fn handed_over(&mut self, subscriber: SubscriberId, handover: Option<Handover>) {
        if !self.is_current(subscriber) {
            return;
        }
        let Some(handover) = handover else {
            // The stream is not made any more, so neither is this subscription.
            return self.leave(subscriber.session, subscriber.sub);
        };
        let session = &mut self.sessions[subscriber.session];
        let Some(sub) = session.sub_mut(subscriber.sub) else {
            return;
        };
        let stream = &mut self.streams[sub.stream as usize];
        sub.set_past(Past::Held);
        sub.epoch = handover.position.epoch;
        sub.set_cursor(stream.ring.cursor_at_end(handover.position.seq));
        stream.holders += 1;
        let order = ReplayOrder::Live(handover);
        if !self.order(subscriber.session, subscriber.sub, order) {
            self.break_off(subscriber.session, subscriber.sub);
        }
    }

    /// The past cannot be read on: the subscriber, which stands at `position`, is caught up like one
    /// that fell behind, which it is told.
    fn give_up(&mut self, subscriber: SubscriberId, position: Position) {
        let SubscriberId {
            session: index,
            sub: sub_index,
            ..
        } = subscriber;
        let Some(sub) = self.sessions[index].sub_mut(sub_index) else {
            return;
        };
        let slot = sub.stream as usize;
        if sub.set_past(Past::No) == Past::Held {
            let stream = &mut self.streams[slot];
            stream.holders -= 1;
            stream.behind -= usize::from(!stream.ring.is_at_end(sub.cursor()));
            self.touched.push(slot);
        }
        sub.set_position(position);
        sub.phase = Phase::Parked;
        self.replays.remove(&subscriber);
        self.sessions[index].mark_ready(sub_index);
        self.mark_to_send(index);
    }

    /// The replay ended without a word.
    fn break_off(&mut self, index: usize, sub_index: usize) {
        self.forget_replay(index, sub_index);
        let Some(sub) = self.sessions[index].sub_mut(sub_index) else {
            return;
        };
        if sub.set_past(Past::No) == Past::Held {
            // What it lacks is not known: the live stream's next message shows it the gap.
            let has_beginning = sub.phase == Phase::Replaying;
            sub.phase = if has_beginning {
                Phase::Starting
            } else {
                Phase::Live
            };
        } else {
            sub.phase = Phase::Parked;
        }
        self.sessions[index].mark_ready(sub_index);
        self.mark_to_send(index);
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

/// What a client is told whose stream does not begin in the past.
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
