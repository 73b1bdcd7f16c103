//! One client's session: its subscriptions, and what remains to be sent.

mod backlogs;
mod pending_request;
mod subscription;

use std::sync::Arc;

use market::Monotonic;
use streams::{Cursor, Opcode, Run};
use wire::Encoding;

use crate::Grant;
use crate::inbound::Inbound;
use crate::outgoing::Outgoing;
use crate::rate::TokenBucket;
use crate::sse::{self, SseState};
use subscription::NO_SUBSCRIPTION;

pub(crate) use backlogs::{Backlog, Backlogs, Weight};
pub(crate) use pending_request::{PendingJoin, PendingOp, PendingRequest, PendingResult};
pub(crate) use subscription::{Phase, ReplayPhase, Subscription};

/// One client's session.
///
/// A hundred thousand of them may be idle, so anything that a session needs only temporarily is
/// boxed and freed afterwards.
///
/// Invariants:
/// - The ready list holds each subscription at most once, and only existing ones.
/// - No stream message is planned while the session has bytes of its own to send.
pub(crate) struct Session {
    /// Distinguishes it from earlier sessions at the same index.
    pub(crate) token: u32,
    pub(crate) encoding: Encoding,
    /// Whether it is in the list of sessions to send to.
    pub(crate) queued: bool,
    /// Whether its socket is full; nothing is sent until it is writable again.
    pub(crate) blocked: bool,
    /// Whether anything has been received since the last ping check.
    pub(crate) has_received: bool,
    pub(crate) ping: Ping,
    /// Whether the connection is unusable.
    pub(crate) gone: bool,
    /// Whether reading or writing its socket failed.
    pub(crate) failed: bool,
    /// Whether messages are framed as Server-Sent Events; see [`SseState`].
    pub(crate) is_sse: bool,
    /// Consecutive checks that found it without streams.
    pub(crate) idle_checks: u16,
    /// Ends of the ready list, the subscriptions with something to send; it is linked through
    /// [`Subscription`].
    first_ready: u16,
    last_ready: u16,
    /// Token of the latest subscription.
    last_token: u16,
    /// By index; free entries are reused.
    subscriptions: Vec<Subscription>,
    /// Bytes to send before anything of its streams.
    pub(crate) outgoing: Option<Box<Outgoing>>,
    /// Bytes received but not parsed yet.
    pub(crate) inbound: Option<Box<Inbound>>,
    /// The request waiting for publishers; no other is read until it is answered.
    pub(crate) request: Option<Box<PendingRequest>>,
    /// What its subscriptions are sent before their streams' runs.
    backlogs: Option<Box<Backlogs>>,
    pub(crate) ending: Option<Box<Ending>>,
    pub(crate) bucket: TokenBucket,
    /// Stream messages and bytes sent to it.
    pub(crate) messages_out: u64,
    pub(crate) bytes_out: u64,
    /// What its client is entitled to.
    pub(crate) grant: Arc<Grant>,
    /// State of an SSE session; `None` for a WebSocket.
    pub(crate) sse: Option<Box<SseState>>,
    pub(crate) opened: Monotonic,
    /// Messages replaced by catch-ups.
    pub(crate) conflated: u32,
}

// Keeps 19,000 idle sessions with ten streams each below 1 KiB per session.
const _: () = assert!(size_of::<Session>() <= 144);
const _: () = assert!(size_of::<Subscription>() <= 32);

/// State of a session's ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ping {
    /// No ping is outstanding.
    None,
    /// A ping is outstanding; anything received answers it.
    Sent,
}

/// A session that is being closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) code: u16,
    pub(crate) reason: Box<str>,
    /// Who closed first: a client's own close code says nothing about the node.
    pub(crate) by: ClosedBy,
    /// Tick at which the connection is dropped at the latest.
    pub(crate) until: u64,
    /// Whether the client has closed too, so that only pending bytes remain.
    pub(crate) answered: bool,
    /// Whether input is ignored. It is still received for a while, since closing a socket with
    /// unread bytes discards the close frame.
    pub(crate) ignores_input: bool,
    /// Bytes received and discarded since.
    pub(crate) discarded: u32,
}

/// Which side closed a session first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// The node.
    Node,
    /// The client, with its own close code.
    Client,
    /// Neither: the connection was lost.
    Nobody,
}

impl Session {
    pub(crate) fn new(
        token: u32,
        encoding: Encoding,
        bucket: TokenBucket,
        grant: Arc<Grant>,
        sse: Option<Box<SseState>>,
        opened: Monotonic,
    ) -> Self {
        Self {
            token,
            encoding,
            queued: false,
            blocked: false,
            has_received: true,
            ping: Ping::None,
            gone: false,
            failed: false,
            is_sse: sse.is_some(),
            idle_checks: 0,
            first_ready: NO_SUBSCRIPTION,
            last_ready: NO_SUBSCRIPTION,
            last_token: 0,
            subscriptions: Vec::new(),
            outgoing: None,
            inbound: None,
            request: None,
            backlogs: None,
            ending: None,
            bucket,
            messages_out: 0,
            bytes_out: 0,
            grant,
            sse,
            opened,
            conflated: 0,
        }
    }

    pub(crate) const fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Returns whether the session can be removed.
    pub(crate) fn has_ended(&self) -> bool {
        let answered = self.ending.as_ref().is_some_and(|ending| ending.answered);
        self.gone || answered && self.outgoing.is_none() && !self.blocked
    }

    /// Returns the bytes to send before its streams, to append to.
    pub(crate) fn outgoing(&mut self) -> &mut Outgoing {
        self.outgoing.get_or_insert_default()
    }

    /// Appends a message of the node's own, framed for the session's transport.
    pub(crate) fn say(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.is_sse {
            let mut event = Vec::with_capacity(payload.len() + 32);
            sse::write_own(&mut event, opcode, payload);
            self.outgoing().push_framed(&event);
        } else {
            self.outgoing().push(opcode, payload);
        }
    }

    /// Returns the number of pending bytes of its own.
    pub(crate) fn outgoing_len(&self) -> usize {
        self.outgoing.as_ref().map_or(0, |outgoing| outgoing.len())
    }

    /// Returns the memory taken by its own outgoing bytes.
    pub(crate) fn outgoing_capacity(&self) -> usize {
        self.outgoing
            .as_ref()
            .map_or(0, |outgoing| outgoing.capacity())
    }

    /// Returns whether requests are read: not while one waits for publishers, and not while the
    /// client leaves its answers unread.
    pub(crate) fn takes_requests(&self) -> bool {
        let answers = self.outgoing.as_ref().map_or(0, |it| it.answers());
        !self.gone && self.request.is_none() && answers <= Outgoing::ANSWERS
    }

    /// Returns whether its socket may be read.
    pub(crate) fn may_receive(&self) -> bool {
        let is_full = self
            .inbound
            .as_ref()
            .is_some_and(|inbound| inbound.is_full());
        self.takes_requests() && !is_full
    }

    /// Returns the subscription at an index.
    pub(crate) fn subscription(&self, index: usize) -> Option<&Subscription> {
        self.subscriptions
            .get(index)
            .filter(|subscription| subscription.phase != Phase::Free)
    }

    /// Returns the subscription at an index, mutably.
    pub(crate) fn subscription_mut(&mut self, index: usize) -> Option<&mut Subscription> {
        self.subscriptions
            .get_mut(index)
            .filter(|subscription| subscription.phase != Phase::Free)
    }

    /// Returns all subscriptions with their indices.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = (usize, &Subscription)> {
        let all = self.subscriptions.iter().enumerate();
        all.filter(|(_, subscription)| subscription.phase != Phase::Free)
    }

    /// Returns the number of subscriptions.
    pub(crate) fn streams(&self) -> usize {
        self.subscriptions().count()
    }

    /// Returns the index of the subscription to the stream in a slot.
    pub(crate) fn subscription_to(&self, slot: usize) -> Option<usize> {
        let mut subscriptions = self.subscriptions();
        let found = subscriptions.find(|(_, subscription)| subscription.stream as usize == slot);
        found.map(|(subscription, _)| subscription)
    }

    /// Reserves room for exactly this many more subscriptions.
    pub(crate) fn reserve(&mut self, more: usize) {
        let free = self.subscriptions.len() - self.streams();
        self.subscriptions.reserve_exact(more.saturating_sub(free));
    }

    /// Returns a token that identifies the subscription among all that were ever at this index of
    /// this shard: it repeats after 65,535 subscriptions of the session and four thousand million
    /// sessions.
    pub(crate) fn token_of(&self, index: usize) -> Option<u64> {
        let subscription = self.subscription(index)?;
        Some(u64::from(self.token) << 16 | u64::from(subscription.token))
    }

    /// Adds a subscription and returns its index and token, or `None` if all indices are in use.
    pub(crate) fn insert(&mut self, mut subscription: Subscription) -> Option<(u16, u64)> {
        let free = self
            .subscriptions
            .iter()
            .position(|subscription| subscription.phase == Phase::Free);
        let index = free.unwrap_or(self.subscriptions.len());
        let number = u16::try_from(index)
            .ok()
            .filter(|it| *it != NO_SUBSCRIPTION)?;
        self.last_token = self.last_token.wrapping_add(1);
        subscription.token = self.last_token;
        if let Some(place) = self.subscriptions.get_mut(index) {
            *place = subscription;
        } else {
            self.subscriptions.push(subscription);
        }
        Some((number, self.token_of(index)?))
    }

    /// Removes a subscription.
    pub(crate) fn remove(&mut self, index: usize) -> Option<(u32, u32, Phase, Cursor)> {
        let queued = self.subscription(index)?.is_queued();
        if queued {
            self.unqueue(index);
        }
        let subscription = self.subscriptions.get_mut(index)?;
        let was = (
            subscription.stream,
            subscription.place,
            subscription.phase,
            subscription.cursor(),
        );
        subscription.phase = Phase::Free;
        self.forget_backlog(index);
        while self
            .subscriptions
            .last()
            .is_some_and(|subscription| subscription.phase == Phase::Free)
        {
            self.subscriptions.pop();
        }
        Some(was)
    }

    /// Appends a subscription to the ready list.
    pub(crate) fn mark_ready(&mut self, index: usize) {
        let (Ok(number), Some(subscription)) =
            (u16::try_from(index), self.subscriptions.get_mut(index))
        else {
            return;
        };
        if subscription.is_queued() {
            return;
        }
        subscription.set_queued(true);
        subscription.set_next(NO_SUBSCRIPTION);
        match self.subscriptions.get_mut(usize::from(self.last_ready)) {
            Some(last) => last.set_next(number),
            None => self.first_ready = number,
        }
        self.last_ready = number;
    }

    /// Removes and returns the first subscription of the ready list.
    pub(crate) fn pop_ready(&mut self) -> Option<usize> {
        let index = usize::from(self.first_ready);
        let subscription = self.subscriptions.get_mut(index)?;
        subscription.set_queued(false);
        self.first_ready = subscription.next();
        subscription.set_next(NO_SUBSCRIPTION);
        if self.first_ready == NO_SUBSCRIPTION {
            self.last_ready = NO_SUBSCRIPTION;
        }
        Some(index)
    }

    /// Returns whether the ready list has any subscription.
    pub(crate) const fn has_ready(&self) -> bool {
        self.first_ready != NO_SUBSCRIPTION
    }

    /// Empties the ready list, so that no stream message is sent any more.
    pub(crate) fn forget_ready(&mut self) {
        while self.pop_ready().is_some() {}
    }

    fn unqueue(&mut self, index: usize) {
        let queued = self
            .subscriptions
            .iter()
            .filter(|subscription| subscription.is_queued())
            .count();
        for _ in 0..queued {
            let ready = self.pop_ready().filter(|ready| *ready != index);
            if let Some(ready) = ready {
                self.mark_ready(ready);
            }
        }
    }

    /// Returns a subscription's backlog.
    pub(crate) fn backlog_of(&self, subscription: usize) -> Option<&Backlog> {
        self.backlogs.as_ref()?.of(subscription)
    }

    /// Returns a subscription's backlog, mutably.
    pub(crate) fn backlog_of_mut(&mut self, subscription: usize) -> Option<&mut Backlog> {
        self.backlogs.as_mut()?.of_mut(subscription)
    }

    /// Sets a subscription's backlog.
    pub(crate) fn set_backlog(&mut self, subscription: usize, run: Arc<Run>, cursor: Cursor) {
        let Ok(subscription) = u16::try_from(subscription) else {
            return;
        };
        self.backlogs_mut().hold(Backlog {
            subscription,
            run,
            cursor,
        });
    }

    /// Drops a backlog that has been sent.
    pub(crate) fn forget_backlog(&mut self, subscription: usize) {
        if let Some(backlogs) = &mut self.backlogs {
            backlogs.forget(subscription);
            self.free_backlogs();
        }
    }

    /// Returns whether no backlog is held, due or requested.
    pub(crate) const fn has_no_backlog(&self) -> bool {
        self.backlogs.is_none()
    }

    /// Returns the bytes of backlog held.
    pub(crate) fn backlog_bytes(&self) -> usize {
        self.backlogs.as_ref().map_or(0, |it| it.bytes())
    }

    /// Returns the backlogs, to add to.
    pub(crate) fn backlogs_mut(&mut self) -> &mut Backlogs {
        self.backlogs.get_or_insert_default()
    }

    /// Frees the memory once there are no backlogs.
    pub(crate) fn free_backlogs(&mut self) {
        if self.backlogs.as_ref().is_some_and(|it| it.is_empty()) {
            self.backlogs = None;
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

    fn subscription() -> Subscription {
        let cursor = Cursor {
            frame: 0,
            seq: Seq::NONE,
        };
        Subscription::new(0, 0, cursor, Policy::Conflate)
    }

    #[test]
    fn subscribers_that_have_something_to_send_have_their_turn_in_order_and_once() {
        let mut session = session();
        let subscriptions: Vec<_> = (0..4)
            .map(|_| session.insert(subscription()).unwrap().0)
            .collect();
        for index in [2, 0, 2, 3, 0] {
            session.mark_ready(usize::from(subscriptions[index]));
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
            session.insert(subscription());
        }
        session.remove(1);
        let again = session.insert(subscription()).map(|(index, _)| index);
        assert_eq!((session.streams(), again), (3, Some(1)));
    }

    #[test]
    fn who_takes_a_place_again_is_told_from_who_left_it() {
        let mut session = session();
        let (index, first) = session.insert(subscription()).unwrap();
        assert_eq!(session.token_of(usize::from(index)), Some(first));
        session.remove(usize::from(index));
        assert_eq!(session.token_of(usize::from(index)), None);
        let (again, second) = session.insert(subscription()).unwrap();
        assert_eq!(again, index);
        assert_ne!(first, second);
    }
}
