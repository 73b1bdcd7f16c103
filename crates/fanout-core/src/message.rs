//! Messages between shards and publishers: commands one way, deliveries the other.

use std::sync::Arc;

use market::{Epoch, Position};
use streams::{CaughtUp, Joined, Rejected, Run, Runs, StreamKey};
use wire::Encoding;
use wire::control::{Earliest, Pace, Start};

use crate::trace::Marks;

/// A stream in a shard. `generation` distinguishes it from earlier streams in the same slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSlot {
    /// Index of the shard.
    pub shard: usize,
    /// Slot in the shard.
    pub slot: usize,
    /// Distinguishes successive streams in one slot.
    pub generation: u64,
}

/// A subscription of a session. `token` distinguishes it from earlier ones at the same index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriptionId {
    /// Index of the session in its shard.
    pub session: usize,
    /// Index of the subscription in its session.
    pub subscription: usize,
    /// Distinguishes successive subscriptions at one index.
    pub token: u64,
}

/// A shard's request to a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The stream, as the shard knows it.
    pub stream: StreamSlot,
    /// The stream, as the publisher knows it.
    pub key: StreamKey,
    /// Encoding of the stream's messages.
    pub encoding: Encoding,
    /// What the shard wants.
    pub ask: Ask,
}

/// What a shard wants of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Join a new subscription to the stream.
    Join {
        /// The subscription.
        id: SubscriptionId,
        /// The client's last position, if it resumes.
        resume: Option<Position>,
        /// Whether the subscription comes from another view of the same book, so that it must not
        /// start at an earlier state than the client already has.
        moves: bool,
        /// Whether the subscription requests its initial state later, by [`Ask::Start`], once it
        /// has room.
        later: bool,
    },
    /// Join a new subscription that starts in the past.
    Replay {
        /// The subscription.
        id: SubscriptionId,
        /// Start of the replay.
        start: Start,
        /// Speed of the replay.
        pace: Option<Pace>,
    },
    /// Send a subscription's initial state, or the next page of it.
    Start {
        /// The subscription.
        id: SubscriptionId,
        /// The client's last position, if any.
        from: Option<Position>,
    },
    /// Return the position at which a replay meets the live stream; the subscription holds the live
    /// stream from there on.
    Handover {
        /// The subscription.
        id: SubscriptionId,
        /// The client's epoch; `None` if the live stream has to start with a snapshot.
        epoch: Option<Epoch>,
    },
    /// Catch up a lagging subscription.
    CatchUp {
        /// The subscription.
        id: SubscriptionId,
        /// The client's last position.
        from: Position,
    },
    /// Stop sending the stream: the shard has no subscription left.
    Leave,
}

/// What a publisher sends to a shard.
#[derive(Debug)]
pub enum Delivery {
    /// The runs of one batch.
    Runs {
        /// All runs of the batch.
        runs: Arc<Runs>,
        /// The runs for streams that the shard has subscriptions of.
        places: Vec<RunRoute>,
        /// Traced records of the batch.
        marks: Option<Arc<Marks>>,
    },
    /// The answer to [`Ask::Join`]; the subscription follows all runs delivered so far.
    Joined {
        /// The subscription.
        id: SubscriptionId,
        /// How it starts, or why it was rejected.
        outcome: Result<Joined, JoinError>,
    },
    /// The answer to [`Ask::Start`], following all runs delivered so far.
    Started {
        /// The subscription.
        id: SubscriptionId,
        /// What to send; `None` if the stream no longer exists.
        started: Option<CaughtUp>,
    },
    /// The next page of a replay.
    Replayed {
        /// The subscription.
        id: SubscriptionId,
        /// The page.
        page: ReplayPage,
    },
    /// The answer to [`Ask::Handover`]: the subscription holds the live stream after all runs
    /// delivered so far.
    HandedOver {
        /// The subscription.
        id: SubscriptionId,
        /// Where it joins the live stream; `None` if the stream no longer exists.
        handover: Option<Handover>,
    },
    /// A stream ended: the publisher can no longer provide it.
    Ended {
        /// Slot of the stream in the shard.
        slot: usize,
        /// Generation of the stream in that slot.
        generation: u64,
    },
    /// The answer to [`Ask::CatchUp`], following all runs delivered so far.
    CaughtUp {
        /// The subscription.
        id: SubscriptionId,
        /// What to send; `None` if the stream no longer exists.
        caught_up: Option<CaughtUp>,
    },
}

/// Routes one run of a batch to a stream of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRoute {
    /// Slot of the stream in the shard.
    pub slot: usize,
    /// Generation of the stream in that slot.
    pub generation: u64,
    /// Index of the run in the batch.
    pub run: usize,
}

/// Why a subscription was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinError {
    /// The publisher has not caught up with the log yet, so a resuming client would be sent back in
    /// time.
    NotReady,
    /// The publisher rejects the stream.
    Refused(Rejected),
    /// The node runs as many replays as it may.
    Busy,
    /// The node does not replay.
    NoHistory,
    /// The replay cannot start.
    Replay(ReplayError),
}

/// Why a replay cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayError {
    /// The log no longer has what the start needs. Holds the earliest possible start, if known.
    TooEarly(Option<Earliest>),
    /// The log cannot be read right now.
    Unreadable,
}

/// A session's command to its replay.
#[derive(Debug, Clone)]
pub enum ReplayCommand {
    /// The last page has been sent; send the next one.
    Page,
    /// The session holds the live stream from here on.
    Live(Handover),
}

/// Where a session joins its live stream.
#[derive(Debug, Clone)]
pub struct Handover {
    /// Position of the live stream's last message; the replay leads up to it.
    pub position: Position,
    /// A run that leads to `position`, for a replay that cannot.
    pub start: Option<Arc<Run>>,
}

/// What follows a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPage {
    /// Another page.
    More,
    /// The live stream: the replay has reached the end of the log, and the session has to hold the
    /// live stream.
    Live {
        /// Whether the live stream has to start with a snapshot, because the replay cannot lead up
        /// to it.
        restarts: bool,
    },
    /// The live stream, which the session already holds.
    Done,
    /// Nothing, because the log cannot be read any further.
    Broken,
}

/// A page of a replay.
#[derive(Debug)]
pub struct ReplayPage {
    /// The messages; `None` if the page is empty.
    pub run: Option<Arc<Run>>,
    /// The client's position after the page.
    pub position: Position,
    /// What follows.
    pub next: NextPage,
}

impl Ask {
    /// Returns the subscription concerned, if there is one.
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
