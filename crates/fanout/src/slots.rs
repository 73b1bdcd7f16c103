//! Slots for connections that are not sessions yet, and the choice of which to evict.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use market::Monotonic;
use slab::Slab;

use crate::address_table::Block;

/// Bytes of unsent response bodies that the connections of one [`Slots`] may hold, counting a
/// shared body once: eight of the deepest books there are.
const BODY_BYTES: usize = 32 * 1024 * 1024;
/// Time without progress after which a response may be dropped for another.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// A bounded number of slots, one per connection, of which a new connection always gets one.
///
/// When all are taken, a connection is evicted: among those at the lowest [`Stage`], from the
/// address with the most slots, the oldest. A flood therefore evicts itself: silent connections go
/// before those being answered, and an address with many slots before one with few.
///
/// Invariants:
/// - [`Self::make_room`] leaves fewer entries than there are slots.
/// - An address is known as long as it has a slot; `Peer::slots` is their number.
/// - `body_bytes` is the sum over `bodies`, each of which is held by at least one entry.
#[derive(Debug)]
pub struct Slots<H> {
    most: usize,
    entries: Slab<Entry<H>>,
    peers: Slab<Peer>,
    by_block: HashMap<Block, usize>,
    /// By the address of their first byte.
    bodies: HashMap<usize, SharedBody>,
    body_bytes: usize,
    next: u64,
}

/// What a connection is doing, in order of eviction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// About to be closed: it has had its last response, or is being rejected.
    Leaving,
    /// Its handshake is being delayed, because clients at its address have broken rules.
    Delayed,
    /// It has been answered and is kept alive for another request.
    Idle,
    /// It has not sent a complete request head.
    Silent,
    /// Its request is being answered; its age counts from the last progress.
    Busy,
}

/// Identifies an entry of a [`Slots`] among all that it ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId {
    index: usize,
    serial: u64,
}

/// A connection that has lost its slot.
#[derive(Debug, PartialEq, Eq)]
pub struct Evicted<H> {
    /// Ends it, if [`Slots::attach`] was called.
    pub handle: Option<H>,
    /// What it was doing.
    pub stage: Stage,
}

#[derive(Debug)]
struct Entry<H> {
    serial: u64,
    peer: usize,
    stage: Stage,
    since: Monotonic,
    body: Option<usize>,
    handle: Option<H>,
}

#[derive(Debug)]
struct Peer {
    block: Block,
    slots: usize,
}

#[derive(Debug)]
struct SharedBody {
    bytes: usize,
    holders: usize,
}

impl<H> Slots<H> {
    /// Creates `most` slots, at least one.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            entries: Slab::new(),
            peers: Slab::new(),
            by_block: HashMap::new(),
            bodies: HashMap::new(),
            body_bytes: 0,
            next: 0,
        }
    }

    /// Changes the number of slots. [`Self::make_room`] evicts any surplus.
    pub fn set_most(&mut self, most: usize) {
        self.most = most.max(1);
    }

    /// Returns the number of slots taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.entries.len()
    }

    /// Evicts a connection if all slots are taken. Call it until it returns `None`.
    pub fn make_room(&mut self) -> Option<Evicted<H>> {
        if self.entries.len() < self.most {
            return None;
        }
        self.evict()
    }

    /// Returns whether a connection that will be rejected may have a slot: only a free one, or that
    /// of another connection about to be closed.
    #[must_use]
    pub fn has_room_for_leaving(&self) -> bool {
        let is_leaving = |entry: &Entry<H>| entry.stage == Stage::Leaving;
        self.entries.len() < self.most || self.entries.iter().any(|(_, entry)| is_leaving(entry))
    }

    /// Evicts the connection that is first in order of eviction, even if slots are free.
    pub fn evict(&mut self) -> Option<Evicted<H>> {
        // A few thousand entries at most, which takes microseconds.
        let weakest = self.entries.iter().min_by_key(|(_, entry)| {
            let slots = self.peers.get(entry.peer).map_or(0, |peer| peer.slots);
            (entry.stage, std::cmp::Reverse(slots), entry.since)
        });
        let (index, _) = weakest?;
        self.remove(index)
    }

    /// Gives a slot to a new connection.
    pub fn enter(&mut self, address: IpAddr, now: Monotonic) -> SlotId {
        let peer = self.peer(address);
        self.next += 1;
        let serial = self.next;
        let index = self.entries.insert(Entry {
            serial,
            peer,
            stage: Stage::Silent,
            since: now,
            body: None,
            handle: None,
        });
        SlotId { index, serial }
    }

    /// Sets how to end a connection when it is evicted.
    pub fn attach(&mut self, id: SlotId, handle: H) {
        if let Some(entry) = self.entry(id) {
            entry.handle = Some(handle);
        }
    }

    /// Notes that a connection has reached a stage, or makes progress in it.
    pub fn mark(&mut self, id: SlotId, stage: Stage, now: Monotonic) {
        if let Some(entry) = self.entry(id) {
            entry.stage = stage;
            entry.since = now;
            if stage != Stage::Busy {
                self.release_body(id.index);
            }
        }
    }

    /// Notes the client's address, which differs from the connection's behind a balancer.
    pub fn move_to(&mut self, id: SlotId, address: IpAddr) {
        if self.entry(id).is_none() {
            return;
        }
        let peer = self.peer(address);
        let left = self
            .entry(id)
            .map(|entry| std::mem::replace(&mut entry.peer, peer));
        if let Some(left) = left {
            self.leave_peer(left);
        }
    }

    /// Counts the body of a response until the connection leaves the stage `Busy`. Returns false if
    /// there is no room for it; a body always has room if it is the only one.
    pub fn hold_body(&mut self, id: SlotId, body: &[u8]) -> bool {
        if self.entry(id).is_none() {
            return true;
        }
        self.release_body(id.index);
        let place = body.as_ptr().addr();
        let known = self.bodies.contains_key(&place);
        if !known && self.body_bytes > 0 && self.body_bytes + body.len() > BODY_BYTES {
            return false;
        }
        let shared = self.bodies.entry(place).or_insert(SharedBody {
            bytes: body.len(),
            holders: 0,
        });
        shared.holders += 1;
        if !known {
            self.body_bytes += body.len();
        }
        if let Some(entry) = self.entry(id) {
            entry.body = Some(place);
        }
        true
    }

    /// Evicts the connection that holds a body and has made no progress for the longest time, if
    /// that is over a second.
    pub fn evict_stalled(&mut self, now: Monotonic) -> Option<Evicted<H>> {
        let holders = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.body.is_some());
        let (index, entry) = holders.min_by_key(|(_, entry)| entry.since)?;
        if now.since(entry.since) < STALLED_AFTER {
            return None;
        }
        self.remove(index)
    }

    /// Frees a slot.
    pub fn leave(&mut self, id: SlotId) {
        if self.entry(id).is_some() {
            let _left = self.remove(id.index);
        }
    }

    fn entry(&mut self, id: SlotId) -> Option<&mut Entry<H>> {
        let entry = self.entries.get_mut(id.index);
        entry.filter(|entry| entry.serial == id.serial)
    }

    fn remove(&mut self, index: usize) -> Option<Evicted<H>> {
        self.release_body(index);
        let entry = self.entries.try_remove(index)?;
        self.leave_peer(entry.peer);
        Some(Evicted {
            handle: entry.handle,
            stage: entry.stage,
        })
    }

    fn release_body(&mut self, index: usize) {
        let entry = self.entries.get_mut(index);
        let Some(place) = entry.and_then(|entry| entry.body.take()) else {
            return;
        };
        if let Some(shared) = self.bodies.get_mut(&place) {
            shared.holders -= 1;
            if shared.holders == 0 {
                self.body_bytes -= shared.bytes;
                self.bodies.remove(&place);
            }
        }
    }

    /// Returns the peer at an address, counting one more slot.
    fn peer(&mut self, address: IpAddr) -> usize {
        let block = Block::of(address);
        let peers = &mut self.peers;
        let index = *self
            .by_block
            .entry(block)
            .or_insert_with(|| peers.insert(Peer { block, slots: 0 }));
        if let Some(peer) = self.peers.get_mut(index) {
            peer.slots += 1;
        }
        index
    }

    /// Counts one slot less of a peer.
    fn leave_peer(&mut self, index: usize) {
        if let Some(peer) = self.peers.get_mut(index) {
            peer.slots -= 1;
            if peer.slots == 0 {
                self.by_block.remove(&peer.block);
                self.peers.remove(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn at(second: u64) -> Monotonic {
        Monotonic(second * 1_000_000_000)
    }

    /// Slots whose connections are named by their handles.
    struct Room(Slots<&'static str>);

    impl Room {
        fn new(most: usize) -> Self {
            Self(Slots::new(most))
        }

        /// A new connection at a second, and those evicted for it.
        fn come(&mut self, name: &'static str, from: u8, second: u64) -> (SlotId, Vec<&str>) {
            let mut evicted = Vec::new();
            while let Some(one) = self.0.make_room() {
                evicted.extend(one.handle);
            }
            let id = self.0.enter(address(from), at(second));
            self.0.attach(id, name);
            (id, evicted)
        }
    }

    #[test]
    fn a_newcomer_always_gets_a_slot_and_the_oldest_silent_connection_loses_its_own() {
        let mut room = Room::new(2);
        assert_eq!(room.come("first", 1, 1).1, [""; 0]);
        assert_eq!(room.come("second", 2, 2).1, [""; 0]);
        assert_eq!(room.come("third", 3, 3).1, ["first"]);
        assert_eq!(room.come("fourth", 4, 4).1, ["second"]);
        assert_eq!(room.0.taken(), 2);
    }

    #[test]
    fn a_connection_that_is_being_answered_is_given_up_last() {
        let mut room = Room::new(5);
        let (leaving, _) = room.come("leaving", 1, 9);
        let (delayed, _) = room.come("delayed", 5, 9);
        let (idle, _) = room.come("idle", 2, 8);
        room.come("silent", 3, 7);
        let (busy, _) = room.come("busy", 4, 1);
        for (id, stage, second) in [
            (busy, Stage::Busy, 1),
            (idle, Stage::Idle, 8),
            (leaving, Stage::Leaving, 9),
            (delayed, Stage::Delayed, 9),
        ] {
            room.0.mark(id, stage, at(second));
        }
        let order: Vec<_> = std::iter::from_fn(|| room.0.evict())
            .filter_map(|evicted| evicted.handle)
            .collect();
        assert_eq!(order, ["leaving", "delayed", "idle", "silent", "busy"]);
    }

    #[test]
    fn a_connection_that_is_rejected_takes_no_slot_from_one_that_is_not() {
        let mut room = Room::new(2);
        assert!(room.0.has_room_for_leaving());
        let (first, _) = room.come("silent", 1, 1);
        assert!(room.0.has_room_for_leaving());
        room.come("silent too", 2, 2);
        assert!(!room.0.has_room_for_leaving());
        room.0.mark(first, Stage::Idle, at(3));
        assert!(!room.0.has_room_for_leaving());
        room.0.mark(first, Stage::Leaving, at(4));
        assert!(room.0.has_room_for_leaving());
    }

    #[test]
    fn the_address_with_the_most_slots_pays_for_a_newcomer() {
        let mut room = Room::new(4);
        room.come("honest", 1, 1);
        room.come("flood 1", 2, 2);
        room.come("flood 2", 2, 3);
        room.come("flood 3", 2, 4);
        assert_eq!(room.come("flood 4", 2, 5).1, ["flood 1"]);
        assert_eq!(room.come("other", 3, 6).1, ["flood 2"]);
        // All but one have two: the oldest of those with the most goes.
        assert_eq!(room.come("flood 5", 2, 7).1, ["flood 3"]);
    }

    #[test]
    fn four_thousand_silent_connections_cost_an_honest_one_nothing() {
        let mut slots = Slots::new(64);
        let honest = slots.enter(address(1), at(0));
        slots.attach(honest, u32::MAX);
        for number in 0..4000 {
            while let Some(evicted) = slots.make_room() {
                assert_ne!(evicted.handle, Some(u32::MAX));
            }
            let id = slots.enter(address(2), at(1));
            slots.attach(id, number);
        }
        slots.mark(honest, Stage::Busy, at(2));
        assert_eq!(slots.taken(), 64);
    }

    #[test]
    fn a_slot_that_was_lost_is_not_that_of_the_next_connection_in_its_place() {
        let mut room = Room::new(1);
        let (first, _) = room.come("first", 1, 1);
        let (second, _) = room.come("second", 1, 2);
        room.0.leave(first);
        room.0.mark(first, Stage::Leaving, at(3));
        room.0.move_to(first, address(9));
        assert_eq!(room.0.taken(), 1);
        room.0.leave(second);
        assert_eq!(room.0.taken(), 0);
        assert!(room.0.peers.is_empty() && room.0.by_block.is_empty());
    }

    #[test]
    fn behind_a_balancer_the_address_of_the_client_counts() {
        let mut room = Room::new(3);
        let ids = ["a", "b", "c"].map(|name| room.come(name, 1, 1).0);
        room.0.move_to(ids[0], address(7));
        room.0.move_to(ids[1], address(8));
        room.0.move_to(ids[2], address(8));
        assert_eq!(room.come("d", 1, 2).1, ["b"]);
        assert_eq!(room.0.peers.len(), 3);
    }

    #[test]
    fn fewer_slots_after_a_reload_evict_what_is_too_much() {
        let mut room = Room::new(4);
        for name in ["a", "b", "c", "d"] {
            room.come(name, 1, 1);
        }
        room.0.set_most(2);
        assert_eq!(room.come("e", 1, 2).1, ["a", "b", "c"]);
    }

    #[test]
    fn bodies_that_nobody_reads_are_bounded_and_a_shared_one_counts_once() {
        let mut slots = Slots::new(100);
        let (half, more) = (vec![0; BODY_BYTES / 2], vec![0; BODY_BYTES / 2 + 1]);
        let ids: Vec<_> = (0..6_u32)
            .map(|number| {
                let id = slots.enter(address(1), at(0));
                slots.attach(id, number);
                slots.mark(id, Stage::Busy, at(u64::from(number)));
                id
            })
            .collect();
        for id in &ids[..5] {
            assert!(slots.hold_body(*id, &half), "shared");
        }
        assert!(!slots.hold_body(ids[5], &more));
        // A response that makes progress is kept.
        assert_eq!(
            slots.evict_stalled(at(1)).and_then(|one| one.handle),
            Some(0)
        );
        assert_eq!(slots.evict_stalled(at(1)), None);
        for id in &ids[1..5] {
            assert!(!slots.hold_body(ids[5], &more));
            slots.mark(*id, Stage::Idle, at(9));
        }
        assert!(slots.hold_body(ids[5], &more));
        assert!(!slots.hold_body(ids[1], &half), "no room beside it");
        slots.leave(ids[5]);
        assert_eq!((slots.body_bytes, slots.bodies.len()), (0, 0));
        assert!(
            slots.hold_body(ids[1], &vec![0; 2 * BODY_BYTES]),
            "alone it has room"
        );
    }
}
