use std::time::Instant;

use wire::control::{MAX_REQUEST, Request};

use super::entry::Phase;
use super::{Action, Session};
use crate::SubscriptionId;

/// The bytes of a request besides its streams: `{"op":"unsubscribe","id":18446744073709551615,"streams":[]}`.
const ENVELOPE: usize = 72;

impl Session {
    /// Sends what is due: first what ends streams, then what begins them, then what changes them, then a ping.
    pub(super) fn flush(&mut self, now: Instant) {
        if !self.connection.is_up() {
            return;
        }
        self.outbox.settle();
        loop {
            let ends = self.entries.iter().any(super::Entry::is_to_end);
            let begins = self
                .entries
                .iter()
                .any(|entry| entry.is_to_begin() && entry.due <= now);
            let changes = self.entries.iter().any(super::Entry::is_to_change);
            if !ends && !begins && !changes && !self.outbox.wants_ping() {
                break;
            }
            if let Some(until) = self.outbox.held_until(now) {
                self.outbox.wake(until);
                return;
            }
            if ends {
                self.send_ends(now);
            } else if begins {
                self.send_begins(now);
            } else if changes {
                self.send_changes(now);
            } else if self.outbox.take_ping() {
                let id = self.outbox.send_ping(now);
                self.actions
                    .push_back(Action::Send(Request::ping(id).to_json()));
            }
        }
        let next = self
            .entries
            .iter()
            .filter(|entry| entry.is_to_begin())
            .map(|entry| entry.due)
            .min();
        if let Some(next) = next {
            self.outbox.wake(next);
        }
    }

    /// Sends one request that ends as many streams as fit.
    fn send_ends(&mut self, now: Instant) {
        let mut batch = Batch::default();
        let mut keys = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.is_to_end()) {
            let ended = entry.end_keys();
            if !batch.add(entry.id, &Request::unsubscribe(0, ended.clone())) {
                break;
            }
            keys.extend(ended);
            entry.at_node = false;
        }
        let request = Request::unsubscribe(self.outbox.next_id(), keys);
        self.send(now, Vec::new(), &request);
        self.entries.sweep();
    }

    /// Sends one request for as many streams as fit.
    fn send_begins(&mut self, now: Instant) {
        let id = self.outbox.next_id();
        let mut batch = Batch::default();
        let mut streams = Vec::new();
        let due = |entry: &&mut super::Entry| entry.is_to_begin() && entry.due <= now;
        for entry in self.entries.iter_mut().filter(due) {
            entry.prepare();
            let (stream, requested) = entry.next_request(self.config.resume);
            if !batch.add(entry.id, &Request::subscribe(0, [stream.clone()])) {
                break;
            }
            streams.push(stream);
            entry.requested = requested;
            entry.at_node = true;
            entry.phase = Phase::Requested(id);
        }
        let request = Request::subscribe(id, streams);
        self.send(now, batch.subscriptions, &request);
    }

    /// Sends one request that changes as many streams as fit.
    fn send_changes(&mut self, now: Instant) {
        let id = self.outbox.next_id();
        let mut batch = Batch::default();
        let mut streams = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.is_to_change()) {
            let Some(update) = entry.update() else {
                continue;
            };
            if !batch.add(entry.id, &Request::update(0, [update.clone()])) {
                break;
            }
            streams.push(update);
            entry.begin_change(id);
        }
        let request = Request::update(id, streams);
        self.send(now, batch.subscriptions, &request);
    }

    fn send(&mut self, now: Instant, subscriptions: Vec<SubscriptionId>, request: &Request) {
        self.outbox.send(now, subscriptions);
        self.actions.push_back(Action::Send(request.to_json()));
    }
}

/// The streams of one request, as far as they fit into what a node accepts.
#[derive(Default)]
struct Batch {
    subscriptions: Vec<SubscriptionId>,
    bytes: usize,
}

impl Batch {
    /// Adds a stream, for which `alone` would be the request. Returns false if it does not fit with the others.
    fn add(&mut self, id: SubscriptionId, alone: &Request) -> bool {
        // The envelope is counted with each stream, so the sum is never too small.
        let bytes = alone.to_json().len();
        if !self.subscriptions.is_empty() && self.bytes + bytes + ENVELOPE > MAX_REQUEST {
            return false;
        }
        self.bytes += bytes;
        self.subscriptions.push(id);
        true
    }
}
