//! The admin listener: metrics, health, readiness, drain.
//!
//! Invariants:
//! - Nothing that a client sends is read beyond the head of its request.
//! - A client that is slow or silent costs one of [`CONNECTIONS`] for a bounded time, and never keeps
//!   another one waiting: when all are taken, the oldest silent one is closed for the newcomer.
//!
//! In reading order: [`routes`] and [`status`], what is answered; and the listener below.

mod routes;
mod status;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanout::{SlotId, Slots, Stage, monotonic};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::logging::Recent;
use crate::readiness::Readiness;

/// Connections at a time: a few scrapers, probes and people.
const CONNECTIONS: usize = 64;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest head of a request, and what is written at a time: hyper's least is 8 KiB.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a connection may last; scrapers connect again.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
/// How long an answer in the making may take once its connection is to end.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// The pause after a connection could not be accepted and there was none to close for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that are accepted before those that there are have their turn.
const ACCEPTS_A_TURN: usize = 16;

/// See [`AdminState::reload`].
pub(crate) type Reload = Box<dyn Fn() -> anyhow::Result<Vec<String>> + Send + Sync>;

/// What the admin listener shows and does.
pub(crate) struct AdminState {
    /// The metrics.
    pub(crate) registry: Arc<Registry>,
    /// Whether the node is ready and its publishers are alive.
    pub(crate) readiness: Arc<Readiness>,
    /// The last warnings and errors.
    pub(crate) recent: Recent,
    /// Takes the configuration over anew; the keys that need a restart, or why not.
    pub(crate) reload: Reload,
    /// Begins the drain; called at most once, and not when the node drains already.
    pub(crate) drain: Box<dyn Fn() + Send + Sync>,
}

/// Answers until `shutdown` is done, then ends the connections.
pub(crate) async fn serve(
    listener: TcpListener,
    state: Arc<AdminState>,
    shutdown: impl Future<Output = ()>,
) {
    let slots = Arc::new(Mutex::new(Slots::new(CONNECTIONS)));
    let (closing, is_closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut accepted = 0;
    loop {
        accepted += 1;
        if accepted % ACCEPTS_A_TURN == 0 {
            tokio::task::yield_now().await;
        }
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an admin connection");
                    let evicted = lock(&slots).evict();
                    if let Some(task) = evicted.and_then(|evicted| evicted.handle) {
                        task.abort();
                    } else {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            },
        };
        let slot = Slot::take(&slots, peer.ip());
        let id = slot.id;
        let state = Arc::clone(&state);
        let is_closing = is_closing.clone();
        let task = connections.spawn(connection(stream, state, slot, is_closing));
        lock(&slots).attach(id, task);
        // Those that have ended are taken out, so that the set stays as small as the slots.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.send_replace(true);
    while connections.join_next().await.is_some() {}
}

type AdminSlots = Mutex<Slots<AbortHandle>>;

/// A connection's slot; given back when dropped.
struct Slot {
    slots: Arc<AdminSlots>,
    id: SlotId,
}

impl Slot {
    /// A slot for a newcomer, at the cost of the connection that is given up first if there is none.
    fn take(slots: &Arc<AdminSlots>, address: IpAddr) -> Self {
        let mut all = lock(slots);
        while let Some(evicted) = all.make_room() {
            if let Some(task) = evicted.handle {
                task.abort();
            }
        }
        let id = all.enter(address, monotonic());
        Self {
            slots: Arc::clone(slots),
            id,
        }
    }

    /// A request has come. From then on the connection is given up after those that are silent.
    fn asked(&self) {
        lock(&self.slots).mark(self.id, Stage::Busy, monotonic());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.slots).leave(self.id);
    }
}

/// A panic elsewhere leaves the slots whole.
fn lock(slots: &AdminSlots) -> MutexGuard<'_, Slots<AbortHandle>> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn connection(
    stream: TcpStream,
    state: Arc<AdminState>,
    slot: Slot,
    mut is_closing: watch::Receiver<bool>,
) {
    let answer = service_fn(|request| {
        slot.asked();
        let answer = routes::answer(&state, &request);
        async move { Ok::<_, std::convert::Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        _ = is_closing.wait_for(|closing| *closing) => None,
        () = tokio::time::sleep(CONNECTION_LIFETIME) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(LAST_ANSWER, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        // A client's doing: a time-out, a broken request, a closed socket.
        tracing::debug!(%error, "an admin connection failed");
    }
}
