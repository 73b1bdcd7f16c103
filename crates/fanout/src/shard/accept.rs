//! Connections on their way to be sessions.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use market::Monotonic;
use metrics::label::HandshakeRefusal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::Shard;
use crate::clock::monotonic;
use crate::handshake::{self, Arrival};
use crate::settings::Settings;
use crate::slots::{Evicted, SlotId, Slots, Stage};

/// The fewest and the most slots of a shard, whatever its share of `limits.handshakes`. A silent one
/// costs some 4 KiB in all, one that sends a head some 20 KiB: 80 MiB at the very most.
const LEAST_SLOTS: usize = 4;
const MOST_SLOTS: usize = 4096;
/// Connections that one shard was handed by others and has not taken yet.
const HANDED: usize = 32;
/// How many connections more than the least loaded shard another may have: the kernel divides
/// connections by a hash, which leaves a few clients uneven and many clients even enough.
const UNEVEN: usize = 8;
/// Connections that are accepted before the shard's sessions have their turn: about a millisecond.
const ACCEPTS_A_TURN: usize = 32;
/// The pause when a connection cannot be accepted and there is nothing to give up for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// How the shards of a node share connections.
pub(crate) struct Balance {
    shards: Vec<Share>,
}

struct Share {
    /// Connections that it has or is being handed.
    connections: AtomicUsize,
    hand: mpsc::Sender<std::net::TcpStream>,
}

impl Balance {
    /// For so many shards; each is given what the others hand it.
    pub(crate) fn new(shards: usize) -> (Self, Vec<mpsc::Receiver<std::net::TcpStream>>) {
        let (shards, handed) = (0..shards)
            .map(|_| {
                let (hand, handed) = mpsc::channel(HANDED);
                let connections = AtomicUsize::new(0);
                (Share { connections, hand }, handed)
            })
            .unzip();
        (Self { shards }, handed)
    }

    /// A shard has one connection more.
    fn enter(&self, shard: usize) {
        if let Some(share) = self.shards.get(shard) {
            share.connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A shard has one connection less.
    pub(crate) fn leave(&self, shard: usize) {
        if let Some(share) = self.shards.get(shard) {
            share.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Hands a connection to the shard that has the fewest, if that has far fewer than this one.
    /// What it cannot take is this one's own.
    fn hand(&self, from: usize, io: TcpStream) -> Option<TcpStream> {
        let count = |share: &Share| share.connections.load(Ordering::Relaxed);
        let Some(least) = self.shards.iter().min_by_key(|share| count(share)) else {
            return Some(io);
        };
        let own = self.shards.get(from).map_or(0, count);
        if own <= count(least) + UNEVEN {
            return Some(io);
        }
        let Ok(place) = least.hand.try_reserve() else {
            return Some(io);
        };
        if let Ok(io) = io.into_std() {
            place.send(io);
        }
        None
    }
}

/// How often a listener that fails is logged.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// The slots of a shard's connections that are not sessions yet.
type ShardSlots = Slots<AbortHandle>;

/// A connection's slot; given back when dropped.
pub(crate) struct Slot {
    shard: Rc<Shard>,
    slots: Rc<RefCell<ShardSlots>>,
    id: SlotId,
}

impl Slot {
    /// The connection has come to a stage, or makes progress in it.
    pub(crate) fn mark(&self, stage: Stage) {
        self.slots.borrow_mut().mark(self.id, stage, monotonic());
    }

    /// The connection comes from another address, behind a balancer.
    pub(crate) fn move_to(&self, address: IpAddr) {
        self.slots.borrow_mut().move_to(self.id, address);
    }

    /// Counts the body of a response. Returns false if too much is held already for clients that
    /// are reading theirs; those that do not read lose theirs.
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

    /// Gives the slot back: the connection is a session.
    pub(crate) fn leave(&self) {
        self.slots.borrow_mut().leave(self.id);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Ends a connection that has lost its slot.
fn end(shard: &Shard, evicted: Evicted<AbortHandle>) {
    // One that was rejected is counted as that.
    if evicted.stage != Stage::Leaving {
        shard.metrics.handshakes_refused[HandshakeRefusal::Evicted].inc();
    }
    if let Some(task) = evicted.handle {
        task.abort();
    }
}

/// One connection more of a shard; one less when dropped, unless it has become a session.
struct Entered {
    shard: Rc<Shard>,
    stays: bool,
}

impl Entered {
    fn new(shard: &Rc<Shard>) -> Self {
        shard.common.balance.enter(shard.index);
        Self {
            shard: Rc::clone(shard),
            stays: false,
        }
    }

    fn stay(&mut self) {
        self.stays = true;
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        // A session leaves when it ends.
        if !self.stays {
            self.shard.common.balance.leave(self.shard.index);
        }
    }
}

/// Serves every connection that comes until it is a session or has ended. A newcomer never waits
/// for those that are there: when all slots are taken, one of them is evicted for it.
pub(super) async fn accept_all(
    shard: Rc<Shard>,
    listener: TcpListener,
    mut handed: mpsc::Receiver<std::net::TcpStream>,
) {
    let mut most = share(&shard.settings());
    let slots = Rc::new(RefCell::new(ShardSlots::new(most)));
    let mut spare = Spare::new();
    let mut accepted = 0;
    loop {
        // Those that were evicted are closed in between, so that no more of them wait for that than
        // there are slots.
        accepted += 1;
        if accepted >= ACCEPTS_A_TURN.min(most) {
            accepted = 0;
            tokio::task::yield_now().await;
        }
        let io = tokio::select! {
            Some(io) = handed.recv() => TcpStream::from_std(io).ok(),
            accepted = listener.accept() => match accepted {
                Ok((io, _)) => shard.common.balance.hand(shard.index, io),
                Err(error) => {
                    let evicted = slots.borrow_mut().evict();
                    let freed = evicted.is_some();
                    if let Some(evicted) = evicted {
                        end(&shard, evicted);
                    }
                    spare.shed(&listener, &error, freed).await;
                    None
                }
            },
        };
        let Some(io) = io else { continue };
        let Ok(peer) = io.peer_addr() else {
            shard.metrics.handshakes_refused[HandshakeRefusal::Io].inc();
            continue;
        };
        let settings = shard.settings();
        let Some(arrival) = Arrival::new(&shard, &settings, peer) else {
            continue;
        };
        most = share(&settings);
        slots.borrow_mut().set_most(most);
        if arrival.is_too_much() && !slots.borrow().has_room_for_leaving() {
            // Its answer is not worth the place of another one.
            continue;
        }
        loop {
            let evicted = slots.borrow_mut().make_room();
            let Some(evicted) = evicted else { break };
            end(&shard, evicted);
        }
        let id = slots.borrow_mut().enter(peer.ip(), monotonic());
        if arrival.is_too_much() {
            slots.borrow_mut().mark(id, Stage::Leaving, monotonic());
        }
        let slot = Slot {
            shard: Rc::clone(&shard),
            slots: Rc::clone(&slots),
            id,
        };
        let mut entered = Entered::new(&shard);
        let task = tokio::task::spawn_local(async move {
            let shard = Rc::clone(&entered.shard);
            if handshake::serve(&shard, settings, io, arrival, slot).await {
                entered.stay();
            }
        });
        slots.borrow_mut().attach(id, task.abort_handle());
    }
}

/// A shard's share of the node's slots.
fn share(settings: &Settings) -> usize {
    let share = settings.handshakes.div_ceil(settings.shards.max(1));
    share.clamp(LEAST_SLOTS, MOST_SLOTS)
}

/// A descriptor that is kept for when there are no others: with it a connection can be accepted and
/// closed, so that its client does not wait in vain and those after it get their turn.
struct Spare {
    file: Option<File>,
    warned: Option<Monotonic>,
}

impl Spare {
    fn new() -> Self {
        Self {
            file: Self::open(),
            warned: None,
        }
    }

    fn open() -> Option<File> {
        File::open("/dev/null").ok()
    }

    /// Closes a connection that cannot be served, for want of descriptors.
    async fn shed(&mut self, listener: &TcpListener, error: &io::Error, freed: bool) {
        let now = monotonic();
        let is_news = self.warned.is_none_or(|at| now.since(at) >= WARN_EVERY);
        if is_news {
            self.warned = Some(now);
            tracing::warn!(%error, "cannot accept a connection");
        }
        if self.file.take().is_some() {
            // One at most: the listener is not waited for.
            tokio::select! {
                biased;
                _closed = listener.accept() => {}
                () = std::future::ready(()) => {}
            }
            self.file = Self::open();
        }
        if !freed && self.file.is_none() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}
