use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use fanout_core::Directory;
use metrics::ShardMetrics;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;
use wire::GoAwayReason;

use crate::addresses::Addresses;
use crate::balance::Balance;
use crate::http_rates::HttpRates;
use crate::link::Links;
use crate::pages::Pages;
use crate::permits::Permits;
use crate::rule_breakers::RuleBreakers;
use crate::settings::{Live, Settings};
use crate::shard::{Lifecycle, ShardContext};
use crate::shard_thread;

/// Length of a listener's queue; the system's `somaxconn` limits it too.
const BACKLOG: i32 = 4096;

/// Send buffer of a connection before it is a session, and the most that sessions may have. The
/// kernel doubles it, so an unread response holds up to 32 KiB and unread requests as much again:
/// at most 64 KiB of kernel memory per connection. Over a round trip of 50 ms a response still
/// arrives at some 400 KB/s.
const HTTP_SEND_BUFFER: usize = 16 * 1024;

/// What a thread runs until the fan-out stops.
pub type ThreadBody = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// Starts a named thread and observes how it ends. The end of a shard before [`Fanout::stop`] is a
/// failure of the whole node, which would otherwise continue with only some of its listeners.
pub type Spawn<'a> = &'a dyn Fn(String, ThreadBody) -> io::Result<JoinHandle<()>>;

/// A [`Spawn`] for short-lived programs: it only logs how a thread ended.
pub fn spawn_and_log(name: String, body: ThreadBody) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(|| {
        if let Err(error) = body() {
            tracing::error!(%error, "a thread failed");
        }
    })
}

/// The running shards of a node.
pub struct Fanout {
    addr: SocketAddr,
    permits: Arc<Permits>,
    live: Arc<Live>,
    life: watch::Sender<Lifecycle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Why the fan-out cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a shard's thread: {0}")]
    Thread(io::Error),
}

impl Fanout {
    /// Starts one shard per entry of `metrics`, all on one address.
    pub fn start(
        settings: Settings,
        metrics: Vec<Arc<ShardMetrics>>,
        directory: Arc<Directory>,
        links: Links,
        pages: Pages,
        spawn: Spawn<'_>,
    ) -> Result<Self, StartError> {
        let (addr, listeners) =
            listen(&settings, metrics.len()).map_err(|source| StartError::Listen {
                addr: settings.listen,
                source,
            })?;
        let (life, watched) = watch::channel(Lifecycle::Serving);
        let permits = Arc::new(Permits::new(settings.sessions));
        let live = Arc::new(Live::new(settings));
        let (balance, handed) = Balance::new(metrics.len());
        let common = Arc::new(ShardContext {
            live: Arc::clone(&live),
            directory,
            permits: Arc::clone(&permits),
            addresses: Arc::new(Addresses::new()),
            http_rates: Arc::new(HttpRates::new()),
            rule_breakers: RuleBreakers::new(),
            pages,
            balance,
        });
        let mut threads = Vec::with_capacity(metrics.len());
        let sockets = listeners.into_iter().zip(handed);
        let parts = metrics.into_iter().zip(links.shards).zip(sockets);
        for (index, ((metrics, links), (listener, handed))) in parts.enumerate() {
            let (common, watched) = (Arc::clone(&common), watched.clone());
            let body = move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(shard_thread::run(
                    index, common, metrics, links, listener, handed, watched,
                ))
            };
            let thread = spawn(format!("shard-{index}"), Box::new(body));
            threads.push(thread.map_err(StartError::Thread)?);
        }
        Ok(Self {
            addr,
            permits,
            live,
            life,
            threads: Mutex::new(threads),
        })
    }

    /// Returns the address that clients connect to.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the number of sessions.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.permits.taken()
    }

    /// Replaces limits, times and access rules, for existing sessions too, within a tick of the
    /// shards. Connected clients stay connected.
    pub fn reload(&self, settings: Settings) {
        self.permits.set_most(settings.sessions);
        self.live.replace(settings);
    }

    /// Sets whether new sessions are accepted or rejected with 503; existing ones are unaffected.
    pub fn set_accepting(&self, open: bool) {
        self.permits.set_accepting(open);
    }

    /// Rejects new sessions, sends `GoAway` to all in waves, closes each some time later, and ends
    /// the shards, according to the settings `drain_for` and `drain_delay`.
    pub fn stop(&self, reason: GoAwayReason) {
        let settings = self.live.get();
        self.life.send_replace(Lifecycle::Stopping {
            reason,
            delay: settings.drain_delay,
            spread: settings.drain_for,
        });
    }

    /// Waits until all shards have ended. Later calls return at once.
    pub fn wait(&self) {
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // Its spawner has observed how it ended.
            let _ended = thread.join();
        }
    }
}

/// A panic elsewhere leaves the list consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens one listener per shard on the same port; the kernel spreads connections over them.
fn listen(settings: &Settings, shards: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let addr = settings.listen;
    // With SO_REUSEPORT a second node would share the port unnoticed; without it, binding fails.
    let probe = socket(addr, false)?;
    probe.bind(&addr.into())?;
    let addr = probe.local_addr()?.as_socket().unwrap_or(addr);
    drop(probe);
    let listeners = (0..shards.max(1))
        .map(|_| {
            let socket = socket(addr, true)?;
            bequeath(&socket, settings);
            socket.bind(&addr.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        })
        .collect::<io::Result<Vec<TcpListener>>>()?;
    Ok((addr, listeners))
}

/// Sets the options that connections inherit from their listener, so that they apply from the first
/// byte and cost no system call per connection. The kernel never enlarges a buffer that is set.
fn bequeath(listener: &Socket, settings: &Settings) {
    // If the system rejects an option, its default will do.
    let _default = listener.set_tcp_nodelay(true);
    if let Some(bytes) = settings.receive_buffer {
        let _default = listener.set_recv_buffer_size(bytes);
    }
    if let Some(bytes) = settings.send_buffer {
        let _default = listener.set_send_buffer_size(bytes.min(HTTP_SEND_BUFFER));
    }
}

fn socket(addr: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpStream;

    #[test]
    fn a_connection_has_bounded_buffers_from_its_first_byte_on() {
        let settings = Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            send_buffer: Some(64 * 1024),
            receive_buffer: Some(16 * 1024),
            ..Settings::default()
        };
        let (addr, listeners) = listen(&settings, 1).unwrap();
        listeners[0].set_nonblocking(false).unwrap();
        let client = TcpStream::connect(addr).unwrap();
        let (node, _) = listeners[0].accept().unwrap();
        let options = socket2::SockRef::from(&node);
        assert!(options.tcp_nodelay().unwrap());
        // The kernel doubles the requested size.
        assert_eq!(options.send_buffer_size().unwrap(), 2 * HTTP_SEND_BUFFER);
        assert_eq!(options.recv_buffer_size().unwrap(), 32 * 1024);
        // Neither grows, however much is sent: unread data stays with its sender.
        for (from, to) in [(&client, &node), (&node, &client)] {
            from.set_nonblocking(true).unwrap();
            let mut from = from;
            while from.write(&[0; 4096]).is_ok() {}
            let _unread = to;
        }
        assert_eq!(options.send_buffer_size().unwrap(), 2 * HTTP_SEND_BUFFER);
        assert_eq!(options.recv_buffer_size().unwrap(), 32 * 1024);
    }
}
