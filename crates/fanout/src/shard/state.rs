use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use market::Epoch;
use metrics::ShardMetrics;
use metrics::label::CloseReason;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use slab::Slab;
use std::os::fd::AsRawFd as _;
use streams::{Chunks, Opcode, Ring, StreamKey};
use wire::{Encoding, close};

use super::Common;
use super::followed::Followed;
use super::pump::Batch;
use super::rest::Sent;
use super::sender::Sender;
use super::sweep::{self, Check};
use crate::events::{EventStart, EventState};
use crate::history::ReplayLine;
use crate::link::{CommandLine, PublisherLink, StreamSlot, SubscriberId};
use crate::rate::TokenBucket;
use crate::session::{About, Ending, Session};
use crate::settings::Settings;
use crate::wheel::Wheel;

/// Everything that a shard's tasks share; they run on one thread and never hold it across a wait.
pub(super) struct State {
    pub(super) index: usize,
    pub(super) common: Arc<Common>,
    /// Those in force, looked at anew every tick.
    pub(super) settings: Arc<Settings>,
    pub(super) metrics: Arc<ShardMetrics>,
    pub(super) registry: Registry,
    pub(super) sessions: Slab<Session>,
    pub(super) streams: Slab<Stream>,
    pub(super) by_key: HashMap<(StreamKey, Encoding), usize>,
    pub(super) publishers: Vec<CommandLine>,
    /// Of subscribers that are sent the past.
    pub(super) replays: HashMap<SubscriberId, ReplayLine>,
    /// Sessions that have something to send, each once.
    pub(super) to_send: VecDeque<u32>,
    /// Sessions whose sockets may have something to read, each once.
    pub(super) to_read: Vec<u32>,
    /// Sessions that may have ended.
    pub(super) to_end: Vec<u32>,
    /// Streams that were given a run, or whose last subscriber in arrears caught up, since their
    /// rings were last looked at.
    pub(super) touched: Vec<usize>,
    /// When to look after sessions.
    pub(super) checks: Wheel<Check>,
    /// How many sessions' sockets are full.
    pub(super) blocked: usize,
    /// Bytes that the rings of all streams hold.
    pub(super) ring_bytes: usize,
    /// Whether streams have marks, from where on their rings are kept at the next pass's end.
    pub(super) marked: bool,
    pub(super) spare: Chunks,
    /// Followed records that came since the last pass ended.
    pub(super) followed: Vec<Followed>,
    /// Sent in this turn.
    pub(super) sent: Sent,
    /// Taken out while a pass is under way.
    pub(super) batch: Option<Box<Batch>>,
    /// What is received is read into here, so that a session that waits has no buffer.
    pub(super) received: Box<[u8]>,
    /// Bounds the lines of the log about sessions, and counts those that were left out.
    pub(super) lines: TokenBucket,
    pub(super) lines_left_out: u64,
    /// Tells sessions and streams from earlier ones in the same place.
    tokens: u64,
    began: Instant,
}

/// A stream that this shard has subscribers of.
pub(super) struct Stream {
    pub(super) key: StreamKey,
    pub(super) encoding: Encoding,
    pub(super) publisher: usize,
    pub(super) generation: u64,
    pub(super) ring: Ring,
    /// The epoch of the last run, and the number of the frame behind the run that began it: who has
    /// passed that is in it.
    pub(super) epoch: Epoch,
    pub(super) epoch_from: u64,
    /// What sessions with room have been sent once all have been visited.
    pub(super) mark: u64,
    /// Sessions and their subscribers.
    pub(super) subs: Vec<(u32, u16)>,
    /// Subscribers that the ring is of use to.
    pub(super) holders: usize,
    /// Holders that have not been sent all of the ring; when none is left, the ring is emptied.
    pub(super) behind: usize,
}

/// Bytes read at once: as many as a request may have.
const READ: usize = 4096;

impl State {
    pub(super) fn new(
        index: usize,
        common: Arc<Common>,
        metrics: Arc<ShardMetrics>,
        publishers: Vec<PublisherLink>,
        registry: Registry,
    ) -> Self {
        let settings = common.live.get();
        let sender = Sender::new(settings.batched_sends);
        Self {
            index,
            common,
            settings,
            metrics,
            registry,
            sessions: Slab::new(),
            streams: Slab::new(),
            by_key: HashMap::new(),
            publishers: publishers.into_iter().map(CommandLine::new).collect(),
            replays: HashMap::new(),
            to_send: VecDeque::new(),
            to_read: Vec::new(),
            to_end: Vec::new(),
            touched: Vec::new(),
            checks: Wheel::new(),
            blocked: 0,
            ring_bytes: 0,
            marked: false,
            spare: Chunks::default(),
            followed: Vec::new(),
            sent: Sent::default(),
            batch: Some(Box::new(Batch::new(sender))),
            received: vec![0; READ].into_boxed_slice(),
            lines: TokenBucket::full(Self::lines(), 0),
            lines_left_out: 0,
            tokens: 0,
            began: Instant::now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(super) const fn next_token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// A token that tells one from the last four thousand million others.
    #[expect(clippy::cast_possible_truncation, reason = "that is what is wanted")]
    pub(super) const fn short_token(&mut self) -> u32 {
        self.next_token() as u32
    }

    /// Milliseconds since the shard began, modulo 2^32.
    #[expect(clippy::cast_possible_truncation, reason = "a modulus")]
    pub(super) fn millis(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.began).as_millis() as u32
    }

    /// Lets a session in that has sent `read_ahead` behind its handshake.
    pub(super) fn open(
        &mut self,
        io: TcpStream,
        encoding: Encoding,
        about: About,
        read_ahead: &[u8],
    ) -> io::Result<usize> {
        let token = self.short_token();
        let bucket = TokenBucket::full(self.settings.inbound_burst, self.millis(Instant::now()));
        let place = self.sessions.vacant_entry();
        let index = place.key();
        self.registry.register(
            &mut SourceFd(&io.as_raw_fd()),
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let expires = about.seat.grant().expires();
        place.insert(Session::new(io, token, encoding, bucket, about));
        if let Some(expires) = expires {
            self.look_at_expiry(index, token, expires);
        }
        let ticks = sweep::ticks(self.settings.ping_interval);
        self.checks.add(ticks, Check::life(index, token));
        let ticks = sweep::ticks(sweep::QUIET);
        self.checks.add(ticks, Check::quiet(index, token));
        self.metrics.sessions_opened.inc();
        self.metrics.sessions_open.inc();
        if !read_ahead.is_empty() {
            self.take_bytes(index, read_ahead);
        }
        // What came between the last read of the handshake and now is told by no event.
        self.mark_readable(index);
        Ok(index)
    }

    /// Lets a client in that is sent events, and subscribes it to what it wants.
    pub(super) fn open_events(
        &mut self,
        io: TcpStream,
        events: EventStart,
        mut about: About,
    ) -> io::Result<usize> {
        about.events = Some(Box::new(EventState::new(events.asked.last)));
        let index = self.open(io, Encoding::Json, about, &[])?;
        if let Some(session) = self.sessions.get_mut(index) {
            session.outgoing().push_rest(&events.head);
        }
        let streams = events.asked.streams.into_iter().map(Ok).collect();
        let directory = Arc::clone(&self.common.directory);
        self.subscribe(index, None, streams, &directory);
        self.mark_to_send(index);
        Ok(index)
    }

    /// Forgets a session that has ended; its socket is closed with it.
    fn remove(&mut self, index: usize) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let subs: Vec<usize> = session.subs().map(|(sub, _)| sub).collect();
        for sub in subs {
            self.leave(index, sub);
        }
        let session = self.sessions.remove(index);
        self.blocked -= usize::from(session.blocked);
        if !session.is_ending() {
            self.metrics.sessions_closed[CloseReason::Disconnected].inc();
        }
        self.say_farewell(&session);
        self.metrics.sessions_open.dec();
        self.common.balance.leave(self.index);
    }

    /// Forgets all sessions that have ended.
    pub(super) fn remove_ended(&mut self) {
        while let Some(index) = self.to_end.pop() {
            let index = index as usize;
            if self.sessions.get(index).is_some_and(Session::has_ended) {
                self.remove(index);
            }
        }
    }

    /// The socket is of no more use.
    pub(super) fn lose(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.gone = true;
            self.may_have_ended(index);
        }
    }

    pub(super) fn may_have_ended(&mut self, index: usize) {
        self.to_end.push(number(index));
    }

    /// Sends a close frame behind what is outgoing, and nothing of its streams any more.
    pub(super) fn close(&mut self, index: usize, code: u16, reason: &str) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if session.is_ending() {
            return;
        }
        let mut payload = code.to_be_bytes().to_vec();
        // A control frame has at most 125 bytes; our reasons are short.
        payload.extend(reason.bytes().take(123));
        session.say(Opcode::Close, &payload);
        session.ending = Some(Box::new(Ending {
            code,
            reason: reason.into(),
            until: Instant::now() + self.settings.pong_timeout,
            answered: false,
            deaf: false,
        }));
        session.request = None;
        let token = session.token;
        let subs: Vec<usize> = session.subs().map(|(sub, _)| sub).collect();
        let ticks = sweep::ticks(self.settings.pong_timeout);
        self.checks.add(ticks, Check::life(index, token));
        self.metrics.sessions_closed[reason_of(code)].inc();
        // Its streams go on without it.
        for sub in subs {
            self.leave(index, sub);
        }
        self.mark_to_send(index);
    }

    pub(super) fn close_restart(&mut self, index: usize) {
        self.close(
            index,
            close::RESTART,
            "the node stops; reconnect and resume",
        );
    }

    /// The session has something to send; while its socket is full, that waits.
    pub(super) fn mark_to_send(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && !session.queued
            && !session.blocked
        {
            session.queued = true;
            self.to_send.push_back(number(index));
        }
    }

    pub(super) fn slot_of(&self, stream: usize) -> StreamSlot {
        StreamSlot {
            shard: self.index,
            slot: stream,
            generation: self.streams[stream].generation,
        }
    }
}

/// An index of a slab as a list has it: sessions are bounded far below.
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn reason_of(code: u16) -> CloseReason {
    match code {
        close::PROTOCOL_ERROR => CloseReason::Protocol,
        close::UNSUPPORTED_DATA => CloseReason::Binary,
        close::INVALID_TEXT => CloseReason::BadText,
        close::TOO_LARGE => CloseReason::TooLarge,
        close::RESTART => CloseReason::Drain,
        close::TOO_SLOW => CloseReason::TooSlow,
        close::HEARTBEAT => CloseReason::Heartbeat,
        close::RATE_EXCEEDED => CloseReason::Rate,
        close::EXPIRED => CloseReason::Expired,
        _ => CloseReason::Client,
    }
}
