//! The slot of a connection that is not a session yet.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use metrics::label::HandshakeRefusal;
use tokio::task::AbortHandle;

use crate::clock::monotonic;
use crate::shard::Shard;
use crate::slots::{Evicted, SlotId, Slots, Stage};

/// The slots of a shard's connections that are not sessions yet.
pub(crate) type ShardSlots = Slots<AbortHandle>;

/// A connection's slot, freed when dropped.
pub(crate) struct ConnectionSlot {
    shard: Rc<Shard>,
    slots: Rc<RefCell<ShardSlots>>,
    id: SlotId,
}

impl ConnectionSlot {
    pub(crate) const fn new(shard: Rc<Shard>, slots: Rc<RefCell<ShardSlots>>, id: SlotId) -> Self {
        Self { shard, slots, id }
    }

    /// Notes that the connection has reached a stage, or makes progress in it.
    pub(crate) fn mark(&self, stage: Stage) {
        self.slots.borrow_mut().mark(self.id, stage, monotonic());
    }

    /// Notes the client's address, which differs from the connection's behind a balancer.
    pub(crate) fn move_to(&self, address: IpAddr) {
        self.slots.borrow_mut().move_to(self.id, address);
    }

    /// Counts the body of a response. Evicts connections that do not read theirs; returns false if too
    /// much is held even so.
    pub(crate) fn hold_body(&self, body: &[u8]) -> bool {
        while !self.slots.borrow_mut().hold_body(self.id, body) {
            let stalled = self.slots.borrow_mut().evict_stalled(monotonic());
            let Some(stalled) = stalled else {
                return false;
            };
            end(&self.shard, stalled);
        }
        true
    }

    /// Frees the slot, once the connection is a session.
    pub(crate) fn leave(&self) {
        self.slots.borrow_mut().leave(self.id);
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Ends a connection that has been evicted from its slot.
pub(crate) fn end(shard: &Shard, evicted: Evicted<AbortHandle>) {
    // A rejected connection has been counted already.
    if evicted.stage != Stage::Leaving {
        shard.metrics().handshakes_refused[HandshakeRefusal::Evicted].inc();
    }
    if let Some(task) = evicted.handle {
        task.abort();
    }
}
