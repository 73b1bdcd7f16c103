use std::collections::HashMap;
use std::time::{Duration, Instant};

use market::{Channel, InstrumentId, Position, Seq};
use slab::Slab;
use wire::View;
use wire::control::{Resume, Start, StreamChange, StreamKey, StreamRequest, StreamUpdate};

use crate::random::Random;
use crate::stream::Follower;
use crate::{Config, StreamStats, SubscriptionId};

/// A stream that had no fault for this long begins to count anew.
const FORGIVEN: Duration = Duration::from_secs(60);

/// One subscription.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SubscriptionId,
    /// What is wanted, without the position.
    pub(super) request: StreamRequest,
    /// What the node has, or had, or was asked for, where that is not what is wanted.
    held: Option<StreamRequest>,
    /// The `update` that waits for its answer, and what it asks for.
    updating: Option<(u64, StreamRequest)>,
    /// What to go back to when the node refuses what is wanted by now.
    fallback: Option<StreamRequest>,
    pub(super) follower: Follower,
    pub(super) stats: StreamStats,
    /// Whether the caller still wants it.
    pub(super) wanted: bool,
    /// Whether the node has it, as far as this client's requests go.
    pub(super) at_node: bool,
    pub(super) phase: Phase,
    /// Whether the node ever accepted it.
    pub(super) was_open: bool,
    /// The position in the last request.
    pub(super) asked: Option<Position>,
    /// Whether the position is of no use: the next request goes without.
    pub(super) anew: bool,
    /// When it may be asked for.
    pub(super) due: Instant,
    /// When the stream last spoke.
    pub(super) heard: Instant,
    /// When the node was last seen to be as far as this client.
    pub(super) level: Instant,
    /// Faults in a row, and when the last one was.
    faults: u32,
    fault_at: Option<Instant>,
    address: Option<Address>,
}

/// How far the asking has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be asked for.
    Idle,
    /// Asked for in that request.
    Asked(u64),
    /// Accepted.
    Open,
}

/// What a data message tells of the stream that it belongs to.
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
            follower: Follower::new(request.key.channel),
            request,
            held: None,
            updating: None,
            fallback: None,
            stats: StreamStats::default(),
            wanted: true,
            at_node: false,
            phase: Phase::Idle,
            was_open: false,
            asked: None,
            anew: false,
            due: now,
            heard: now,
            level: now,
            faults: 0,
            fault_at: None,
            address: None,
        }
    }

    /// Something else is wanted from now on.
    pub(super) fn change(&mut self, wanted: StreamRequest) {
        // What was never asked for is nowhere as it was.
        if self.at_node || self.was_open {
            let before = self.held.take();
            let before = before.unwrap_or_else(|| self.request.clone());
            let is_back = is_same(&before, &wanted) && self.updating.is_none();
            self.held = Some(before).filter(|_| !is_back);
        }
        self.request = wanted;
    }

    /// Whether the node has to be asked to change it.
    pub(super) fn is_to_change(&self) -> bool {
        let is_open = self.wanted && self.phase == Phase::Open;
        is_open && self.held.is_some() && self.updating.is_none()
    }

    /// What to ask the node to change.
    pub(super) fn update(&self) -> Option<StreamUpdate> {
        let held = self.held.as_ref()?;
        Some(StreamUpdate {
            key: held.key.clone(),
            to: difference(held, &self.request),
        })
    }

    /// The node is asked in that request.
    pub(super) fn begin_change(&mut self, request: u64) {
        self.updating = Some((request, self.request.clone()));
    }

    /// Whether that request is the one that asked for a change.
    pub(super) fn is_changing_by(&self, request: u64) -> bool {
        self.updating.as_ref().is_some_and(|(id, _)| *id == request)
    }

    /// The node has changed it; what is wanted may be something else again.
    pub(super) fn changed(&mut self) {
        if let Some((_, now)) = self.updating.take() {
            self.held = Some(now).filter(|now| !is_same(now, &self.request));
        }
    }

    /// The node refused to, and has what it had; what is wanted since may be something else again.
    pub(super) fn not_changed(&mut self) {
        let Some((_, refused)) = self.updating.take() else {
            return;
        };
        let Some(held) = self.held.take() else {
            return;
        };
        if is_same(&refused, &self.request) {
            self.request = held;
        } else {
            self.held = Some(held).filter(|held| !is_same(held, &self.request));
        }
    }

    /// The streams of which the node may have one, now that it is to end.
    pub(super) fn end_keys(&mut self) -> Vec<StreamKey> {
        let asked = self.updating.take().map(|(_, asked)| asked.key);
        let held = self.held.as_ref().map(|held| held.key.clone());
        let mut keys = vec![held.unwrap_or_else(|| self.request.key.clone())];
        keys.extend(asked.filter(|asked| *asked != keys[0]));
        keys
    }

    /// What is wanted is about to be asked for. The levels of another view are no beginning of it.
    pub(super) fn settle(&mut self) {
        self.updating = None;
        let Some(held) = self.held.take() else {
            return;
        };
        if held.key != self.request.key {
            self.begin_anew();
        }
        self.fallback = Some(held);
    }

    /// Its next message is its first.
    pub(super) fn begin_anew(&mut self) {
        self.follower = Follower::new(self.request.key.channel);
        self.end_past();
    }

    /// The node has accepted what was asked for.
    pub(super) fn accepted(&mut self) {
        self.fallback = None;
    }

    /// The node refuses what is wanted for good: back to what it once had, if it had that.
    pub(super) fn fall_back(&mut self) -> bool {
        let Some(fallback) = self.fallback.take() else {
            return false;
        };
        self.held = None;
        if fallback.key != self.request.key {
            self.request = fallback;
            self.begin_anew();
        } else {
            self.request = fallback;
        }
        true
    }

    /// What to ask for now.
    pub(super) fn ask(&self, resume: bool) -> (StreamRequest, Option<Position>) {
        let position = self.follower.resumable().filter(|_| resume && !self.anew);
        let mut request = self.request.clone();
        match position {
            // The past is not over: it goes on from here. What was had comes again at most.
            Some(Position { seq, .. }) if self.is_past() => {
                let behind = i64::from(request.key.channel == Channel::Trades);
                request.start = Some(Start::Seq(Seq(seq.0.saturating_add(behind))));
            }
            Some(Position { epoch, seq }) => request.resume = Some(Resume { epoch, seq }),
            None => {}
        }
        (request, position)
    }

    /// Whether it is sent the past, or is to be.
    pub(super) const fn is_past(&self) -> bool {
        self.request.start.is_some()
    }

    /// The past is over, or not to be had any more.
    pub(super) const fn end_past(&mut self) {
        self.request.start = None;
        self.request.pace = None;
    }

    /// A fault: the stream has to be asked for anew; the first time after `first`, then more and more
    /// slowly, so that a fault that does not go away is no flood.
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
        self.follower.stop();
        self.phase = Phase::Idle;
        self.due = now + delay;
        delay
    }

    /// Whether messages of that instrument may belong to it.
    pub(super) fn is_of(&self, instrument: InstrumentId) -> bool {
        self.address
            .is_some_and(|address| address.instrument == instrument)
    }

    /// Whether it is that stream, or is yet to stop being it.
    pub(super) fn wants(&self, key: &StreamKey) -> bool {
        let held = self.held.as_ref().map(|held| &held.key);
        self.wanted && (self.request.key == *key || held == Some(key))
    }

    /// Whether the node has to be told that it is to end.
    pub(super) fn is_to_end(&self) -> bool {
        self.at_node && (!self.wanted || self.phase == Phase::Idle)
    }

    /// Whether the node has to be asked for it, once it is due.
    pub(super) fn is_to_begin(&self) -> bool {
        self.wanted && !self.at_node && self.phase == Phase::Idle
    }
}

/// Whether both ask for the same, wherever they begin.
fn is_same(one: &StreamRequest, other: &StreamRequest) -> bool {
    one.key == other.key && one.policy == other.policy
}

/// What leads from one request to the other.
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

/// All subscriptions, and which messages belong to them.
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

    /// Whether somebody wants that stream.
    pub(super) fn wanted(&self, key: &StreamKey) -> bool {
        self.iter().any(|entry| entry.wants(key))
    }

    /// Whether another subscription wants that stream.
    pub(super) fn others_want(&self, id: SubscriptionId, key: &StreamKey) -> bool {
        self.iter().any(|entry| entry.id != id && entry.wants(key))
    }

    /// From now on, messages with that address belong to the subscription.
    pub(super) fn route(&mut self, id: SubscriptionId, address: Address) {
        if let Some(slot) = self.by_id.get(&id) {
            self.routes.insert(address, *slot);
            if let Some(entry) = self.slab.get_mut(*slot) {
                entry.address = Some(address);
            }
        }
    }

    /// From now on, no message belongs to the subscription.
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

    /// Forgets those that nobody wants and the node does not have.
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

    /// There is no connection: no stream is followed.
    pub(super) fn lose_all(&mut self) {
        self.routes.clear();
        for entry in self.iter_mut() {
            entry.address = None;
            entry.at_node = false;
            entry.phase = Phase::Idle;
            entry.follower.stop();
        }
        self.sweep();
    }

    /// There is a connection: every stream may be asked for.
    pub(super) fn ask_all(&mut self, now: Instant) {
        for entry in self.iter_mut() {
            entry.due = now;
        }
    }

    /// Those whose node has been behind this client for too long.
    pub(super) fn ahead(&self, now: Instant, longest: Duration) -> Vec<SubscriptionId> {
        self.iter()
            .filter(|entry| entry.phase == Phase::Open && entry.follower.is_ahead())
            .filter(|entry| now.saturating_duration_since(entry.level) >= longest)
            .map(|entry| entry.id)
            .collect()
    }

    /// Those that are open, and have said nothing for too long.
    pub(super) fn mute(&self, now: Instant, longest: Duration) -> Vec<SubscriptionId> {
        self.iter()
            .filter(|entry| entry.phase == Phase::Open)
            .filter(|entry| now.saturating_duration_since(entry.heard) >= longest)
            .map(|entry| entry.id)
            .collect()
    }
}
