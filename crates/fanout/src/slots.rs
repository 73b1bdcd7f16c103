//! Connections that are not sessions yet, and which of them has to make room for a newcomer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use market::Monotonic;
use slab::Slab;

use crate::address_table::Block;

/// Bytes of response bodies that the connections of one [`Slots`] may hold unsent, a body that
/// several of them share counted once: eight of the deepest books there are.
const BODY_BYTES: usize = 32 * 1024 * 1024;
/// How long a response may make no progress before it may be dropped for another one.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// A bounded number of connections, one slot each, where a newcomer always gets one.
///
/// When all are taken, one connection loses its slot: of those at the lowest [`Stage`], one from the
/// address with the most slots, and of these the one that has been there longest. So a flood evicts
/// itself: silent connections go before those that are being answered, and an address with many
/// goes before one with few.
///
/// Invariants:
/// - [`Self::make_room`] leaves fewer entries than there are slots.
/// - An address is known as long as it has a slot; `Peer::slots` is how many it has.
/// - `body_bytes` is the sum over `bodies`, each of which has at least one entry that holds it.
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

/// What a connection that has a slot is doing, from what is given up first to what is given up last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has had its last response, or is about to be rejected, and is about to be closed.
    Leaving,
    /// Its handshake is delayed, since clients at its address broke rules lately.
    Delayed,
    /// It has been answered and keeps the connection for another request.
    Idle,
    /// It has not sent a whole request head.
    Silent,
    /// Its request is being answered. Time counts from the last progress.
    Busy,
}

/// One entry of a [`Slots`], never mistaken for a later one in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId {
    index: usize,
    serial: u64,
}

/// A connection that has lost its slot.
#[derive(Debug, PartialEq, Eq)]
pub struct Evicted<H> {
    /// What ends it, if [`Slots::attach`] was called.
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
    /// So many slots, and at least one.
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

    /// Changes the number of slots. [`Self::make_room`] evicts what is too much.
    pub fn set_most(&mut self, most: usize) {
        self.most = most.max(1);
    }

    /// How many slots are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.entries.len()
    }

    /// Evicts a connection if all slots are taken; to be called until it returns `None`.
    pub fn make_room(&mut self) -> Option<Evicted<H>> {
        if self.entries.len() < self.most {
            return None;
        }
        self.evict()
    }

    /// Returns whether a connection that is going to be rejected may have a slot: only a free one, or that
    /// of another one that is leaving.
    #[must_use]
    pub fn has_room_for_leaving(&self) -> bool {
        let is_leaving = |entry: &Entry<H>| entry.stage == Stage::Leaving;
        self.entries.len() < self.most || self.entries.iter().any(|(_, entry)| is_leaving(entry))
    }

    /// Evicts the connection that is given up first, whether or not all slots are taken.
    pub fn evict(&mut self) -> Option<Evicted<H>> {
        // All are looked at: some thousand at most, a few microseconds.
        let weakest = self.entries.iter().min_by_key(|(_, entry)| {
            let slots = self.peers.get(entry.peer).map_or(0, |peer| peer.slots);
            (entry.stage, std::cmp::Reverse(slots), entry.since)
        });
        let (index, _) = weakest?;
        self.remove(index)
    }

    /// Gives a slot to a connection that has sent nothing yet.
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

    /// Says how a connection is ended when it is evicted.
    pub fn attach(&mut self, id: SlotId, handle: H) {
        if let Some(entry) = self.entry(id) {
            entry.handle = Some(handle);
        }
    }

    /// A connection has come to a stage, or makes progress in it.
    pub fn mark(&mut self, id: SlotId, stage: Stage, now: Monotonic) {
        if let Some(entry) = self.entry(id) {
            entry.stage = stage;
            entry.since = now;
            if stage != Stage::Busy {
                self.release_body(id.index);
            }
        }
    }

    /// A connection turns out to come from another address, behind a balancer.
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

    /// Counts the body of a response, until the connection is at another stage than `Busy`. Returns
    /// false if there is no room for it; a body that is alone always has room.
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

    /// Evicts the connection that holds a body and has made no progress for the longest time, if that
    /// is longer than a second.
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

    /// Gives a slot back.
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

    /// The peer at an address, with one slot more.
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

    /// The peer has one slot less.
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

        /// A connection comes at that second; those that were evicted for it.
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
        // Two of each but one: the oldest of those with the most.
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
        // Who makes progress keeps its response; who does not has had its time.
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
