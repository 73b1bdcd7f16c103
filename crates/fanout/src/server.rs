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
use crate::handshake::Pages;
use crate::http_rates::HttpRates;
use crate::link::Links;
use crate::rule_breakers::RuleBreakers;
use crate::seats::Seats;
use crate::settings::{Live, Settings};
use crate::shard::{self, Balance, Common, Life};

/// Connections that may wait in a listener's queue; the system's `somaxconn` bounds it too.
const BACKLOG: i32 = 4096;

/// The send buffer of a connection before it is a session, and at most that of sessions. The kernel
/// doubles it: what it holds of a response that nobody reads is 32 KiB, and what it holds of requests
/// that the node has not read is as much, so that a connection costs 64 KiB in the kernel at most.
/// Over a round trip of 50 ms a response still comes at some 400 KB/s.
const HTTP_SEND_BUFFER: usize = 16 * 1024;

/// What a thread does until the fan-out stops.
pub type ThreadBody = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// Starts a thread of that name, and notices how it ends: a shard's end before [`Fanout::stop`] is a failure
/// of the whole node, which would otherwise go on with only some of its listeners.
pub type Spawn<'a> = &'a dyn Fn(String, ThreadBody) -> io::Result<JoinHandle<()>>;

/// A [`Spawn`] for programs that run no longer than a test: how a thread ended is only logged.
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
    seats: Arc<Seats>,
    live: Arc<Live>,
    life: watch::Sender<Life>,
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
        /// What the system says.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("cannot start a shard's thread: {0}")]
    Thread(io::Error),
}

impl Fanout {
    /// Starts one shard for each of `metrics`, all on one address.
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
        let (life, watched) = watch::channel(Life::Serving);
        let seats = Arc::new(Seats::new(settings.sessions));
        let live = Arc::new(Live::new(settings));
        let (balance, handed) = Balance::new(metrics.len());
        let common = Arc::new(Common {
            live: Arc::clone(&live),
            directory,
            seats: Arc::clone(&seats),
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
                runtime.block_on(shard::run(
                    index, common, metrics, links, listener, handed, watched,
                ))
            };
            let thread = spawn(format!("shard-{index}"), Box::new(body));
            threads.push(thread.map_err(StartError::Thread)?);
        }
        Ok(Self {
            addr,
            seats,
            live,
            life,
            threads: Mutex::new(threads),
        })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many sessions there are.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.seats.taken()
    }

    /// Replaces the limits, times and doors, for sessions that stand as well; how long it takes is a
    /// tick of the shards. Whoever is in stays in.
    pub fn reload(&self, settings: Settings) {
        self.seats.set_most(settings.sessions);
        self.live.replace(settings);
    }

    /// From now on new sessions are let in, or refused with 503; those that there are stay.
    pub fn let_in(&self, open: bool) {
        self.seats.let_in(open);
    }

    /// Lets no new session in, tells all to go, wave by wave, closes each some time later, and ends the
    /// shards: as the settings say, within `drain_for` and `drain_delay`.
    pub fn stop(&self, reason: GoAwayReason) {
        let settings = self.live.get();
        self.life.send_replace(Life::Stopping {
            reason,
            delay: settings.drain_delay,
            spread: settings.drain_for,
        });
    }

    /// Waits until all shards have ended; for another call there is nothing left to wait for.
    pub fn wait(&self) {
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            // Whoever started it has noticed how it ended.
            let _ended = thread.join();
        }
    }
}

/// A panic elsewhere leaves the list whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One listener a shard on the same port; the kernel spreads connections over them.
fn listen(settings: &Settings, shards: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let addr = settings.listen;
    // With SO_REUSEPORT a second node would share the port unnoticed; without it, it is told.
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

/// Sets what connections inherit from their listener, so that it holds from their first byte on and
/// costs no system call each. A buffer that is set is never enlarged by the kernel.
fn bequeath(listener: &Socket, settings: &Settings) {
    // Where the system rejects one, its default is as good as any.
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
        // The kernel doubles what it is asked for.
        assert_eq!(options.send_buffer_size().unwrap(), 2 * HTTP_SEND_BUFFER);
        assert_eq!(options.recv_buffer_size().unwrap(), 32 * 1024);
        // Neither grows, however much is sent: what nobody reads stays with who sends it.
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
