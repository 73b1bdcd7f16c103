//! Accepting connections and giving them slots until they become sessions.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use market::Monotonic;
use metrics::label::HandshakeRefusal;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::clock::monotonic;
use crate::connection_slot::{ConnectionSlot, ShardSlots, end};
use crate::handshake::{self, Arrival};
use crate::settings::Settings;
use crate::shard::Shard;
use crate::slots::Stage;

/// Minimum and maximum slots per shard, whatever its share of `limits.handshakes`. A silent
/// connection costs about 4 KiB and one that sends a head about 20 KiB, 80 MiB at most.
const LEAST_SLOTS: usize = 4;
const MOST_SLOTS: usize = 4096;
/// Connections accepted before the shard's sessions get their turn: about a millisecond of work.
const ACCEPTS_A_TURN: usize = 32;
/// Pause when a connection cannot be accepted and none can be evicted for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Minimum time between log lines of a failing listener.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// Counts a connection of the shard until it is dropped, or until it becomes a session, which
/// counts itself.
struct Entered {
    shard: Rc<Shard>,
    stays: bool,
}

impl Entered {
    fn new(shard: &Rc<Shard>) -> Self {
        shard.balance().enter(shard.index());
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
        // A session counts itself out when it ends.
        if !self.stays {
            self.shard.balance().leave(self.shard.index());
        }
    }
}

/// Accepts connections, and serves each until it becomes a session or ends. A new connection never
/// waits for existing ones: when all slots are taken, one of them is evicted.
pub(crate) async fn accept_all(
    shard: Rc<Shard>,
    listener: TcpListener,
    mut handed: mpsc::Receiver<std::net::TcpStream>,
) {
    let mut most = share(&shard.settings());
    let slots = Rc::new(RefCell::new(ShardSlots::new(most)));
    let mut spare = Spare::new();
    let mut accepted = 0;
    loop {
        // Evicted connections are closed in between, so that fewer of them are pending than there
        // are slots.
        accepted += 1;
        if accepted >= ACCEPTS_A_TURN.min(most) {
            accepted = 0;
            tokio::task::yield_now().await;
        }
        let io = tokio::select! {
            Some(io) = handed.recv() => TcpStream::from_std(io).ok(),
            accepted = listener.accept() => match accepted {
                Ok((io, _)) => shard.balance().hand(shard.index(), io),
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
            shard.metrics().handshakes_refused[HandshakeRefusal::Io].inc();
            continue;
        };
        let settings = shard.settings();
        let Some(arrival) = Arrival::new(&shard, &settings, peer) else {
            continue;
        };
        most = share(&settings);
        slots.borrow_mut().set_most(most);
        if arrival.is_too_much() && !slots.borrow().has_room_for_leaving() {
            // Its answer is not worth evicting another connection for.
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
        let slot = ConnectionSlot::new(Rc::clone(&shard), Rc::clone(&slots), id);
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

/// Returns a shard's share of the node's slots.
fn share(settings: &Settings) -> usize {
    let share = settings.handshakes.div_ceil(settings.shards.max(1));
    share.clamp(LEAST_SLOTS, MOST_SLOTS)
}

/// A descriptor kept in reserve. When none is left, it allows a connection to be accepted and
/// closed, so that its client does not wait in vain and later ones get their turn.
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

    /// Closes a connection that cannot be served for lack of descriptors.
    async fn shed(&mut self, listener: &TcpListener, error: &io::Error, freed: bool) {
        let now = monotonic();
        let is_news = self.warned.is_none_or(|at| now.since(at) >= WARN_EVERY);
        if is_news {
            self.warned = Some(now);
            tracing::warn!(%error, "cannot accept a connection");
        }
        if self.file.take().is_some() {
            // At most one; the listener is not waited for.
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
