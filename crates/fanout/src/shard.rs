//! One shard: a thread, its connections and its subscriber lists.

mod pump;
mod reader;
mod requests;
mod state;
mod subscribers;
mod sweep;

use std::cell::{Cell, RefCell};
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use metrics::ShardMetrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::LocalSet;
use wire::{Encoding, GoAwayReason};

use crate::directory::Directory;
use crate::handshake::{self, Pages};
use crate::link::{Delivery, ShardLinks};
use crate::seats::{Seat, Seats};
use crate::settings::Settings;
use state::State;

/// Connections of one shard that are not sessions yet: handshakes, and whoever loads the page. At
/// about 20 KiB each they may hold 20 MiB; who comes beyond waits in the listener's backlog.
const MAX_HANDSHAKES: usize = 1024;
/// Deliveries that are taken in before sessions are sent to: what came meanwhile goes along.
const DELIVERIES_A_TURN: usize = 256;
/// How often pings, deadlines and waiting commands are looked at.
const SWEEP: Duration = Duration::from_millis(250);
/// How long sessions are given, after the close frame, to close as well.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// What a node tells its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Serve.
    Serving,
    /// Say `GoAway`, let no new session in, close all after the delay, and end.
    Stopping {
        reason: GoAwayReason,
        delay: Duration,
    },
}

/// What all shards of a node share.
pub(crate) struct Common {
    pub(crate) settings: Settings,
    pub(crate) directory: Arc<Directory>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) pages: Pages,
}

/// One shard, on its own thread.
pub(crate) struct Shard {
    common: Arc<Common>,
    metrics: Arc<ShardMetrics>,
    state: RefCell<State>,
    draining: Cell<bool>,
}

/// Runs a shard until it has stopped.
pub(crate) async fn run(
    index: usize,
    common: Arc<Common>,
    metrics: Arc<ShardMetrics>,
    links: ShardLinks,
    listener: StdListener,
    mut life: watch::Receiver<Life>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let state = State::new(
        index,
        &common.settings,
        Arc::clone(&metrics),
        links.publishers,
    );
    let shard = Rc::new(Shard {
        common,
        metrics,
        state: RefCell::new(state),
        draining: Cell::new(false),
    });
    let local = LocalSet::new();
    let acceptor = local.spawn_local(accept_all(Rc::clone(&shard), listener));
    let sender = local.spawn_local(send_all(Rc::clone(&shard), links.inbox));
    let sweeper = local.spawn_local(sweep_all(Rc::clone(&shard)));
    local
        .run_until(async {
            let stopping = life.wait_for(|life| *life != Life::Serving).await;
            let (reason, delay) = match stopping.as_deref() {
                Ok(Life::Stopping { reason, delay }) => (*reason, *delay),
                // The node itself is gone.
                _ => (GoAwayReason::Shutdown, Duration::ZERO),
            };
            drop(stopping);
            acceptor.abort();
            shard.stop(reason, delay).await;
            sender.abort();
            sweeper.abort();
        })
        .await;
    Ok(())
}

async fn accept_all(shard: Rc<Shard>, listener: TcpListener) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((io, _)) => {
                let shard = Rc::clone(&shard);
                tokio::task::spawn_local(async move {
                    let _ended = io.set_nodelay(true);
                    handshake::serve(shard, io, permit).await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: some close soon.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn send_all(shard: Rc<Shard>, mut inbox: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = inbox.recv().await {
        let mut state = shard.state.borrow_mut();
        state.take_in(delivery);
        for _ in 1..DELIVERIES_A_TURN {
            let Ok(delivery) = inbox.try_recv() else {
                break;
            };
            state.take_in(delivery);
        }
        state.send_to_all();
    }
}

async fn sweep_all(shard: Rc<Shard>) {
    let mut every = tokio::time::interval(SWEEP);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        shard.state.borrow_mut().sweep();
    }
}

impl Shard {
    pub(crate) fn settings(&self) -> &Settings {
        &self.common.settings
    }

    pub(crate) fn metrics(&self) -> &ShardMetrics {
        &self.metrics
    }

    pub(crate) fn seats(&self) -> &Arc<Seats> {
        &self.common.seats
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.common.pages
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Serves one session until it has ended.
    pub(crate) async fn run_session(
        &self,
        io: TcpStream,
        read_ahead: &[u8],
        encoding: Encoding,
        seat: Seat,
    ) {
        if let Some(bytes) = self.common.settings.send_buffer {
            let _kept = socket2::SockRef::from(&io).set_send_buffer_size(bytes);
        }
        let io = Rc::new(io);
        let (index, token) = self.state.borrow_mut().open(Rc::clone(&io), encoding, seat);
        if self.is_draining() {
            // The node began to stop between the handshake and now.
            self.state.borrow_mut().close_restart(index);
        }
        reader::read(self, &io, index, token, read_ahead).await;
        self.state.borrow_mut().remove(index, token);
    }

    async fn stop(&self, reason: GoAwayReason, delay: Duration) {
        self.draining.set(true);
        self.state.borrow_mut().say_go_away(reason, delay);
        tokio::time::sleep(delay).await;
        self.state.borrow_mut().close_all();
        let grace = async {
            while !self.state.borrow().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _left = tokio::time::timeout(CLOSE_GRACE, grace).await;
    }
}
