use std::collections::VecDeque;

use slab::Slab;

use crate::session::Session;

/// All sessions of a shard, and those with something to do.
///
/// Invariants:
/// - A session is queued for sending at most once, and never while its socket is full.
/// - `blocked` is the number of sessions with full sockets.
#[derive(Default)]
pub(crate) struct Sessions {
    slab: Slab<Session>,
    /// Sessions with something to send, each once.
    to_send: VecDeque<u32>,
    /// Sessions that may be read again.
    to_read: Vec<u32>,
    /// Sessions that may have ended.
    to_end: Vec<u32>,
    blocked: usize,
    tokens: u32,
}

impl Sessions {
    /// Adds a session, created with a token of its own, and returns its index.
    pub(crate) fn insert(&mut self, make: impl FnOnce(u32) -> Session) -> usize {
        self.tokens = self.tokens.wrapping_add(1);
        self.slab.insert(make(self.tokens))
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Session> {
        self.slab.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Session> {
        self.slab.get_mut(index)
    }

    /// Returns the session with this index and token.
    pub(crate) fn find(&mut self, index: u32, token: u32) -> Option<&mut Session> {
        let session = self.slab.get_mut(index as usize);
        session.filter(|session| session.token == token)
    }

    pub(crate) fn remove(&mut self, index: usize) -> Option<Session> {
        let session = self.slab.try_remove(index)?;
        self.blocked -= usize::from(session.blocked);
        Some(session)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Session)> {
        self.slab.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    /// Returns the number of sessions with full sockets.
    pub(crate) const fn blocked(&self) -> usize {
        self.blocked
    }

    /// Queues a session for sending, unless its socket is full.
    pub(crate) fn mark_to_send(&mut self, index: usize) {
        if let Some(session) = self.slab.get_mut(index)
            && !session.queued
            && !session.blocked
        {
            session.queued = true;
            self.to_send.push_back(number(index));
        }
    }

    /// Marks a subscription ready and queues its session, if the socket has room and `is_ready`
    /// returns true.
    pub(crate) fn mark_subscription(
        &mut self,
        (number, subscription): (u32, u16),
        is_ready: impl FnOnce(&crate::session::Subscription) -> bool,
    ) {
        let Some(session) = self.slab.get_mut(number as usize) else {
            return;
        };
        let subscription = usize::from(subscription);
        if !session.subscription(subscription).is_some_and(is_ready) {
            return;
        }
        session.mark_ready(subscription);
        if !session.queued && !session.blocked {
            session.queued = true;
            self.to_send.push_back(number);
        }
    }

    /// Returns the number of sessions with something to send.
    pub(crate) fn sendable(&self) -> usize {
        self.to_send.len()
    }

    /// Removes and returns the next session with something to send.
    pub(crate) fn next_to_send(&mut self) -> Option<usize> {
        while let Some(index) = self.to_send.pop_front() {
            let index = index as usize;
            if let Some(session) = self.slab.get_mut(index) {
                session.queued = false;
                return Some(index);
            }
        }
        None
    }

    /// Notes that a session's socket is full.
    pub(crate) fn block(&mut self, index: usize) {
        if let Some(session) = self.slab.get_mut(index)
            && !session.blocked
        {
            session.blocked = true;
            self.blocked += 1;
        }
    }

    /// Notes that a session's socket is writable. Returns whether it was full.
    pub(crate) fn unblock(&mut self, index: usize) -> bool {
        let Some(session) = self.slab.get_mut(index).filter(|session| session.blocked) else {
            return false;
        };
        session.blocked = false;
        self.blocked -= 1;
        true
    }

    /// Notes that a session may be read again.
    pub(crate) fn mark_to_read(&mut self, index: usize) {
        self.to_read.push(number(index));
    }

    /// Moves the sessions that may be read again into `into`.
    pub(crate) fn take_to_read(&mut self, into: &mut Vec<u32>) {
        into.append(&mut self.to_read);
    }

    pub(crate) fn mark_to_end(&mut self, index: usize) {
        self.to_end.push(number(index));
    }

    /// Removes and returns the next session that has ended.
    pub(crate) fn next_ended(&mut self) -> Option<usize> {
        while let Some(index) = self.to_end.pop() {
            let index = index as usize;
            if self.slab.get(index).is_some_and(Session::has_ended) {
                return Some(index);
            }
        }
        None
    }
}

/// Converts an index for storage in lists; the number of sessions is far below 32 bits.
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
