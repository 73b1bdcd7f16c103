//! One shard: its sessions and their sockets.

mod ended;
mod poll;
mod rest;
mod sender;
mod shell;
mod sockets;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanout_core::{Delivery, Directory, Opening, SseStart};
use metrics::ShardMetrics;
use mio::Registry;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use wire::{Encoding, GoAwayReason};

use crate::addresses::Addresses;
use crate::balance::Balance;
use crate::clock;
use crate::http_rates::HttpRates;
use crate::link::PublisherLink;
use crate::pages::Pages;
use crate::permits::Permits;
use crate::rule_breakers::RuleBreakers;
use crate::settings::{Live, Settings};
use rest::Rest;
use shell::Shell;

pub(crate) use poll::SocketPoll;
pub(crate) use sockets::ClientInfo;

/// Deliveries taken before sessions are sent to, so that their messages are sent along.
const DELIVERIES_A_TURN: usize = 256;
/// Interval at which commands are retried that a publisher could not take, and new settings are
/// applied.
const TICK: Duration = Duration::from_millis(250);

/// What a node asks of its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// Serve clients.
    Serving,
    /// Send `GoAway`, accept no new session, close all after the delay, and end.
    Stopping {
        reason: GoAwayReason,
        /// Time between a session's `GoAway` and its close.
        delay: Duration,
        /// Time over which the `GoAway`s are spread.
        spread: Duration,
    },
}

impl Lifecycle {
    /// The node has ended without stopping its shards.
    pub(crate) const GONE: Self = Self::Stopping {
        reason: GoAwayReason::Shutdown,
        delay: Duration::ZERO,
        spread: Duration::ZERO,
    };
}

/// What all shards of a node share.
pub(crate) struct ShardContext {
    pub(crate) live: Arc<Live>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) permits: Arc<Permits>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) http_rates: Arc<HttpRates>,
    pub(crate) rule_breakers: RuleBreakers,
    pub(crate) pages: Pages,
    pub(crate) balance: Balance,
}

/// A shard, owned by its thread.
pub(crate) struct Shard {
    index: usize,
    common: Arc<ShardContext>,
    metrics: Arc<ShardMetrics>,
    shell: RefCell<Shell>,
    /// Notified when another task has left work for the pump.
    work: Notify,
    draining: Cell<bool>,
}

impl Shard {
    pub(crate) fn new(
        index: usize,
        common: Arc<ShardContext>,
        metrics: Arc<ShardMetrics>,
        publishers: Vec<PublisherLink>,
        registry: Registry,
    ) -> Self {
        let shell = Shell::new(
            index,
            Arc::clone(&common),
            Arc::clone(&metrics),
            publishers,
            registry,
        );
        Self {
            index,
            common,
            metrics,
            shell: RefCell::new(shell),
            work: Notify::new(),
            draining: Cell::new(false),
        }
    }

    /// Takes deliveries and input, and sends, until the shard is drained.
    pub(crate) async fn pump(
        &self,
        mut poll: SocketPoll,
        mut inbox: mpsc::Receiver<Delivery>,
    ) -> io::Result<()> {
        let flush_delay = self.settings().flush_delay;
        let mut rest = Rest::new(self.settings().busy_percent, Instant::now());
        let mut busy = false;
        let mut tick = clock::monotonic() + TICK;
        while !self.shell.borrow().core().is_drained() {
            let mut delivered = None;
            if busy {
                match rest.due() {
                    Some(time) => {
                        tokio::time::sleep(time).await;
                        let rested = rest.so_far(Instant::now()).as_nanos();
                        let rested = u64::try_from(rested).unwrap_or(u64::MAX);
                        self.metrics.rested.add_ns(rested);
                    }
                    None => tokio::task::yield_now().await,
                }
            } else {
                let due = self.shell.borrow().core().next_due();
                let wait = due
                    .map_or(tick, |due| due.min(tick))
                    .since(clock::monotonic());
                tokio::select! {
                    biased;
                    delivery = inbox.recv(), if !inbox.is_closed() || !inbox.is_empty() => {
                        delivered = delivery;
                    }
                    ready = poll.ready() => ready?,
                    () = self.work.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
            if let Some(delivery) = delivered {
                self.shell.borrow_mut().deliver(delivery);
                if !flush_delay.is_zero() {
                    tokio::time::sleep(flush_delay).await;
                }
            }
            let mut take_in = |shell: &mut Shell| {
                for _ in 0..DELIVERIES_A_TURN {
                    let Ok(delivery) = inbox.try_recv() else {
                        break;
                    };
                    shell.deliver(delivery);
                }
            };
            rest.end(Instant::now());
            let mut shell = self.shell.borrow_mut();
            take_in(&mut shell);
            poll.take(|ready| shell.ready(ready))?;
            if clock::monotonic() >= tick {
                tick = clock::monotonic() + TICK;
                shell.tick();
            }
            busy = shell.turn(take_in);
            rest.begin(Instant::now(), std::mem::take(&mut shell.sent));
        }
        Ok(())
    }

    /// Starts to drain: no new session is opened, and all existing ones are closed.
    pub(crate) fn stop(&self, stopping: Lifecycle) {
        self.draining.set(true);
        self.shell.borrow_mut().drain(stopping);
        self.work.notify_one();
    }

    pub(crate) const fn index(&self) -> usize {
        self.index
    }

    /// Returns the current settings.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.common.live.get()
    }

    pub(crate) fn metrics(&self) -> &ShardMetrics {
        &self.metrics
    }

    pub(crate) fn balance(&self) -> &Balance {
        &self.common.balance
    }

    pub(crate) fn permits(&self) -> &Arc<Permits> {
        &self.common.permits
    }

    pub(crate) fn http_rates(&self) -> &Arc<HttpRates> {
        &self.common.http_rates
    }

    pub(crate) fn addresses(&self) -> &Arc<Addresses> {
        &self.common.addresses
    }

    /// Returns the delay of a handshake from an address whose clients have broken rules recently.
    pub(crate) fn handshake_delay(&self, address: IpAddr, settings: &Settings) -> Duration {
        let breakers = &self.common.rule_breakers;
        let delay = breakers.delay(address, settings.handshake_delay, Instant::now());
        if !delay.is_zero() {
            self.metrics.handshakes_delayed.inc();
        }
        delay
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.common.pages
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Opens a session after its handshake. Returns false if its socket cannot be registered.
    pub(crate) fn open(
        &self,
        io: TcpStream,
        read_ahead: &[u8],
        encoding: Encoding,
        client: ClientInfo,
    ) -> bool {
        self.prepare(&io);
        self.enter(io, read_ahead, encoding, None, client)
    }

    /// Opens an SSE session. Returns false if its socket cannot be registered.
    pub(crate) fn open_sse(&self, io: TcpStream, sse: SseStart, client: ClientInfo) -> bool {
        self.prepare(&io);
        let session = &self.settings().session;
        // Replaces pongs, which SSE does not have. Where the system lacks this option, its own
        // timeout applies.
        let _default = socket2::SockRef::from(&io)
            .set_tcp_user_timeout(Some(session.ping_interval + session.pong_timeout));
        self.enter(io, &[], Encoding::Json, Some(sse), client)
    }

    fn enter(
        &self,
        io: TcpStream,
        read_ahead: &[u8],
        encoding: Encoding,
        sse: Option<SseStart>,
        client: ClientInfo,
    ) -> bool {
        let opening = Opening {
            encoding,
            grant: Arc::clone(client.permit.shared_grant()),
            sse,
        };
        let mut shell = self.shell.borrow_mut();
        let opened = io
            .into_std()
            .and_then(|io| shell.open(io, read_ahead, opening, client));
        if let Err(error) = &opened {
            tracing::warn!(%error, "cannot take a connection over");
        }
        self.work.notify_one();
        opened.is_ok()
    }

    /// Sets the socket's buffers as configured.
    fn prepare(&self, io: &TcpStream) {
        let settings = self.settings();
        let options = socket2::SockRef::from(io);
        // If the system rejects an option, its default will do.
        if let Some(bytes) = settings.send_buffer {
            let _default = options.set_send_buffer_size(bytes);
        }
        if let Some(bytes) = settings.not_sent {
            let _default = options.set_tcp_notsent_lowat(bytes);
        }
    }
}
