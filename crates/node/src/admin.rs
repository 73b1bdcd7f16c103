//! The admin listener: metrics, health, readiness, drain.
//!
//! Invariants:
//! - Nothing that a client sends is read beyond the head of its request.
//! - A slow or silent client holds one of [`CONNECTIONS`] for a bounded time and never keeps another
//!   one waiting: when all are taken, the oldest silent connection is closed for the newcomer.
//!
//! Modules in reading order: [`routes`] and [`status`], the responses; the listener is below.

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

/// Concurrent connections: a few scrapers, probes and people.
const CONNECTIONS: usize = 64;
/// Time a client has to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Limit of a request's head, and of one write; hyper's minimum is 8 KiB.
const BUFFER_BYTES: usize = 16 * 1024;
/// Lifetime of a connection; scrapers reconnect.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
/// Time to finish a response once its connection has reached its lifetime.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// Pause after a failed accept, if there was no connection to close for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections accepted in a row before existing ones get a turn.
const ACCEPTS_A_TURN: usize = 16;

/// See [`AdminState::reload`].
pub(crate) type Reload = Box<dyn Fn() -> anyhow::Result<Vec<String>> + Send + Sync>;

/// Everything the admin listener serves from.
pub(crate) struct AdminState {
    pub(crate) registry: Arc<Registry>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) recent: Recent,
    /// Applies the current configuration; returns the keys that need a restart, or why nothing was applied.
    pub(crate) reload: Reload,
    /// Starts the drain; called at most once, and never while the node is draining.
    pub(crate) drain: Box<dyn Fn() + Send + Sync>,
}

/// Serves until `shutdown` completes, then closes the connections.
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
        // Reap finished tasks, so that the set never outgrows the slots.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.send_replace(true);
    while connections.join_next().await.is_some() {}
}

type AdminSlots = Mutex<Slots<AbortHandle>>;

/// A connection's slot; freed when dropped.
struct Slot {
    slots: Arc<AdminSlots>,
    id: SlotId,
}

impl Slot {
    /// Takes a slot for a newcomer, evicting a connection if all are taken.
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

    /// Marks the connection as one that has sent a request: silent ones are evicted before it.
    fn mark_busy(&self) {
        lock(&self.slots).mark(self.id, Stage::Busy, monotonic());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.slots).leave(self.id);
    }
}

/// A panic elsewhere leaves the slots consistent.
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
        slot.mark_busy();
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
        // The client's fault: a timeout, a malformed request, a closed socket.
        tracing::debug!(%error, "an admin connection failed");
    }
}
