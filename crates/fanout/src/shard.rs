//! One shard: a thread, its connections and its subscriber lists.

mod accept;
mod ended;
mod poll;
mod rest;
mod sender;
mod shell;
mod sockets;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanout_core::{Delivery, Directory, EventStart, Opening};
use metrics::ShardMetrics;
use mio::Poll;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;
use wire::{Encoding, GoAwayReason};

use crate::addresses::Addresses;
use crate::clock;
use crate::handshake::Pages;
use crate::http_rates::HttpRates;
use crate::link::ShardLinks;
use crate::permits::Permits;
use crate::rule_breakers::RuleBreakers;
use crate::settings::{Live, Settings};
use poll::SocketPoll;
use rest::Rest;
use shell::Shell;

pub(crate) use accept::{Balance, Slot};
pub(crate) use sockets::ClientInfo;

/// Deliveries that are taken in before sessions are sent to: what came meanwhile goes along.
const DELIVERIES_A_TURN: usize = 256;
/// How soon commands that a publisher could not take are tried again, and new settings are applied.
const TICK: Duration = Duration::from_millis(250);

/// What a node tells its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// Serve.
    Serving,
    /// Say `GoAway`, let no new session in, close all after the delay, and end.
    Stopping {
        reason: GoAwayReason,
        /// Between a session's `GoAway` and its close.
        delay: Duration,
        /// From the first `GoAway` to the last.
        spread: Duration,
    },
}

impl Lifecycle {
    /// The node ended without stopping its shards.
    const GONE: Self = Self::Stopping {
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

/// One shard, on its own thread.
pub(crate) struct Shard {
    index: usize,
    common: Arc<ShardContext>,
    metrics: Arc<ShardMetrics>,
    shell: RefCell<Shell>,
    /// Another task than the pump left something to do for it.
    work: Notify,
    draining: Cell<bool>,
}

/// Runs a shard until it has stopped.
pub(crate) async fn run(
    index: usize,
    common: Arc<ShardContext>,
    metrics: Arc<ShardMetrics>,
    links: ShardLinks,
    listener: StdListener,
    handed: mpsc::Receiver<std::net::TcpStream>,
    life: watch::Receiver<Lifecycle>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let poll = Poll::new()?;
    let shell = Shell::new(
        index,
        Arc::clone(&common),
        Arc::clone(&metrics),
        links.publishers,
        poll.registry().try_clone()?,
    );
    let shard = Rc::new(Shard {
        index,
        common,
        metrics,
        shell: RefCell::new(shell),
        work: Notify::new(),
        draining: Cell::new(false),
    });
    let local = LocalSet::new();
    let acceptor = local.spawn_local(accept::accept_all(Rc::clone(&shard), listener, handed));
    let _stopper = local.spawn_local(stop_on_signal(Rc::clone(&shard), life, acceptor));
    // Not a task: so the runtime looks at its sockets after every turn, however busy.
    local
        .run_until(pump(&shard, SocketPoll::new(poll)?, links.inbox))
        .await
}

/// Takes in what publishers delivered and clients sent, and sends, until the shard is drained.
async fn pump(
    shard: &Shard,
    mut poll: SocketPoll,
    mut inbox: mpsc::Receiver<Delivery>,
) -> io::Result<()> {
    let flush_delay = shard.settings().flush_delay;
    let mut rest = Rest::new(shard.settings().busy_percent, Instant::now());
    let mut busy = false;
    let mut tick = clock::monotonic() + TICK;
    while !shard.shell.borrow().core().is_drained() {
        let mut delivered = None;
        if busy {
            match rest.due() {
                Some(time) => {
                    tokio::time::sleep(time).await;
                    let rested = rest.so_far(Instant::now()).as_nanos();
                    let rested = u64::try_from(rested).unwrap_or(u64::MAX);
                    shard.metrics.rested_ns.add(rested);
                }
                None => tokio::task::yield_now().await,
            }
        } else {
            let due = shard.shell.borrow().core().next_due();
            let wait = due
                .map_or(tick, |due| due.min(tick))
                .since(clock::monotonic());
            tokio::select! {
                biased;
                delivery = inbox.recv(), if !inbox.is_closed() || !inbox.is_empty() => {
                    delivered = delivery;
                }
                ready = poll.ready() => ready?,
                () = shard.work.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        if let Some(delivery) = delivered {
            shard.shell.borrow_mut().deliver(delivery);
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
        let mut shell = shard.shell.borrow_mut();
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

async fn stop_on_signal(
    shard: Rc<Shard>,
    mut life: watch::Receiver<Lifecycle>,
    acceptor: tokio::task::JoinHandle<()>,
) {
    let stopping = life.wait_for(|life| *life != Lifecycle::Serving).await;
    // If the sender was dropped, the node itself is gone.
    let stopping = stopping.map_or(Lifecycle::GONE, |life| *life);
    acceptor.abort();
    shard.draining.set(true);
    shard.shell.borrow_mut().drain(stopping);
    shard.work.notify_one();
}

impl Shard {
    /// Those in force now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.common.live.get()
    }

    pub(crate) fn metrics(&self) -> &ShardMetrics {
        &self.metrics
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

    /// By how much a handshake from an address is to be delayed, since its clients broke rules lately.
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

    /// Opens a session of events. Returns false if its socket cannot be registered.
    pub(crate) fn open_events(
        &self,
        io: TcpStream,
        events: EventStart,
        client: ClientInfo,
    ) -> bool {
        self.prepare(&io);
        let session = &self.settings().session;
        // In place of the pong that nobody sends. Where the system has no such option, its own
        // time-out does.
        let _default = socket2::SockRef::from(&io)
            .set_tcp_user_timeout(Some(session.ping_interval + session.pong_timeout));
        self.enter(io, &[], Encoding::Json, Some(events), client)
    }

    fn enter(
        &self,
        io: TcpStream,
        read_ahead: &[u8],
        encoding: Encoding,
        events: Option<EventStart>,
        client: ClientInfo,
    ) -> bool {
        let opening = Opening {
            encoding,
            grant: Arc::clone(client.permit.shared_grant()),
            events,
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

    /// The socket's buffers, as they are configured.
    fn prepare(&self, io: &TcpStream) {
        let settings = self.settings();
        let options = socket2::SockRef::from(io);
        // Where the system refuses one, its default is as good as any.
        if let Some(bytes) = settings.send_buffer {
            let _default = options.set_send_buffer_size(bytes);
        }
        if let Some(bytes) = settings.not_sent {
            let _default = options.set_tcp_notsent_lowat(bytes);
        }
    }
}
