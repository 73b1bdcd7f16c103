use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::access::Access;
use crate::network::Network;
use crate::tls::TlsIdentity;

/// The effective settings, which can be replaced while sessions are open.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Arc<Settings>>);

impl Live {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    /// Returns the current settings.
    pub(crate) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the settings that can change in a running fan-out. Listener, shards, send method
    /// and ring sizes stay.
    pub(crate) fn replace(&self, settings: Settings) {
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Ring sizes stay.
        let session = fanout_core::Settings {
            run_bytes: live.session.run_bytes,
            ring_budget: live.session.ring_budget,
            run_bytes_for_slow: live.session.run_bytes_for_slow,
            run_bytes_per_slow: live.session.run_bytes_per_slow,
            ..settings.session.clone()
        };
        *live = Arc::new(Settings {
            session,
            listen: live.listen,
            shards: live.shards,
            receive_buffer: live.receive_buffer,
            flush_delay: live.flush_delay,
            busy_percent: live.busy_percent,
            batched_sends: live.batched_sends,
            ..settings
        });
    }
}

/// Limits and times of the fan-out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Number of shards: one per core that serves clients.
    pub shards: usize,
    /// Maximum sessions of the node.
    pub sessions: usize,
    /// Limits and times of each session.
    pub session: fanout_core::Settings,
    /// Time from connecting to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Delay of a handshake for each remembered rule-breaking close of its address.
    pub handshake_delay: Duration,
    /// Maximum connections of the node that are not sessions yet; the shards share them.
    pub handshakes: usize,
    /// Send buffer of sockets (`SO_SNDBUF`); `None` leaves the system's default.
    pub send_buffer: Option<usize>,
    /// Receive buffer of sockets (`SO_RCVBUF`), set on the listener; `None` leaves the system's
    /// default.
    pub receive_buffer: Option<usize>,
    /// Unsent bytes that the kernel may hold for a session (`TCP_NOTSENT_LOWAT`). Anything more
    /// waits here, where it can be conflated.
    pub not_sent: Option<u32>,
    /// How long published messages may wait for more to be sent along with them; zero sends at
    /// once.
    pub flush_delay: Duration,
    /// Share of its time that a shard works while its sends are small, in percent; 100 never rests.
    pub busy_percent: u32,
    /// Whether to batch sends with io_uring, where the system has it.
    pub batched_sends: bool,
    /// Time between a session's `GoAway` and its close.
    pub drain_delay: Duration,
    /// Time over which the `GoAway`s of a drain are spread.
    pub drain_for: Duration,
    /// Maximum connections per address, or per /64 network of IPv6.
    pub connections_per_address: Option<u32>,
    /// Connections per second, sustained.
    pub connection_rate: Option<u32>,
    /// Connections per second and address, sustained.
    pub connection_rate_per_address: Option<u32>,
    /// HTTP requests per second and address, sustained.
    pub http_rate_per_address: Option<u32>,
    /// Balancers whose PROXY protocol header is trusted.
    pub trusted_proxies: Vec<Network>,
    /// Certificate and key; `None` disables TLS.
    pub tls: Option<TlsIdentity>,
    /// Who may connect.
    pub access: Arc<Access>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            shards: 1,
            sessions: 20_000,
            session: fanout_core::Settings::default(),
            handshake_timeout: Duration::from_secs(5),
            handshake_delay: Duration::from_millis(250),
            handshakes: 2048,
            send_buffer: None,
            receive_buffer: None,
            not_sent: Some(32 * 1024),
            flush_delay: Duration::ZERO,
            busy_percent: 90,
            batched_sends: true,
            drain_delay: Duration::from_secs(1),
            drain_for: Duration::ZERO,
            connections_per_address: None,
            connection_rate: None,
            connection_rate_per_address: None,
            http_rate_per_address: Some(100),
            trusted_proxies: Vec::new(),
            tls: None,
            access: Arc::default(),
        }
    }
}
