use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use market::Nanos;
use metrics::ShardMetrics;
use metrics::label::CloseReason;
use slab::Slab;
use streams::{Opcode, Ring, StreamKey};
use tokio::net::TcpStream;
use wire::{Encoding, close};

use super::pump::Segment;
use crate::inbound::Inbound;
use crate::link::{CommandLine, PublisherLink, StreamSlot};
use crate::outgoing::Outgoing;
use crate::rate::TokenBucket;
use crate::seats::Seat;
use crate::session::{Ending, Ping, Session};
use crate::settings::Settings;

/// Everything that a shard's tasks share; they run on one thread and never hold it across a wait.
pub(super) struct State {
    pub(super) index: usize,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<ShardMetrics>,
    pub(super) sessions: Slab<Session>,
    pub(super) streams: Slab<Stream>,
    pub(super) by_key: HashMap<(StreamKey, Encoding), usize>,
    pub(super) publishers: Vec<CommandLine>,
    /// Sessions that have something to send, each once.
    pub(super) dirty: Vec<usize>,
    /// Streams that were given a run since the last time that all sessions were sent to.
    pub(super) touched: Vec<usize>,
    /// When to look after a session's ping, soonest first; all wait equally long.
    pub(super) pings: VecDeque<(Instant, usize, u64)>,
    /// Bytes that the rings of all streams hold.
    pub(super) ring_bytes: usize,
    pub(super) segments: Vec<Segment>,
    pub(super) gather: Vec<u8>,
    /// Tells sessions, streams and subscribers from earlier ones in the same place.
    pub(super) tokens: u64,
}

/// A stream that this shard has subscribers of.
pub(super) struct Stream {
    pub(super) key: StreamKey,
    pub(super) encoding: Encoding,
    pub(super) publisher: usize,
    pub(super) generation: u64,
    pub(super) ring: Ring,
    /// Sessions and their subscribers.
    pub(super) subs: Vec<(usize, usize)>,
    /// Subscribers that the ring is of use to.
    pub(super) holders: usize,
    /// Holders that have not been sent all of the ring; when none is left, the ring is emptied.
    pub(super) behind: usize,
}

impl State {
    pub(super) fn new(
        index: usize,
        settings: &Settings,
        metrics: Arc<ShardMetrics>,
        publishers: Vec<PublisherLink>,
    ) -> Self {
        Self {
            index,
            settings: settings.clone(),
            metrics,
            sessions: Slab::new(),
            streams: Slab::new(),
            by_key: HashMap::new(),
            publishers: publishers.into_iter().map(CommandLine::new).collect(),
            dirty: Vec::new(),
            touched: Vec::new(),
            pings: VecDeque::new(),
            ring_bytes: 0,
            segments: Vec::new(),
            gather: Vec::new(),
            tokens: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    pub(super) const fn next_token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    /// Lets a session in; returns its index and its token.
    pub(super) fn open(
        &mut self,
        io: Rc<TcpStream>,
        encoding: Encoding,
        seat: Seat,
    ) -> (usize, u64) {
        let token = self.next_token();
        let now = Instant::now();
        let index = self.sessions.insert(Session {
            io,
            token,
            encoding,
            subs: Slab::new(),
            ready: Vec::new(),
            outgoing: Outgoing::default(),
            inbound: Inbound::new(self.settings.inbound_message_bytes),
            bucket: TokenBucket::full(self.settings.inbound_burst, now),
            request: None,
            unread: false,
            waker: None,
            queued: false,
            blocked: false,
            more: false,
            heard: true,
            ping: Ping::None,
            ending: Ending::No,
            gone: false,
            _seat: seat,
        });
        self.pings
            .push_back((now + self.settings.ping_interval, index, token));
        self.metrics.sessions_opened.inc();
        self.metrics.sessions_open.inc();
        (index, token)
    }

    /// Forgets a session that has ended.
    pub(super) fn remove(&mut self, index: usize, token: u64) {
        let is_it = |session: &Session| session.token == token;
        if !self.sessions.get(index).is_some_and(is_it) {
            return;
        }
        let subs: Vec<usize> = self.sessions[index]
            .subs
            .iter()
            .map(|(sub, _)| sub)
            .collect();
        for sub in subs {
            self.leave(index, sub);
        }
        let session = self.sessions.remove(index);
        if session.ending == Ending::No {
            self.metrics.sessions_closed[CloseReason::Disconnected].inc();
        }
        self.metrics.sessions_open.dec();
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
        session.outgoing.push(Opcode::Close, &payload);
        session.ending = Ending::Closing {
            until: Instant::now() + self.settings.pong_timeout,
            answered: false,
            deaf: false,
        };
        session.ready = Vec::new();
        session.request = None;
        self.metrics.sessions_closed[reason_of(code)].inc();
        self.mark_dirty(index);
    }

    pub(super) fn close_restart(&mut self, index: usize) {
        self.close(
            index,
            close::RESTART,
            "the node stops; reconnect and resume",
        );
    }

    pub(super) fn mark_dirty(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && !session.queued
        {
            session.queued = true;
            self.dirty.push(index);
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
        _ => CloseReason::Client,
    }
}

/// This machine's clock.
pub(super) fn wall_clock() -> Nanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Nanos(since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }))
}
