use std::collections::HashMap;
use std::time::{Duration, Instant};

use market::{Channel, InstrumentId, Position, Seq};
use slab::Slab;
use wire::View;
use wire::control::{Resume, Start, StreamKey, StreamRequest};

use crate::random::Random;
use crate::stream::Follower;
use crate::{Config, StreamStats, SubscriptionId};

/// A stream that had no fault for this long begins to count anew.
const FORGIVEN: Duration = Duration::from_secs(60);

/// One subscription.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: SubscriptionId,
    /// What is asked for, without the position.
    pub(super) request: StreamRequest,
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

    /// Whether the node has to be told that it is to end.
    pub(super) fn is_to_end(&self) -> bool {
        self.at_node && (!self.wanted || self.phase == Phase::Idle)
    }

    /// Whether the node has to be asked for it, once it is due.
    pub(super) fn is_to_begin(&self) -> bool {
        self.wanted && !self.at_node && self.phase == Phase::Idle
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
        self.iter()
            .any(|entry| entry.wanted && entry.request.key == *key)
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
