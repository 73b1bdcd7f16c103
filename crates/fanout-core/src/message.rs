//! The messages between shards and publishers: commands one way, deliveries the other.

use std::sync::Arc;

use market::{Epoch, Position};
use streams::{CaughtUp, Joined, Refused, Run, Runs, StreamKey};
use wire::Encoding;
use wire::control::{Earliest, Pace, Start};

use crate::trace::Marks;

/// A stream's place in a shard, distinguished from earlier streams in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSlot {
    /// Which shard.
    pub shard: usize,
    /// Its place there.
    pub slot: usize,
    /// Which of those that have had the place.
    pub generation: u64,
}

/// A subscription: a session's position in a stream; `token` distinguishes it from earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriptionId {
    /// Its session's place in the shard.
    pub session: usize,
    /// Its place in the session.
    pub subscription: usize,
    /// Which of those that have had the place.
    pub token: u64,
}

/// What a shard asks of a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The stream.
    pub stream: StreamSlot,
    /// What it is a stream of.
    pub key: StreamKey,
    /// In which encoding.
    pub encoding: Encoding,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// To let a subscription in.
    Join {
        /// Which.
        id: SubscriptionId,
        /// What its client has.
        resume: Option<Position>,
        /// It comes from another view of the same book, and must not start before that.
        moves: bool,
        /// It asks for what it begins with by [`Ask::Start`], when it has room.
        later: bool,
    },
    /// To let a subscription in that starts in the past.
    Replay {
        /// Which.
        id: SubscriptionId,
        /// Where it starts.
        start: Start,
        /// How fast it is sent.
        pace: Option<Pace>,
    },
    /// For what a subscription begins with, or the next page of it.
    Start {
        /// Which.
        id: SubscriptionId,
        /// What its client has.
        from: Option<Position>,
    },
    /// For where a replay meets the live stream, which its subscription is to hold from there on.
    Handover {
        /// Which.
        id: SubscriptionId,
        /// The epoch that it has; none when the live stream has to begin with its state.
        epoch: Option<Epoch>,
    },
    /// For what catches up a lagging subscription.
    CatchUp {
        /// Which.
        id: SubscriptionId,
        /// What its client has.
        from: Position,
    },
    /// To send the stream no more: the shard has no subscription of it.
    Leave,
}

/// What a publisher hands a shard.
#[derive(Debug)]
pub enum Delivery {
    /// The runs of one batch, which of them go where, and which of its records are traced.
    Runs {
        /// All runs of the batch.
        runs: Arc<Runs>,
        /// Those that the shard has subscriptions of.
        places: Vec<RunRoute>,
        /// Traced records.
        marks: Option<Arc<Marks>>,
    },
    /// A subscription may begin, after all runs delivered so far.
    Joined {
        /// Which.
        id: SubscriptionId,
        /// How, or why not.
        outcome: Result<Joined, JoinError>,
    },
    /// What a subscription begins with, after all runs delivered so far.
    Started {
        /// Which.
        id: SubscriptionId,
        /// What it is sent; none where the stream is no longer made.
        started: Option<CaughtUp>,
    },
    /// The next page of the past.
    Replayed {
        /// For which subscription.
        id: SubscriptionId,
        /// The page.
        page: ReplayPage,
    },
    /// A subscription that is being sent the past holds the live stream, after all runs delivered so
    /// far.
    HandedOver {
        /// Which.
        id: SubscriptionId,
        /// From where on; none where the stream is no longer made.
        handover: Option<Handover>,
    },
    /// A lagging subscription may go on, after all runs delivered so far.
    CaughtUp {
        /// Which.
        id: SubscriptionId,
        /// What it is sent; none where the stream is no longer made.
        caught_up: Option<CaughtUp>,
    },
}

/// One of a batch's runs, and the stream that it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRoute {
    /// The stream's place in the shard.
    pub slot: usize,
    /// Which of those that have had the place.
    pub generation: u64,
    /// Which of the runs.
    pub run: usize,
}

/// Why a subscription may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinError {
    /// The publisher has not caught up with what was in the log when it started: what it would send
    /// is of the past, and a client that resumes would be led back there.
    NotReady,
    /// There is no such stream.
    Refused(Refused),
    /// There are as many replays as there may be.
    Busy,
    /// This node does not replay.
    NoHistory,
    /// The past cannot be sent.
    Replay(ReplayError),
}

/// Why a replay does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayError {
    /// What the start needs is no longer in the log.
    TooEarly(Option<Earliest>),
    /// The log cannot be read at the moment.
    Unreadable,
}

/// What a session orders from its replay.
#[derive(Debug, Clone)]
pub enum ReplayCommand {
    /// The last page has gone out: it can be sent another.
    Page,
    /// The session holds the live stream from there on.
    Live(Handover),
}

/// Where a session begins to hold its live stream.
#[derive(Debug, Clone)]
pub struct Handover {
    /// The live stream's last message, which the replay is to lead to.
    pub position: Position,
    /// What leads there without the replay, where that cannot.
    pub start: Option<Arc<Run>>,
}

/// What comes after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPage {
    /// Another page.
    More,
    /// The replay is where the log ends: the session is to hold the live stream. `restarts` when the
    /// replay cannot lead there.
    Live {
        /// Whether the live stream has to begin with its state.
        restarts: bool,
    },
    /// The live stream.
    Done,
    /// Nothing: the log cannot be read on.
    Broken,
}

/// Messages of the past.
#[derive(Debug)]
pub struct ReplayPage {
    /// The messages.
    pub run: Option<Arc<Run>>,
    /// Where its receiver then is.
    pub position: Position,
    /// What comes next.
    pub next: NextPage,
}

impl Ask {
    /// The subscription that is asked for, where it is one.
    #[must_use]
    pub const fn subscription_id(&self) -> Option<SubscriptionId> {
        match self {
            Self::Join { id, .. }
            | Self::Replay { id, .. }
            | Self::Start { id, .. }
            | Self::Handover { id, .. }
            | Self::CatchUp { id, .. } => Some(*id),
            Self::Leave => None,
        }
    }
}
