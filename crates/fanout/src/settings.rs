use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::access::Access;
use crate::network::Network;
use crate::tls::TlsIdentity;

/// The settings in force, which may be replaced while sessions live.
#[derive(Debug)]
pub(crate) struct Live(RwLock<Arc<Settings>>);

impl Live {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(RwLock::new(Arc::new(settings)))
    }

    /// Those of now.
    pub(crate) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces those that may change in a fan-out that runs; where it listens, its shards, how it
    /// sends and what its rings hold stay.
    pub(crate) fn replace(&self, settings: Settings) {
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // What rings hold stays.
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

/// The bounds and times of the fan-out.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// How many shards: one a core that is to serve clients.
    pub shards: usize,
    /// The most sessions of the node.
    pub sessions: usize,
    /// The bounds and times of each session.
    pub session: fanout_core::Settings,
    /// How long a client may take from connecting to the end of its handshake.
    pub handshake_timeout: Duration,
    /// How long a handshake is delayed for each close of its address that is remembered; see
    /// [`RuleBreakers`](crate::rule_breakers::RuleBreakers).
    pub handshake_delay: Duration,
    /// Connections of the node that are not sessions yet; its shards share them.
    pub handshakes: usize,
    /// The socket's send buffer (`SO_SNDBUF`); the system's default where none is set.
    pub send_buffer: Option<usize>,
    /// The socket's receive buffer (`SO_RCVBUF`), set on the listener; the system's default where none
    /// is set.
    pub receive_buffer: Option<usize>,
    /// Bytes that the kernel may hold for a session and has not sent (`TCP_NOTSENT_LOWAT`): what is
    /// older than the rest of the market is then conflated here, not stored there.
    pub not_sent: Option<u32>,
    /// How long what is published may wait for more to go along; zero sends at once.
    pub flush_delay: Duration,
    /// How much of the time a shard works, in percent, while its sends are small; 100 never rests.
    pub busy_percent: u32,
    /// Whether many sends are one system call, by io_uring, where the system has it.
    pub batched_sends: bool,
    /// How long clients are given between `GoAway` and the close.
    pub drain_delay: Duration,
    /// How long it takes until the last session has its `GoAway`.
    pub drain_for: Duration,
    /// The most connections of one address, or of one network of 64 bits of IPv6.
    pub connections_per_address: Option<u32>,
    /// How many connections a second may come for long.
    pub connection_rate: Option<u32>,
    /// How many connections a second one address may make for long.
    pub connection_rate_per_address: Option<u32>,
    /// How much a second one address may ask over HTTP for long.
    pub http_rate_per_address: Option<u32>,
    /// Balancers that say by the PROXY protocol who connects to them.
    pub trusted_proxies: Vec<Network>,
    /// The certificate that connections are encrypted with, if they are.
    pub tls: Option<TlsIdentity>,
    /// Who may come in.
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
