//! Balancing connections between the shards of a node.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Connections passed to a shard by others that it has not taken yet.
const HANDED: usize = 32;
/// Connections that a shard may have beyond the least loaded one. The kernel distributes connections by a
/// hash, which is uneven for a few clients and even enough for many.
const UNEVEN: usize = 8;

/// How many connections each shard of a node has, and the way to pass connections between them.
pub(crate) struct Balance {
    shards: Vec<Share>,
}

struct Share {
    /// Connections that it has or is being passed.
    connections: AtomicUsize,
    hand: mpsc::Sender<std::net::TcpStream>,
}

impl Balance {
    /// Creates a balance for a number of shards, and the receivers of the connections passed to each.
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

    /// Counts a new connection of a shard.
    pub(crate) fn enter(&self, shard: usize) {
        if let Some(share) = self.shards.get(shard) {
            share.connections.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts the end of a connection of a shard.
    pub(crate) fn leave(&self, shard: usize) {
        if let Some(share) = self.shards.get(shard) {
            share.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Passes a connection to the shard with the fewest, if that has far fewer than this one. Returns it if
    /// this shard has to keep it.
    pub(crate) fn hand(&self, from: usize, io: TcpStream) -> Option<TcpStream> {
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
