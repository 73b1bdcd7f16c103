//! One shard: a thread, its connections and its subscriber lists.

mod accept;
mod events;
mod farewell;
mod followed;
mod pump;
mod replays;
mod requests;
mod rest;
mod sender;
mod sockets;
mod state;
mod subscribers;
mod sweep;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::ShardMetrics;
use mio::Poll;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;
use wire::{Encoding, GoAwayReason};

use crate::addresses::Addresses;
use crate::directory::Directory;
use crate::events::EventStart;
use crate::handshake::Pages;
use crate::link::{Delivery, ShardLinks};
use crate::seats::Seats;
use crate::session::About;
use crate::settings::{Live, Settings};
use rest::Rest;
use sockets::Sockets;
use state::State;

pub(crate) use accept::{Balance, Slot};

/// Deliveries that are taken in before sessions are sent to: what came meanwhile goes along.
const DELIVERIES_A_TURN: usize = 256;
/// How far waves of sessions that are sent away are apart, at the least; and how many there are at most.
const WAVE: Duration = Duration::from_millis(100);
const MOST_WAVES: u32 = 1000;
/// How long sessions are given, after the close frame, to close as well.
pub(crate) const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// What a node tells its shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
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

/// What all shards of a node share.
pub(crate) struct Common {
    pub(crate) live: Arc<Live>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) seats: Arc<Seats>,
    pub(crate) addresses: Arc<Addresses>,
    pub(crate) pages: Pages,
    pub(crate) balance: Balance,
}

/// One shard, on its own thread.
pub(crate) struct Shard {
    index: usize,
    common: Arc<Common>,
    metrics: Arc<ShardMetrics>,
    state: RefCell<State>,
    /// Another task than the pump left something to do for it.
    work: Notify,
    draining: Cell<bool>,
    ended: Cell<bool>,
}

/// Runs a shard until it has stopped.
pub(crate) async fn run(
    index: usize,
    common: Arc<Common>,
    metrics: Arc<ShardMetrics>,
    links: ShardLinks,
    listener: StdListener,
    handed: mpsc::Receiver<std::net::TcpStream>,
    life: watch::Receiver<Life>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let poll = Poll::new()?;
    let state = State::new(
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
        state: RefCell::new(state),
        work: Notify::new(),
        draining: Cell::new(false),
        ended: Cell::new(false),
    });
    let local = LocalSet::new();
    let acceptor = local.spawn_local(accept::accept_all(Rc::clone(&shard), listener, handed));
    let _sweeper = local.spawn_local(sweep_all(Rc::clone(&shard)));
    let _stopper = local.spawn_local(stop_when_told(Rc::clone(&shard), life, acceptor));
    // Not a task: so the runtime looks at its sockets after every turn, however busy.
    local
        .run_until(pump(&shard, Sockets::new(poll)?, links.inbox))
        .await
}

/// Takes in what publishers delivered and clients sent, and sends, until the shard has ended.
async fn pump(
    shard: &Shard,
    mut sockets: Sockets,
    mut inbox: mpsc::Receiver<Delivery>,
) -> io::Result<()> {
    let flush_delay = shard.settings().flush_delay;
    let mut rest = Rest::new(shard.settings().busy_percent, Instant::now());
    let mut busy = false;
    while !shard.ended.get() {
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
            tokio::select! {
                biased;
                delivery = inbox.recv() => delivered = Some(delivery),
                ready = sockets.ready() => ready?,
                () = shard.work.notified() => {}
            }
        }
        match delivered {
            Some(Some(delivery)) => {
                shard.state.borrow_mut().take_in(delivery);
                if !flush_delay.is_zero() {
                    tokio::time::sleep(flush_delay).await;
                }
            }
            // All publishers are gone, and so is what there is to send; sessions are served on.
            Some(None) => shard.work.notified().await,
            None => {}
        }
        let mut take_in = |state: &mut State| {
            for _ in 0..DELIVERIES_A_TURN {
                let Ok(delivery) = inbox.try_recv() else {
                    break;
                };
                state.take_in(delivery);
            }
        };
        rest.end(Instant::now());
        let mut state = shard.state.borrow_mut();
        take_in(&mut state);
        sockets.take_events(&mut state)?;
        busy = state.turn(take_in);
        rest.begin(Instant::now(), std::mem::take(&mut state.sent));
    }
    Ok(())
}

async fn sweep_all(shard: Rc<Shard>) {
    let mut every = tokio::time::interval(sweep::TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        shard.state.borrow_mut().sweep();
        shard.work.notify_one();
    }
}

async fn stop_when_told(
    shard: Rc<Shard>,
    mut life: watch::Receiver<Life>,
    acceptor: tokio::task::JoinHandle<()>,
) {
    let stopping = life.wait_for(|life| *life != Life::Serving).await;
    let (reason, delay, spread) = match stopping.as_deref() {
        Ok(Life::Stopping {
            reason,
            delay,
            spread,
        }) => (*reason, *delay, *spread),
        // The node itself is gone.
        _ => (GoAwayReason::Shutdown, Duration::ZERO, Duration::ZERO),
    };
    drop(stopping);
    acceptor.abort();
    shard.stop(reason, delay, spread).await;
    shard.ended.set(true);
    shard.work.notify_one();
}

impl State {
    /// Receives, sends, and forgets who has ended: each session once. Whether there is more to do.
    fn turn(&mut self, take_in: impl FnMut(&mut Self)) -> bool {
        let mut more = self.read_pass();
        more |= self.send_pass(take_in);
        self.tell_passages();
        self.remove_ended();
        more
    }
}

impl Shard {
    /// Those in force now.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.common.live.get()
    }

    pub(crate) fn metrics(&self) -> &ShardMetrics {
        &self.metrics
    }

    pub(crate) fn seats(&self) -> &Arc<Seats> {
        &self.common.seats
    }

    pub(crate) fn addresses(&self) -> &Arc<Addresses> {
        &self.common.addresses
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.common.pages
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Lets a session in whose handshake is done; whether that could be.
    pub(crate) fn open(
        &self,
        io: TcpStream,
        read_ahead: &[u8],
        encoding: Encoding,
        about: About,
    ) -> bool {
        self.prepare(&io);
        let mut state = self.state.borrow_mut();
        let opened = io
            .into_std()
            .and_then(|io| state.open(io, encoding, about, read_ahead));
        self.settle(&mut state, opened)
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

    /// What becomes of a new session; whether it is one.
    fn settle(&self, state: &mut State, opened: io::Result<usize>) -> bool {
        match &opened {
            // The node began to stop between the handshake and now.
            Ok(index) if self.is_draining() => state.close_restart(*index),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot take a connection over"),
        }
        self.work.notify_one();
        opened.is_ok()
    }

    /// Lets a client in that is sent events; whether that could be.
    pub(crate) fn open_events(&self, io: TcpStream, events: EventStart, about: About) -> bool {
        self.prepare(&io);
        let settings = self.settings();
        // In place of the pong that nobody sends. Where the system has no such option, its own
        // time-out does.
        let _default = socket2::SockRef::from(&io)
            .set_tcp_user_timeout(Some(settings.ping_interval + settings.pong_timeout));
        let mut state = self.state.borrow_mut();
        let opened = io
            .into_std()
            .and_then(|io| state.open_events(io, events, about));
        self.settle(&mut state, opened)
    }

    /// Sends the sessions away, a wave at a time, each some time before it is closed: so those that
    /// take them over have their snapshots and resumes one after another too.
    async fn stop(&self, reason: GoAwayReason, delay: Duration, spread: Duration) {
        self.draining.set(true);
        let waves = u32::try_from(spread.as_millis() / WAVE.as_millis()).unwrap_or(MOST_WAVES);
        let waves = waves.clamp(1, MOST_WAVES);
        let step = spread / waves;
        let begin = tokio::time::Instant::now();
        let sessions = self.state.borrow().all_sessions();
        let each = sessions.len().div_ceil(waves as usize).max(1);
        let mut to_tell = sessions.chunks(each);
        let mut to_close = sessions.chunks(each);
        let (mut told, mut closed) = (0, 0);
        while closed < waves {
            let close_at = begin + step * closed + delay;
            let tell_at = begin + step * told;
            if told < waves && tell_at <= close_at {
                tokio::time::sleep_until(tell_at).await;
                let wave = to_tell.next().unwrap_or_default();
                self.state.borrow_mut().say_go_away(wave, reason, delay);
                told += 1;
            } else {
                tokio::time::sleep_until(close_at).await;
                let wave = to_close.next().unwrap_or_default();
                self.state.borrow_mut().close_wave(wave);
                closed += 1;
            }
            self.work.notify_one();
            if told == waves && self.state.borrow().is_empty() && begin.elapsed() >= delay {
                break;
            }
        }
        self.state.borrow_mut().close_all();
        self.work.notify_one();
        let grace = async {
            while !self.state.borrow().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _left = tokio::time::timeout(CLOSE_GRACE, grace).await;
    }
}
