use std::io;
use std::time::Duration;

use mio::{Events, Poll, Registry};
use tokio::io::unix::AsyncFd;

/// Events taken at once.
const EVENTS: usize = 1024;

/// The poll that all sockets of a shard are registered with.
pub(crate) struct SocketPoll {
    poll: Poll,
    /// The poll itself, as something the runtime can wait for.
    ready: AsyncFd<Registry>,
    events: Events,
}

/// A readiness event of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    /// Index of its session.
    pub(super) session: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
}

impl SocketPoll {
    pub(crate) fn new(poll: Poll) -> io::Result<Self> {
        Ok(Self {
            ready: watch(poll.registry().try_clone()?)?,
            poll,
            events: Events::with_capacity(EVENTS),
        })
    }

    /// Waits until there may be an event; call [`SocketPoll::take`] next. Cancel-safe.
    pub(super) async fn ready(&self) -> io::Result<()> {
        // Any later event makes it ready again.
        self.ready.readable().await?.clear_ready();
        Ok(())
    }

    /// Takes all available events without waiting.
    pub(super) fn take(&mut self, mut take: impl FnMut(Ready)) -> io::Result<()> {
        let Self { poll, events, .. } = self;
        loop {
            poll.poll(events, Some(Duration::ZERO))?;
            for event in events.iter() {
                take(Ready {
                    session: event.token().0,
                    readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                    writable: event.is_writable(),
                });
            }
            if events.iter().count() < EVENTS {
                return Ok(());
            }
        }
    }
}

/// Wraps the poll as something the runtime can wait for.
#[expect(unsafe_code, reason = "see the SAFETY comment")]
fn watch(registry: Registry) -> io::Result<AsyncFd<Registry>> {
    // SAFETY: a registry owns its descriptor, always gives the same one, and keeps it open as long
    // as it lives, and the `AsyncFd` owns the registry.
    Ok(unsafe { AsyncFd::register(registry) }?)
}
