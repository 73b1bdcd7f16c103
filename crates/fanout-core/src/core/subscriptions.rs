//! Starting and ending subscriptions.

use std::sync::Arc;

use market::{Channel, Position, Seq};
use streams::{Cursor, StreamKey};
use wire::control::{self, Pace, Policy, Start};
use wire::{Depth, Encoding, ViewParams};

use super::Core;
use crate::Listing;
use crate::message::Ask;
use crate::session::{Backlogs, PendingJoin, Phase, ReplayPhase, Subscription, Weight};
use crate::sessions::number;

/// Levels per side up to which a book is a small backlog: at 16 bytes per level in SBE, 320 bytes.
const SMALL_DEPTH: usize = 10;

/// A stream to be joined.
pub(super) struct Join {
    pub(super) key: StreamKey,
    pub(super) listing: Arc<Listing>,
    pub(super) publisher: usize,
    pub(super) policy: Policy,
    pub(super) resume: Option<Position>,
    /// Start and speed of a replay.
    pub(super) replay: Option<(Start, Option<Pace>)>,
    /// Index of its result in the pending request.
    pub(super) result: usize,
    /// The subscription of the same session that ends when this one starts.
    pub(super) replaces: Option<u16>,
}

/// Returns the expected size of a subscription's initial state or catch-up.
pub(super) fn weight_of(key: &StreamKey, subscription: &Subscription) -> Weight {
    let catches_up = matches!(subscription.phase, Phase::Lagging | Phase::CatchUpRequested);
    weight(key, catches_up, subscription.resumes())
}

fn weight(key: &StreamKey, catches_up: bool, resumes: bool) -> Weight {
    let is_small = match key.channel {
        Channel::Book => is_shallow(key.params.depth) && (catches_up || !resumes),
        // A catch-up is the latest quote; a resume sends each one that was missed.
        Channel::Bbo => catches_up || !resumes,
        Channel::Trades => !catches_up && !resumes,
        Channel::Bars => false,
        Channel::Ticker | Channel::Status => true,
    };
    if is_small {
        Weight::Small
    } else {
        Weight::Large
    }
}

fn is_shallow(depth: Depth) -> bool {
    depth.levels().is_some_and(|levels| levels <= SMALL_DEPTH)
}

impl Core {
    /// Adds a subscription and asks its publisher to join it. `at` is its index among the `of`
    /// streams that the request joins: one of many requests its initial state later, unless that is
    /// small and it is among the first.
    pub(super) fn join(
        &mut self,
        index: usize,
        encoding: Encoding,
        join: Join,
        (at, of): (usize, usize),
    ) {
        let Join {
            key,
            listing,
            publisher,
            policy,
            resume,
            replay,
            result,
            replaces,
        } = join;
        let slot = self.streams.slot_for(key, encoding, publisher, &listing);
        let (Some(stream), Some(session)) = (self.streams.get(slot), self.sessions.get_mut(index))
        else {
            return;
        };
        let place = number(stream.subscriptions().len());
        let cursor = stream.cursor_at_end(Seq::NONE);
        let mut subscription = Subscription::new(number(slot), place, cursor, policy);
        if replay.is_some() {
            subscription.set_replay(ReplayPhase::BeforeLive);
        }
        let is_small = weight(&key, false, resume.is_some()) == Weight::Small;
        let is_only = of == 1 && session.has_no_backlog();
        let is_soon = is_only || is_small && at < Backlogs::SMALL_AT_ONCE;
        let later = !is_soon;
        // A session has at most `Settings::MOST_STREAMS` subscriptions.
        let Some((subscription, _)) = session.insert(subscription) else {
            return;
        };
        if let Some(sse) = &mut session.sse {
            sse.joined(usize::from(subscription), &key, resume);
        }
        if let Some(request) = session.request.as_mut() {
            request.joining.push(PendingJoin {
                subscription,
                result,
                replaces,
                resume,
            });
        }
        self.streams
            .add_subscription(slot, (number(index), subscription));
        self.metrics.subscriptions[key.channel].inc();
        let Some(id) = self.subscription_id(index, usize::from(subscription)) else {
            return;
        };
        let ask = match replay {
            Some((start, pace)) => Ask::Replay { id, start, pace },
            None => Ask::Join {
                id,
                resume,
                moves: replaces.is_some(),
                later,
            },
        };
        self.command(slot, ask);
    }

    /// Ends a subscription, and the stream if this was its last one.
    pub(super) fn leave(&mut self, index: usize, subscription_index: usize) {
        let Some(id) = self.subscription_id(index, subscription_index) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(subscription) = session.subscription(subscription_index) else {
            return;
        };
        let (slot, place) = (subscription.stream as usize, subscription.place as usize);
        let held_at: Option<Cursor> = subscription.holds_ring().then(|| subscription.cursor());
        let waits_for = self
            .streams
            .get(slot)
            .filter(|_| subscription.phase.has_asked());
        let waits_for = waits_for.map(|stream| weight_of(&stream.key, subscription));
        if subscription.replay() != ReplayPhase::None {
            self.out.left_replays.push(id);
        }
        session.remove(subscription_index);
        if let Some(weight) = waits_for {
            session.backlogs_mut().answered(weight);
            session.free_backlogs();
        }
        if let Some(sse) = &mut session.sse {
            sse.left(subscription_index);
        }
        if let Some(cursor) = held_at {
            self.streams.release(slot, cursor);
        }
        if let Some((moved, moved_subscription)) = self.streams.remove_subscription(slot, place)
            && let Some(session) = self.sessions.get_mut(moved as usize)
            && let Some(subscription) = session.subscription_mut(usize::from(moved_subscription))
        {
            subscription.place = number(place);
        }
        if let Some(stream) = self.streams.get(slot) {
            self.metrics.subscriptions[stream.key.channel].dec();
            if stream.subscriptions().is_empty() {
                self.command(slot, Ask::Leave);
                self.streams.remove(slot);
            }
        }
        if waits_for.is_some() {
            self.request_backlogs(index);
        }
    }
}

/// Converts a stream as clients name it. Only books have a depth, a speed and a group.
pub(super) fn stream_key(listing: &Listing, key: &control::StreamKey) -> StreamKey {
    StreamKey {
        instrument: listing.id(),
        channel: key.channel,
        params: params_of(key),
    }
}

pub(super) fn params_of(key: &control::StreamKey) -> ViewParams {
    match key.channel {
        market::Channel::Book => key.params(),
        _ => ViewParams {
            speed: key.speed,
            interval: key.params().interval,
            ..ViewParams::default()
        },
    }
}

/// Converts a stream into the form that clients use.
pub(super) fn wire_key(listing: &Listing, key: &StreamKey) -> control::StreamKey {
    control::StreamKey::with_params(key.channel, listing.name().clone(), key.params)
}
