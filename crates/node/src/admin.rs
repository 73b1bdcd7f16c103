//! The admin listener: metrics, health, readiness, drain.
//!
//! Invariants:
//! - Nothing that a client sends is read beyond the head of its request.
//! - A client that is slow, or says nothing, costs one of [`CONNECTIONS`] for a bounded time.
//!
//! In reading order: [`readiness`], which the publishers tell how far they are; [`routes`] and [`status`], what is
//! answered; and the listener below.

mod readiness;
mod routes;
mod status;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::cli::Recent;

pub(crate) use readiness::{PublisherReadiness, Readiness};

/// Connections at a time: a few scrapers, probes and people; more wait in the listener's queue.
const CONNECTIONS: usize = 64;
/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest head of a request, and what is written at a time: hyper's least is 8 KiB.
const BUFFER_BYTES: usize = 16 * 1024;
/// How long a connection may last; scrapers connect again.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
/// How long an answer in the making may take once its connection is to end.
const LAST_ANSWER: Duration = Duration::from_secs(1);
/// The pause after a connection could not be accepted, as when no file may be opened any more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let (closing, is_closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, slot)) = accepted else {
            continue;
        };
        let state = Arc::clone(&state);
        let is_closing = is_closing.clone();
        connections.spawn(async move {
            connection(stream, state, is_closing).await;
            drop(slot);
        });
        // Those that have ended are taken out, so that the set stays as small as the slots.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    closing.send_replace(true);
    while connections.join_next().await.is_some() {}
}

/// The next connection, once there is a slot for it; `None` when that failed.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, slot)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept an admin connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(
    stream: TcpStream,
    state: Arc<AdminState>,
    mut is_closing: watch::Receiver<bool>,
) {
    let answer = service_fn(|request| {
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
