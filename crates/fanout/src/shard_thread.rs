//! The thread of one shard: accepts connections, serves sessions, and stops when the node does.

use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;

use metrics::ShardMetrics;
use mio::Poll;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::LocalSet;

use crate::accept;
use crate::link::ShardLinks;
use crate::shard::{Lifecycle, Shard, ShardContext, SocketPoll};

/// Runs a shard until it has stopped.
pub(crate) async fn run(
    index: usize,
    common: Arc<ShardContext>,
    metrics: Arc<ShardMetrics>,
    links: ShardLinks,
    listener: StdListener,
    handed: mpsc::Receiver<std::net::TcpStream>,
    life: watch::Receiver<Lifecycle>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let poll = Poll::new()?;
    let registry = poll.registry().try_clone()?;
    let shard = Rc::new(Shard::new(
        index,
        common,
        metrics,
        links.publishers,
        registry,
    ));
    let local = LocalSet::new();
    let acceptor = local.spawn_local(accept::accept_all(Rc::clone(&shard), listener, handed));
    let _stopper = local.spawn_local(stop_on_signal(Rc::clone(&shard), life, acceptor));
    // Not a task, so that the runtime polls its sockets after every turn, however busy.
    local
        .run_until(shard.pump(SocketPoll::new(poll)?, links.inbox))
        .await
}

async fn stop_on_signal(
    shard: Rc<Shard>,
    mut life: watch::Receiver<Lifecycle>,
    acceptor: tokio::task::JoinHandle<()>,
) {
    let stopping = life.wait_for(|life| *life != Lifecycle::Serving).await;
    // If the sender was dropped, the node itself is gone.
    let stopping = stopping.map_or(Lifecycle::GONE, |life| *life);
    acceptor.abort();
    shard.stop(stopping);
}
