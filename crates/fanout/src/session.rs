use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use market::{Epoch, Position};
use slab::Slab;
use streams::{Cursor, Run};
use tokio::net::TcpStream;
use wire::Encoding;
use wire::control::{Outcome, Policy, RequestId, StreamKey, Subscribed};

use crate::inbound::Inbound;
use crate::outgoing::Outgoing;
use crate::rate::TokenBucket;
use crate::seats::Seat;

/// One client's connection.
pub(crate) struct Session {
    pub(crate) io: Rc<TcpStream>,
    pub(crate) token: u64,
    pub(crate) encoding: Encoding,
    pub(crate) subs: Slab<Sub>,
    /// Subscribers that have something to send, each once.
    pub(crate) ready: Vec<usize>,
    pub(crate) outgoing: Outgoing,
    pub(crate) inbound: Inbound,
    pub(crate) bucket: TokenBucket,
    /// The request that waits for its publishers; no other is read before it is answered.
    pub(crate) request: Option<Box<PendingRequest>>,
    /// Something that was received waits behind the request.
    pub(crate) unread: bool,
    /// The task that reads the socket and waits for it to be writable.
    pub(crate) waker: Option<Waker>,
    /// Whether it waits in its shard's list of sessions to be sent to.
    pub(crate) queued: bool,
    /// The socket took less than it was given; nothing is sent before it is writable again.
    pub(crate) blocked: bool,
    /// It had its turn and has still more to send: its own task goes on.
    pub(crate) more: bool,
    /// Anything came from the client since its ping was last looked after.
    pub(crate) heard: bool,
    pub(crate) ping: Ping,
    pub(crate) ending: Ending,
    /// The socket is of no more use.
    pub(crate) gone: bool,
    pub(crate) _seat: Seat,
}

/// A subscriber: a session's place in a stream.
pub(crate) struct Sub {
    pub(crate) stream: usize,
    /// Its index in the stream's list.
    pub(crate) place: usize,
    pub(crate) token: u64,
    pub(crate) phase: Phase,
    pub(crate) cursor: Cursor,
    pub(crate) epoch: Epoch,
    pub(crate) policy: Policy,
    /// Whether it waits in its session's list.
    pub(crate) queued: bool,
}

/// How far a subscriber is.
pub(crate) enum Phase {
    /// Its publisher was asked for a start; which result of the pending request it will be.
    Joining { result: usize },
    /// It has its start, and the answer to its request has not been sent.
    Held(Option<Arc<Run>>),
    /// It is sent its start, or what catches it up, from this byte on.
    Starting { run: Arc<Run>, at: u32 },
    /// It is sent the stream's runs.
    Live,
    /// It fell behind, and its publisher was asked to catch it up.
    Fallen,
}

/// The state of a session's ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ping {
    /// None is under way.
    None,
    /// Sent, and not answered by any sign of life.
    Sent,
}

/// How far the end of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It goes on.
    No,
    /// A close frame is to be sent, or was; at the latest then the connection is cut.
    Closing {
        /// When that is.
        until: Instant,
        /// Whether the client has closed as well: nothing is left but to send what is outgoing.
        answered: bool,
        /// Whether what the client sends has no meaning any more. It is still received, since a
        /// socket that is dropped with unread bytes takes the close frame back.
        deaf: bool,
    },
}

/// A `subscribe` whose streams are being joined.
pub(crate) struct PendingRequest {
    pub(crate) id: Option<RequestId>,
    pub(crate) results: Vec<PendingResult>,
    pub(crate) waiting: usize,
}

/// One stream of it.
pub(crate) enum PendingResult {
    /// Its publisher has not answered.
    Waiting(StreamKey),
    /// It has.
    Done(Outcome<Subscribed>),
}

impl Sub {
    pub(crate) const fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            seq: self.cursor.seq,
        }
    }

    /// Whether the stream's ring is of use to it.
    pub(crate) const fn holds_ring(&self) -> bool {
        matches!(
            self.phase,
            Phase::Held(_) | Phase::Starting { .. } | Phase::Live
        )
    }
}

impl Session {
    pub(crate) const fn is_ending(&self) -> bool {
        !matches!(self.ending, Ending::No)
    }

    /// Whether nothing is left to do.
    pub(crate) const fn has_ended(&self) -> bool {
        let said = matches!(self.ending, Ending::Closing { answered: true, .. });
        self.gone || said && self.outgoing.is_empty()
    }

    /// Whether what the client sends is thrown away.
    pub(crate) const fn is_deaf(&self) -> bool {
        matches!(self.ending, Ending::Closing { deaf: true, .. })
    }

    /// Wakes the session's task, for it to look at what changed.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
