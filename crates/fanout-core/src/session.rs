//! One client's session: its subscriptions, and what it is still to be sent.

mod beginnings;
mod subscriber;

use std::sync::Arc;

use market::{Monotonic, Position};
use streams::{Cursor, Opcode, Run};
use wire::Encoding;
use wire::control::{Outcome, RequestId, StreamKey, Subscribed};

use crate::Grant;
use crate::events::{self, EventState};
use crate::inbound::Inbound;
use crate::outgoing::Outgoing;
use crate::rate::TokenBucket;
use subscriber::NOBODY;

pub(crate) use beginnings::{Beginning, Beginnings, Weight};
pub(crate) use subscriber::{Past, Phase, Sub};

/// One client's session.
///
/// A hundred thousand of them may be idle, so whatever a session needs only while something is
/// under way is in a box that is given back.
///
/// Invariants:
/// - The list of subscriptions that have something to send holds each once, and only those that exist.
/// - No message of a stream is planned while the session has bytes of its own to send.
pub(crate) struct Session {
    /// Distinguishes it from earlier sessions in its place.
    pub(crate) token: u32,
    pub(crate) encoding: Encoding,
    /// Whether it is in the list of sessions to be sent to.
    pub(crate) queued: bool,
    /// Its socket is full: nothing is sent before it is writable again.
    pub(crate) blocked: bool,
    /// Something came from the client since its ping was last looked after.
    pub(crate) heard: bool,
    pub(crate) ping: Ping,
    /// The connection is of no more use.
    pub(crate) gone: bool,
    /// Reading or writing its socket failed.
    pub(crate) failed: bool,
    /// Whether its messages are framed as events: see [`EventState`].
    pub(crate) is_events: bool,
    /// How many times in a row it was found without streams.
    pub(crate) idle_looks: u16,
    /// Subscriptions that have something to send, each once: the first and the last of a list that
    /// goes on in each one's [`Sub`].
    first_ready: u16,
    last_ready: u16,
    /// The last subscription's token.
    last_token: u16,
    /// By index; a place that nobody has is taken again.
    subs: Vec<Sub>,
    /// What has to be sent before anything of its streams.
    pub(crate) outgoing: Option<Box<Outgoing>>,
    /// What was received and not read yet.
    pub(crate) inbound: Option<Box<Inbound>>,
    /// The request that waits for its publishers; no other is read before it is answered.
    pub(crate) request: Option<Box<PendingRequest>>,
    /// What its subscriptions begin with, or are caught up with.
    beginnings: Option<Box<Beginnings>>,
    pub(crate) ending: Option<Box<Ending>>,
    pub(crate) bucket: TokenBucket,
    /// Messages of its streams and bytes that it was sent.
    pub(crate) messages_out: u64,
    pub(crate) bytes_out: u64,
    /// What its client is entitled to.
    pub(crate) grant: Arc<Grant>,
    /// What a session of events has besides; none of a WebSocket.
    pub(crate) events: Option<Box<EventState>>,
    pub(crate) opened: Monotonic,
    /// Messages that a catch-up replaced.
    pub(crate) conflated: u32,
}

// 19,000 idle sessions with ten streams each are to stay below 1 KiB each.
const _: () = assert!(size_of::<Session>() <= 144);
const _: () = assert!(size_of::<Sub>() <= 32);

/// The state of a session's ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ping {
    /// None is under way.
    None,
    /// Sent, and not answered by any sign of life.
    Sent,
}

/// A close frame is to be sent, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) code: u16,
    pub(crate) reason: Box<str>,
    /// Who closed first: a client's own code says nothing of the node.
    pub(crate) by: ClosedBy,
    /// The tick at which the connection is cut at the latest.
    pub(crate) until: u64,
    /// Whether the client has closed as well: nothing is left but to send what is outgoing.
    pub(crate) answered: bool,
    /// Whether what the client sends is ignored. It is still received for a while, since dropping a
    /// socket with unread bytes discards the close frame.
    pub(crate) deaf: bool,
    /// Bytes that were received and thrown away since.
    pub(crate) discarded: u32,
}

/// Which side closed a session first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// The node.
    Node,
    /// The client, with a code of its own.
    Client,
    /// Neither: the connection was lost.
    Nobody,
}

/// A `subscribe` or an `update` whose streams are being joined.
pub(crate) struct PendingRequest {
    pub(crate) id: Option<RequestId>,
    pub(crate) op: JoiningOp,
    pub(crate) results: Vec<PendingResult>,
    pub(crate) joining: Vec<Joining>,
    pub(crate) waiting: usize,
}

/// What a request that joins streams is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JoiningOp {
    Subscribe,
    Update,
}

/// A subscription whose publisher was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Joining {
    pub(crate) sub: u16,
    /// Which result its outcome will be.
    pub(crate) result: usize,
    /// The subscription that ends when this one may begin.
    pub(crate) replaces: Option<u16>,
    /// What its client has.
    pub(crate) resume: Option<Position>,
}

/// One stream of it.
pub(crate) enum PendingResult {
    /// Its publisher has not answered.
    Waiting(StreamKey),
    /// It has.
    Done(Outcome<Subscribed>),
}

impl PendingRequest {
    pub(crate) fn new(id: Option<RequestId>, op: JoiningOp, streams: usize) -> Self {
        Self {
            id,
            op,
            results: Vec::with_capacity(streams),
            joining: Vec::new(),
            waiting: 0,
        }
    }
}

impl Session {
    pub(crate) fn new(
        token: u32,
        encoding: Encoding,
        bucket: TokenBucket,
        grant: Arc<Grant>,
        events: Option<Box<EventState>>,
        opened: Monotonic,
    ) -> Self {
        Self {
            token,
            encoding,
            queued: false,
            blocked: false,
            heard: true,
            ping: Ping::None,
            gone: false,
            failed: false,
            is_events: events.is_some(),
            idle_looks: 0,
            first_ready: NOBODY,
            last_ready: NOBODY,
            last_token: 0,
            subs: Vec::new(),
            outgoing: None,
            inbound: None,
            request: None,
            beginnings: None,
            ending: None,
            bucket,
            messages_out: 0,
            bytes_out: 0,
            grant,
            events,
            opened,
            conflated: 0,
        }
    }

    pub(crate) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Returns whether nothing is left to do.
    pub(crate) fn has_ended(&self) -> bool {
        let answered = self.ending.as_ref().is_some_and(|ending| ending.answered);
        self.gone || answered && self.outgoing.is_none() && !self.blocked
    }

    /// What has to be sent before anything of its streams, to add to.
    pub(crate) fn outgoing(&mut self) -> &mut Outgoing {
        self.outgoing.get_or_insert_default()
    }

    /// Adds what the node itself has to say, framed as its messages are.
    pub(crate) fn say(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.is_events {
            let mut event = Vec::with_capacity(payload.len() + 32);
            events::write_own(&mut event, opcode, payload);
            self.outgoing().push_framed(&event);
        } else {
            self.outgoing().push(opcode, payload);
        }
    }

    /// How many bytes of its own it has to send.
    pub(crate) fn outgoing_len(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.len())
    }

    /// The memory that this takes.
    pub(crate) fn outgoing_capacity(&self) -> usize {
        self.outgoing
            .as_ref()
            .map_or(0, |outgoing| outgoing.capacity())
    }

    /// Returns whether requests are read: not while one waits for its publishers, and not while the
    /// client does not read its answers.
    pub(crate) fn takes_requests(&self) -> bool {
        let answers = self.outgoing.as_ref().map_or(0, |it| it.answers());
        !self.gone && self.request.is_none() && answers <= Outgoing::ANSWERS
    }

    /// Returns whether anything of the client can be taken in.
    pub(crate) fn may_receive(&self) -> bool {
        let is_full = self
            .inbound
            .as_ref()
            .is_some_and(|inbound| inbound.is_full());
        self.takes_requests() && !is_full
    }

    /// The subscriber at an index, if there is one.
    pub(crate) fn sub(&self, index: usize) -> Option<&Sub> {
        self.subs.get(index).filter(|sub| sub.phase != Phase::Left)
    }

    /// Likewise, to change.
    pub(crate) fn sub_mut(&mut self, index: usize) -> Option<&mut Sub> {
        self.subs
            .get_mut(index)
            .filter(|sub| sub.phase != Phase::Left)
    }

    /// All subscribers with their indices.
    pub(crate) fn subs(&self) -> impl Iterator<Item = (usize, &Sub)> {
        let all = self.subs.iter().enumerate();
        all.filter(|(_, sub)| sub.phase != Phase::Left)
    }

    /// How many subscribers it has.
    pub(crate) fn streams(&self) -> usize {
        self.subs().count()
    }

    /// The subscription to the stream in a slot.
    pub(crate) fn sub_to(&self, slot: usize) -> Option<usize> {
        let mut subs = self.subs();
        let found = subs.find(|(_, sub)| sub.stream as usize == slot);
        found.map(|(sub, _)| sub)
    }

    /// Makes room for so many subscribers more, and no more than that.
    pub(crate) fn reserve(&mut self, more: usize) {
        let free = self.subs.len() - self.streams();
        self.subs.reserve_exact(more.saturating_sub(free));
    }

    /// Tells a subscriber from earlier ones of its shard in the same place: from this session's last
    /// 65,535, and from those of the last four thousand million sessions and streams.
    pub(crate) fn token_of(&self, index: usize) -> Option<u64> {
        let sub = self.sub(index)?;
        Some(u64::from(self.token) << 16 | u64::from(sub.token))
    }

    /// Takes a subscriber in; returns its index and token. `None` when there are as many as can be
    /// counted.
    pub(crate) fn insert(&mut self, mut sub: Sub) -> Option<(u16, u64)> {
        let free = self.subs.iter().position(|sub| sub.phase == Phase::Left);
        let index = free.unwrap_or(self.subs.len());
        let number = u16::try_from(index).ok().filter(|it| *it != NOBODY)?;
        self.last_token = self.last_token.wrapping_add(1);
        sub.token = self.last_token;
        if let Some(place) = self.subs.get_mut(index) {
            *place = sub;
        } else {
            self.subs.push(sub);
        }
        Some((number, self.token_of(index)?))
    }

    /// Forgets a subscriber.
    pub(crate) fn remove(&mut self, index: usize) -> Option<(u32, u32, Phase, Cursor)> {
        let queued = self.sub(index)?.is_queued();
        if queued {
            self.unqueue(index);
        }
        let sub = self.subs.get_mut(index)?;
        let was = (sub.stream, sub.place, sub.phase, sub.cursor());
        sub.phase = Phase::Left;
        self.forget_start(index);
        while self.subs.last().is_some_and(|sub| sub.phase == Phase::Left) {
            self.subs.pop();
        }
        Some(was)
    }

    /// Puts a subscriber into the list of those that have something to send.
    pub(crate) fn mark_ready(&mut self, index: usize) {
        let (Ok(number), Some(sub)) = (u16::try_from(index), self.subs.get_mut(index)) else {
            return;
        };
        if sub.is_queued() {
            return;
        }
        sub.set_queued(true);
        sub.set_next(NOBODY);
        match self.subs.get_mut(usize::from(self.last_ready)) {
            Some(last) => last.set_next(number),
            None => self.first_ready = number,
        }
        self.last_ready = number;
    }

    /// Takes the first subscriber of that list out of it.
    pub(crate) fn pop_ready(&mut self) -> Option<usize> {
        let index = usize::from(self.first_ready);
        let sub = self.subs.get_mut(index)?;
        sub.set_queued(false);
        self.first_ready = sub.next();
        sub.set_next(NOBODY);
        if self.first_ready == NOBODY {
            self.last_ready = NOBODY;
        }
        Some(index)
    }

    /// Returns whether a subscriber has something to send.
    pub(crate) const fn has_ready(&self) -> bool {
        self.first_ready != NOBODY
    }

    /// Empties the list of those that have something to send: nothing of its streams is sent any
    /// more.
    pub(crate) fn forget_ready(&mut self) {
        while self.pop_ready().is_some() {}
    }

    fn unqueue(&mut self, index: usize) {
        let queued = self.subs.iter().filter(|sub| sub.is_queued()).count();
        for _ in 0..queued {
            let ready = self.pop_ready().filter(|ready| *ready != index);
            if let Some(ready) = ready {
                self.mark_ready(ready);
            }
        }
    }

    /// What a subscription begins with.
    pub(crate) fn start_of(&self, sub: usize) -> Option<&Beginning> {
        self.beginnings.as_ref()?.of(sub)
    }

    /// Likewise, to change.
    pub(crate) fn start_of_mut(&mut self, sub: usize) -> Option<&mut Beginning> {
        self.beginnings.as_mut()?.of_mut(sub)
    }

    /// Sets what a subscription begins with.
    pub(crate) fn begin_with(&mut self, sub: usize, run: Arc<Run>, cursor: Cursor) {
        let Ok(sub) = u16::try_from(sub) else {
            return;
        };
        self.beginnings_mut().hold(Beginning { sub, run, cursor });
    }

    /// A subscription has been sent what it begins with.
    pub(crate) fn forget_start(&mut self, sub: usize) {
        if let Some(beginnings) = &mut self.beginnings {
            beginnings.forget(sub);
            self.drop_beginnings();
        }
    }

    /// Returns whether no subscription waits for its beginning, or holds one.
    pub(crate) const fn has_no_beginnings(&self) -> bool {
        self.beginnings.is_none()
    }

    /// Bytes that are held of what its subscriptions begin with.
    pub(crate) fn beginning_bytes(&self) -> usize {
        self.beginnings.as_ref().map_or(0, |it| it.bytes())
    }

    /// What its subscriptions begin with, to add to.
    pub(crate) fn beginnings_mut(&mut self) -> &mut Beginnings {
        self.beginnings.get_or_insert_default()
    }

    /// Gives the memory back once nothing is kept there.
    pub(crate) fn drop_beginnings(&mut self) {
        if self.beginnings.as_ref().is_some_and(|it| it.is_empty()) {
            self.beginnings = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::Seq;
    use wire::control::Policy;

    fn session() -> Session {
        let bucket = TokenBucket::full(1, 0);
        let opened = Monotonic(0);
        Session::new(1, Encoding::Sbe, bucket, Arc::default(), None, opened)
    }

    fn sub() -> Sub {
        let cursor = Cursor {
            frame: 0,
            seq: Seq::NONE,
        };
        Sub::new(0, 0, cursor, Policy::Conflate)
    }

    #[test]
    fn subscribers_that_have_something_to_send_have_their_turn_in_order_and_once() {
        let mut session = session();
        let subs: Vec<_> = (0..4).map(|_| session.insert(sub()).unwrap().0).collect();
        for index in [2, 0, 2, 3, 0] {
            session.mark_ready(usize::from(subs[index]));
        }
        assert_eq!(session.remove(0).map(|was| was.2), Some(Phase::Joining));
        session.mark_ready(1);
        let order: Vec<_> = std::iter::from_fn(|| session.pop_ready()).collect();
        assert_eq!(order, [2, 3, 1]);
        assert!(!session.has_ready());
    }

    #[test]
    fn a_place_that_was_left_is_taken_again() {
        let mut session = session();
        session.reserve(3);
        for _ in 0..3 {
            session.insert(sub());
        }
        session.remove(1);
        let again = session.insert(sub()).map(|(index, _)| index);
        assert_eq!((session.streams(), again), (3, Some(1)));
    }

    #[test]
    fn who_takes_a_place_again_is_told_from_who_left_it() {
        let mut session = session();
        let (index, first) = session.insert(sub()).unwrap();
        assert_eq!(session.token_of(usize::from(index)), Some(first));
        session.remove(usize::from(index));
        assert_eq!(session.token_of(usize::from(index)), None);
        let (again, second) = session.insert(sub()).unwrap();
        assert_eq!(again, index);
        assert_ne!(first, second);
    }
}
