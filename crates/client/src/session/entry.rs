use std::collections::HashMap;
use std::time::{Duration, Instant};

use market::{Channel, InstrumentId, Position, Seq};
use slab::Slab;
use wire::View;
use wire::control::{Resume, Start, StreamChange, StreamKey, StreamRequest, StreamUpdate};

use crate::random::Random;
use crate::stream::Tracker;
use crate::{Config, StreamStats, SubscriptionId};

/// After this time without a fault, a stream's faults are counted from zero again.
const FORGIVEN: Duration = Duration::from_secs(60);

/// One subscription.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SubscriptionId,
    /// The stream that the caller wants, without a position.
    pub(super) request: StreamRequest,
    /// The stream that the node has, had or was asked for, if it differs from what the caller wants.
    current: Option<StreamRequest>,
    /// The pending `update` request and the stream that it leads to.
    updating: Option<(u64, StreamRequest)>,
    /// The stream to return to if the node rejects the one wanted now.
    fallback: Option<StreamRequest>,
    pub(super) tracker: Tracker,
    pub(super) stats: StreamStats,
    /// Whether the caller still wants it.
    pub(super) wanted: bool,
    /// Whether the node has it, as far as this client's requests go.
    pub(super) at_node: bool,
    pub(super) phase: Phase,
    /// Whether the node has ever accepted it.
    pub(super) was_open: bool,
    /// The position in the last request.
    pub(super) requested: Option<Position>,
    /// Whether the next request has to be without a position, since it is of no use.
    pub(super) without_position: bool,
    /// When it may be requested.
    pub(super) due: Instant,
    /// When its last message arrived.
    pub(super) last_message: Instant,
    /// When the node was last seen to have read as far as this client.
    pub(super) caught_up: Instant,
    /// Consecutive faults, and when the last one was.
    faults: u32,
    fault_at: Option<Instant>,
    address: Option<Address>,
}

/// The state of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be requested.
    Idle,
    /// Requested; the id of the request.
    Requested(u64),
    /// Accepted.
    Open,
}

/// What identifies the stream of a data message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) instrument: InstrumentId,
    pub(super) view: View,
    pub(super) channel: Channel,
}

impl Entry {
    pub(super) fn new(id: SubscriptionId, request: StreamRequest, now: Instant) -> Self {
        Self {
            id,
            tracker: Tracker::new(request.key.channel),
            request,
            current: None,
            updating: None,
            fallback: None,
            stats: StreamStats::default(),
            wanted: true,
            at_node: false,
            phase: Phase::Idle,
            was_open: false,
            requested: None,
            without_position: false,
            due: now,
            last_message: now,
            caught_up: now,
            faults: 0,
            fault_at: None,
            address: None,
        }
    }

    /// Changes what the caller wants.
    pub(super) fn change(&mut self, wanted: StreamRequest) {
        // A stream that was never requested is known to no node.
        if self.at_node || self.was_open {
            let before = self.current.take();
            let before = before.unwrap_or_else(|| self.request.clone());
            let is_back = is_same(&before, &wanted) && self.updating.is_none();
            self.current = Some(before).filter(|_| !is_back);
        }
        self.request = wanted;
    }

    /// Returns whether the node has to be asked to change it.
    pub(super) fn is_to_change(&self) -> bool {
        let is_open = self.wanted && self.phase == Phase::Open;
        is_open && self.current.is_some() && self.updating.is_none()
    }

    /// What to ask the node to change.
    pub(super) fn update(&self) -> Option<StreamUpdate> {
        let current = self.current.as_ref()?;
        Some(StreamUpdate {
            key: current.key.clone(),
            to: difference(current, &self.request),
        })
    }

    /// Notes the request for that change.
    pub(super) fn begin_change(&mut self, request: u64) {
        self.updating = Some((request, self.request.clone()));
    }

    /// Returns whether that request is the pending update.
    pub(super) fn is_changing_by(&self, request: u64) -> bool {
        self.updating.as_ref().is_some_and(|(id, _)| *id == request)
    }

    /// The node has changed it. What the caller wants may differ again.
    pub(super) fn changed(&mut self) {
        if let Some((_, now)) = self.updating.take() {
            self.current = Some(now).filter(|now| !is_same(now, &self.request));
        }
    }

    /// The node rejected the change and keeps the stream. What the caller wants may differ again.
    pub(super) fn not_changed(&mut self) {
        let Some((_, rejected)) = self.updating.take() else {
            return;
        };
        let Some(current) = self.current.take() else {
            return;
        };
        if is_same(&rejected, &self.request) {
            self.request = current;
        } else {
            self.current = Some(current).filter(|current| !is_same(current, &self.request));
        }
    }

    /// The streams of which the node may have one, now that the subscription ends.
    pub(super) fn end_keys(&mut self) -> Vec<StreamKey> {
        let asked = self.updating.take().map(|(_, asked)| asked.key);
        let current = self.current.as_ref().map(|current| current.key.clone());
        let mut keys = vec![current.unwrap_or_else(|| self.request.key.clone())];
        keys.extend(asked.filter(|asked| *asked != keys[0]));
        keys
    }

    /// Prepares to request what the caller wants. The levels of another view are no position in it.
    pub(super) fn prepare(&mut self) {
        self.updating = None;
        let Some(current) = self.current.take() else {
            return;
        };
        if current.key != self.request.key {
            self.reset();
        }
        self.fallback = Some(current);
    }

    /// Discards its position and data.
    pub(super) fn reset(&mut self) {
        self.tracker = Tracker::new(self.request.key.channel);
        self.end_replay();
    }

    /// The node has accepted it.
    pub(super) fn accepted(&mut self) {
        self.fallback = None;
    }

    /// The node rejects for good what the caller wants. Returns whether there is a stream to return to.
    pub(super) fn fall_back(&mut self) -> bool {
        let Some(fallback) = self.fallback.take() else {
            return false;
        };
        self.current = None;
        if fallback.key != self.request.key {
            self.request = fallback;
            self.reset();
        } else {
            self.request = fallback;
        }
        true
    }

    /// The next request, and the position in it.
    pub(super) fn next_request(&self, resume: bool) -> (StreamRequest, Option<Position>) {
        let position = self
            .tracker
            .resume_position()
            .filter(|_| resume && !self.without_position);
        let mut request = self.request.clone();
        match position {
            // The replay is not over, and continues from here; the last message may come twice.
            Some(Position { seq, .. }) if self.is_replay() => {
                let next = i64::from(request.key.channel == Channel::Trades);
                request.start = Some(Start::Seq(Seq(seq.0.saturating_add(next))));
            }
            Some(Position { epoch, seq }) => request.resume = Some(Resume { epoch, seq }),
            None => {}
        }
        (request, position)
    }

    /// Returns whether it is, or will be, a replay.
    pub(super) const fn is_replay(&self) -> bool {
        self.request.start.is_some()
    }

    /// Ends the replay, or gives it up.
    pub(super) const fn end_replay(&mut self) {
        self.request.start = None;
        self.request.pace = None;
    }

    /// Handles a fault: the stream has to be requested again, the first time after `first`, then with a growing
    /// delay, so that a persistent fault does not flood the node. Returns the delay.
    pub(super) fn restart(
        &mut self,
        now: Instant,
        config: &Config,
        random: &mut Random,
        first: Duration,
    ) -> Duration {
        let forgiven = self
            .fault_at
            .is_none_or(|at| now.saturating_duration_since(at) >= FORGIVEN);
        self.faults = if forgiven {
            0
        } else {
            self.faults.saturating_add(1)
        };
        self.fault_at = Some(now);
        let delay = match self.faults {
            0 => first,
            faults => config.backoff.delay(faults, random),
        };
        self.tracker.stop();
        self.phase = Phase::Idle;
        self.due = now + delay;
        delay
    }

    /// Returns whether messages of that instrument may belong to it.
    pub(super) fn is_of(&self, instrument: InstrumentId) -> bool {
        self.address
            .is_some_and(|address| address.instrument == instrument)
    }

    /// Returns whether it is that stream, or still has to be changed from it.
    pub(super) fn wants(&self, key: &StreamKey) -> bool {
        let current = self.current.as_ref().map(|current| &current.key);
        self.wanted && (self.request.key == *key || current == Some(key))
    }

    /// Returns whether the node has to be asked to end it.
    pub(super) fn is_to_end(&self) -> bool {
        self.at_node && (!self.wanted || self.phase == Phase::Idle)
    }

    /// Returns whether it has to be requested, once it is due.
    pub(super) fn is_to_begin(&self) -> bool {
        self.wanted && !self.at_node && self.phase == Phase::Idle
    }
}

/// Returns whether both describe the same stream, whatever their positions.
fn is_same(one: &StreamRequest, other: &StreamRequest) -> bool {
    one.key == other.key && one.policy == other.policy
}

/// The changes that lead from one request to the other.
fn difference(from: &StreamRequest, to: &StreamRequest) -> StreamChange {
    let (key, new) = (&from.key, &to.key);
    StreamChange {
        depth: (key.depth != new.depth).then_some(new.depth),
        speed: (key.speed != new.speed).then_some(new.speed),
        group: (key.group != new.group).then_some(new.group),
        interval: (key.interval != new.interval).then_some(new.interval),
        policy: (from.policy != to.policy).then_some(to.policy),
    }
}

/// All subscriptions, and the routes of messages to them.
#[derive(Debug, Default)]
pub(super) struct Entries {
    slab: Slab<Entry>,
    by_id: HashMap<SubscriptionId, usize>,
    routes: HashMap<Address, usize>,
}

impl Entries {
    pub(super) fn insert(&mut self, entry: Entry) {
        let id = entry.id;
        let slot = self.slab.insert(entry);
        self.by_id.insert(id, slot);
    }

    pub(super) fn get(&self, id: SubscriptionId) -> Option<&Entry> {
        self.slab.get(*self.by_id.get(&id)?)
    }

    pub(super) fn by_id(&mut self, id: SubscriptionId) -> Option<&mut Entry> {
        self.slab.get_mut(*self.by_id.get(&id)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.slab.iter().map(|(_, entry)| entry)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.slab.iter_mut().map(|(_, entry)| entry)
    }

    /// The subscription that a message belongs to.
    #[inline]
    pub(super) fn at(&mut self, address: &Address) -> Option<&mut Entry> {
        self.slab.get_mut(*self.routes.get(address)?)
    }

    /// Returns whether a subscription wants that stream.
    pub(super) fn wanted(&self, key: &StreamKey) -> bool {
        self.iter().any(|entry| entry.wants(key))
    }

    /// Returns whether another subscription wants that stream.
    pub(super) fn wanted_by_another(&self, id: SubscriptionId, key: &StreamKey) -> bool {
        self.iter().any(|entry| entry.id != id && entry.wants(key))
    }

    /// Routes messages with that address to the subscription.
    pub(super) fn route(&mut self, id: SubscriptionId, address: Address) {
        if let Some(slot) = self.by_id.get(&id) {
            self.routes.insert(address, *slot);
            if let Some(entry) = self.slab.get_mut(*slot) {
                entry.address = Some(address);
            }
        }
    }

    /// Routes no more messages to the subscription.
    pub(super) fn unroute(&mut self, id: SubscriptionId) {
        let address = self.by_id(id).and_then(|entry| entry.address.take());
        if let Some(address) = address {
            self.routes.remove(&address);
        }
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) {
        self.unroute(id);
        if let Some(slot) = self.by_id.remove(&id) {
            self.slab.try_remove(slot);
        }
    }

    /// Removes those that are neither wanted nor at the node.
    pub(super) fn sweep(&mut self) {
        let gone: Vec<SubscriptionId> = self
            .iter()
            .filter(|entry| !entry.wanted && !entry.at_node)
            .map(|entry| entry.id)
            .collect();
        for id in gone {
            self.remove(id);
        }
    }

    /// The connection is gone: no stream is followed.
    pub(super) fn disconnect(&mut self) {
        self.routes.clear();
        for entry in self.iter_mut() {
            entry.address = None;
            entry.at_node = false;
            entry.phase = Phase::Idle;
            entry.tracker.stop();
        }
        self.sweep();
    }

    /// There is a connection: every stream may be requested.
    pub(super) fn make_due(&mut self, now: Instant) {
        for entry in self.iter_mut() {
            entry.due = now;
        }
    }

    /// Subscriptions whose node has been behind this client for too long.
    pub(super) fn ahead_of_node(&self, now: Instant, longest: Duration) -> Vec<SubscriptionId> {
        self.iter()
            .filter(|entry| entry.phase == Phase::Open && entry.tracker.is_ahead_of_node())
            .filter(|entry| now.saturating_duration_since(entry.caught_up) >= longest)
            .map(|entry| entry.id)
            .collect()
    }

    /// Accepted subscriptions that have been silent for too long.
    pub(super) fn silent(&self, now: Instant, longest: Duration) -> Vec<SubscriptionId> {
        self.iter()
            .filter(|entry| entry.phase == Phase::Open)
            .filter(|entry| now.saturating_duration_since(entry.last_message) >= longest)
            .map(|entry| entry.id)
            .collect()
    }
}
