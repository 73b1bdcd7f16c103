//! Connections on their way to be sessions.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};

use super::Shard;
use crate::handshake;

/// Connections of one shard that are not sessions yet: handshakes, and whoever loads the page. At
/// about 20 KiB each they may hold 5 MiB; who comes beyond waits in the listener's backlog.
const MAX_HANDSHAKES: usize = 256;
/// Connections that one shard was handed by others and has not taken yet.
const HANDED: usize = 256;
/// How many connections more than the least loaded shard another may have: the kernel divides
/// connections by a hash, which leaves a few clients uneven and many clients even enough.
const UNEVEN: usize = 8;

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

/// Serves every connection that comes, so many at a time, until it is a session or has ended.
pub(super) async fn accept_all(
    shard: Rc<Shard>,
    listener: TcpListener,
    mut handed: mpsc::Receiver<std::net::TcpStream>,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else {
            return;
        };
        let io = tokio::select! {
            Some(io) = handed.recv() => TcpStream::from_std(io).ok(),
            accepted = listener.accept() => match accepted {
                Ok((io, _)) => shard.common.balance.hand(shard.index, io),
                Err(error) => {
                    // Out of file descriptors, most likely: some close soon.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    None
                }
            },
        };
        let Some(io) = io else { continue };
        let _ended = io.set_nodelay(true);
        let shard = Rc::clone(&shard);
        shard.common.balance.enter(shard.index);
        tokio::task::spawn_local(async move {
            // A session leaves when it ends.
            if !handshake::serve(&shard, io, permit).await {
                shard.common.balance.leave(shard.index);
            }
        });
    }
}
