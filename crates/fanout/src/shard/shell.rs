//! The shell around the core: sockets, links to publishers and replays, and clocks.

mod sends;

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use fanout_core::{Ask, Batch, Core, Delivery, Opening, Outputs, SubscriptionId};
use market::Now;
use metrics::ShardMetrics;
use mio::Registry;

use super::ShardContext;
use super::ended::EndLog;
use super::poll::Ready;
use super::rest;
use super::sender::Sender;
use super::sockets::{ClientInfo, Sockets};
use crate::clock;
use crate::history::{Asker, ReplayQueue};
use crate::link::{CommandQueue, PublisherLink};
use crate::posted_command::PostedCommand;
use crate::settings::Settings;

/// Reads of one socket before others get their turn.
const READS_A_VISIT: usize = 4;
/// Bytes per read: the size of the largest request.
const READ: usize = 4096;

/// A core and its surroundings. It moves bytes, commands and deliveries between them and reads the
/// clocks, but decides nothing.
pub(super) struct Shell {
    core: Core,
    sockets: Sockets,
    publishers: Vec<CommandQueue>,
    /// Replays of subscriptions, by their IDs.
    replays: HashMap<SubscriptionId, ReplayQueue>,
    common: Arc<ShardContext>,
    /// The settings last passed to the core.
    settings: Arc<Settings>,
    metrics: Arc<ShardMetrics>,
    index: usize,
    log: EndLog,
    sender: Sender,
    /// Taken out during a pass.
    batch: Option<Box<Batch>>,
    results: Vec<io::Result<usize>>,
    /// Sends of a batch that are made together, and those that are encrypted one by one.
    plain: Vec<usize>,
    encrypted: Vec<usize>,
    /// Read buffer shared by all sessions, so that a waiting session has none.
    received: Box<[u8]>,
    readable: Vec<u32>,
    /// Sent in this turn.
    pub(super) sent: rest::Sent,
}

impl Shell {
    pub(super) fn new(
        index: usize,
        common: Arc<ShardContext>,
        metrics: Arc<ShardMetrics>,
        publishers: Vec<PublisherLink>,
        registry: Registry,
    ) -> Self {
        let settings = common.live.get();
        let now = clock::now();
        let core = Core::new(
            index,
            Arc::new(settings.session.clone()),
            Arc::clone(&common.directory),
            Arc::clone(&metrics),
            now,
        );
        Self {
            core,
            sockets: Sockets::new(registry),
            publishers: publishers.into_iter().map(CommandQueue::new).collect(),
            replays: HashMap::new(),
            common,
            sender: Sender::new(settings.batched_sends),
            settings,
            metrics,
            index,
            log: EndLog::new(millis(now)),
            batch: Some(Box::default()),
            results: Vec::new(),
            plain: Vec::new(),
            encrypted: Vec::new(),
            received: vec![0; READ].into_boxed_slice(),
            readable: Vec::new(),
            sent: rest::Sent::default(),
        }
    }

    pub(super) const fn core(&self) -> &Core {
        &self.core
    }

    /// Opens a session whose client sent `read_ahead` after its handshake.
    pub(super) fn open(
        &mut self,
        io: TcpStream,
        read_ahead: &[u8],
        opening: Opening,
        client: ClientInfo,
    ) -> io::Result<()> {
        let now = clock::now();
        let index = self.core.open(opening, now);
        if let Err(error) = self.sockets.insert(index, io, client) {
            self.core.lost(index);
            self.core.remove_ended();
            self.carry_out();
            return Err(error);
        }
        if !read_ahead.is_empty() {
            self.core.received(index, read_ahead, now);
        }
        // No event reports what arrived between the last read of the handshake and now.
        self.sockets.list(index, true);
        self.carry_out();
        Ok(())
    }

    /// Passes a delivery to the core. Sends nothing yet.
    pub(super) fn deliver(&mut self, delivery: Delivery) {
        self.core.deliver(delivery, clock::now());
    }

    /// Notes that a socket is ready.
    pub(super) fn ready(&mut self, ready: Ready) {
        let index = ready.session;
        if ready.writable && self.flush(index) {
            self.core.writable(index);
        }
        if ready.readable {
            self.sockets.list(index, true);
        }
    }

    /// Receives, sends, and removes sessions that have ended, visiting each session once. Returns
    /// whether there is more to do.
    pub(super) fn turn(&mut self, take_in: impl FnMut(&mut Self)) -> bool {
        let mut more = self.read_pass();
        // Read the sockets first: a client that has responded is not closed for its silence.
        let now = clock::now();
        if self.core.next_due().is_some_and(|due| due <= now.monotonic) {
            self.core.advance(now);
        }
        self.carry_out();
        more |= self.send_pass(take_in);
        self.core.remove_ended();
        self.carry_out();
        // Those whose answers have gone: their next requests wait in the node, for which no socket wakes it.
        self.list_readable();
        more || self.sockets.has_listed()
    }

    /// Applies new settings and retries commands that publishers could not take, several times a
    /// second.
    pub(super) fn tick(&mut self) {
        let settings = self.common.live.get();
        if !Arc::ptr_eq(&settings, &self.settings) {
            self.core.set_settings(Arc::new(settings.session.clone()));
            self.settings = settings;
        }
        for publisher in &mut self.publishers {
            if publisher.is_waiting() {
                publisher.retry();
            }
        }
    }

    /// Starts to drain all sessions.
    pub(super) fn drain(&mut self, life: super::Lifecycle) {
        if let super::Lifecycle::Stopping {
            reason,
            delay,
            spread,
        } = life
        {
            self.core.drain(reason, delay, spread, clock::now());
            self.carry_out();
        }
    }

    /// Does what the core asks for.
    fn carry_out(&mut self) {
        let Outputs {
            commands,
            replay_commands,
            left_replays,
            finished,
            rule_breakers,
            ended,
            passages,
        } = self.core.outputs();
        for (publisher, command) in commands.drain(..) {
            let replay = match command.ask {
                Ask::Replay { id, .. } => {
                    let (queue, commands) = ReplayQueue::new();
                    self.replays.insert(id, queue);
                    let socket = self.sockets.get(id.session);
                    let asker = Asker {
                        // Sessions of other shards may have the same token.
                        session: Some((self.index as u64) << 48 | id.token >> 16),
                        address: socket.map(|socket| socket.client.peer.ip()),
                    };
                    Some((commands, asker))
                }
                _ => None,
            };
            if let Some(queue) = self.publishers.get_mut(publisher) {
                queue.send(PostedCommand { command, replay });
            }
        }
        let mut broken = Vec::new();
        for (id, command) in replay_commands.drain(..) {
            let queue = self.replays.get(&id);
            if !queue.is_some_and(|queue| queue.send(command)) {
                broken.push(id);
            }
        }
        for id in left_replays.drain(..) {
            self.replays.remove(&id);
        }
        for (marks, passage) in passages.drain(..) {
            marks.tracer.passed(passage);
        }
        let mut blocked = Vec::new();
        for index in finished.drain(..) {
            if let Some(socket) = self.sockets.get_mut(index)
                && !socket.end_sending()
            {
                blocked.push(index);
            }
        }
        for index in rule_breakers.drain(..) {
            if let Some(socket) = self.sockets.get(index) {
                let breakers = &self.common.rule_breakers;
                breakers.closed(socket.client.peer.ip(), Instant::now());
            }
        }
        for ended in ended.drain(..) {
            if let Some(client) = self.sockets.remove(ended.session) {
                self.log.log(&ended, &client, millis(clock::now()));
                self.common.balance.leave(self.index);
            }
        }
        for index in blocked {
            self.core.block(index);
        }
        for id in broken {
            self.replays.remove(&id);
            self.core.replay_ended(id, clock::now());
        }
    }

    /// Reads every socket that may have data. Returns whether there may be more.
    fn read_pass(&mut self) -> bool {
        self.list_readable();
        let now = clock::now();
        let listed = self.sockets.take_listed();
        for index in &listed {
            let index = *index as usize;
            self.core.resume(index, now);
            self.read_session(index, now);
        }
        self.sockets.give_list(listed);
        self.list_readable();
        self.sockets.has_listed()
    }

    /// Lists the sockets of sessions that may be read again.
    fn list_readable(&mut self) {
        self.core.take_readable(&mut self.readable);
        for index in self.readable.drain(..) {
            self.sockets.list(index as usize, false);
        }
    }

    fn read_session(&mut self, index: usize, now: Now) {
        for _ in 0..READS_A_VISIT {
            let Some(socket) = self.sockets.get_mut(index) else {
                return;
            };
            if !socket.readable || !self.core.may_receive(index) {
                return;
            }
            let received = socket.receive(&mut self.received);
            if socket.holds_records() {
                // TLS has something of its own to send, such as the answer to a key update.
                self.flush(index);
            }
            match received {
                Ok(0) => return self.core.lost(index),
                Ok(n) => self.core.received(index, &self.received[..n], now),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(socket) = self.sockets.get_mut(index) {
                        socket.readable = false;
                    }
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.end(index, &error),
            }
        }
        self.sockets.list(index, false);
    }

    /// Flushes the session's TLS records. Returns whether the socket took all of them.
    fn flush(&mut self, index: usize) -> bool {
        let Some(socket) = self.sockets.get_mut(index) else {
            return false;
        };
        if !socket.is_tls {
            return true;
        }
        match socket.flush() {
            Ok(true) => true,
            Ok(false) => {
                self.core.block(index);
                false
            }
            Err(error) => {
                self.end(index, &error);
                false
            }
        }
    }

    /// Notes that a session's connection is unusable.
    fn end(&mut self, index: usize, error: &io::Error) {
        if is_end(error) {
            self.core.lost(index);
        } else {
            self.core.failed(index);
        }
    }
}

/// Returns whether the client has disconnected, which is no failure of the socket.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionReset | TimedOut | UnexpectedEof
    )
}

/// Returns monotonic milliseconds modulo 2^32.
#[expect(clippy::cast_possible_truncation, reason = "a modulus")]
const fn millis(now: Now) -> u32 {
    (now.monotonic.0 / 1_000_000) as u32
}
