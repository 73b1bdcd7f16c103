//! How subscriptions come and go.

use std::sync::Arc;

use market::{Channel, Position, Seq};
use streams::{Cursor, StreamKey};
use wire::control::{self, Pace, Policy, Start};
use wire::{Depth, Encoding, ViewParams};

use super::Core;
use crate::Listing;
use crate::message::Ask;
use crate::session::{Beginnings, Joining, Past, Phase, Sub, Weight};
use crate::sessions::number;

/// Levels a side up to which a book is a small beginning: with 16 bytes each in SBE, 320 bytes.
const SMALL_DEPTH: usize = 10;

/// A stream that its publisher is to be asked for.
pub(super) struct Join {
    pub(super) key: StreamKey,
    pub(super) listing: Arc<Listing>,
    pub(super) publisher: usize,
    pub(super) policy: Policy,
    pub(super) resume: Option<Position>,
    /// Where in the past it begins, and how fast that is sent.
    pub(super) replay: Option<(Start, Option<Pace>)>,
    /// Which result of the pending request its outcome will be.
    pub(super) result: usize,
    /// The subscription of the same session that ends when this one may begin.
    pub(super) replaces: Option<u16>,
}

/// How much a subscription's beginning, or what catches it up, may bring.
pub(super) fn weight_of(key: &StreamKey, sub: &Sub) -> Weight {
    let catches_up = matches!(sub.phase, Phase::Parked | Phase::Fallen);
    weight(key, catches_up, sub.resumes())
}

fn weight(key: &StreamKey, catches_up: bool, resumes: bool) -> Weight {
    let is_small = match key.channel {
        Channel::Book => is_shallow(key.params.depth) && (catches_up || !resumes),
        // The latest one catches up; a resume brings each that was missed.
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
    /// Begins a subscription; its publisher's answer becomes the given result of the pending request.
    /// `at` is its place among all `of` that the request joins: one of many asks for what it begins
    /// with later, unless that is small and it is one of the first.
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
        let place = number(stream.subs().len());
        let cursor = stream.cursor_at_end(Seq::NONE);
        let mut sub = Sub::new(number(slot), place, cursor, policy);
        if replay.is_some() {
            sub.set_past(Past::Before);
        }
        let is_small = weight(&key, false, resume.is_some()) == Weight::Small;
        let is_only = of == 1 && session.has_no_beginnings();
        let is_soon = is_only || is_small && at < Beginnings::SMALL_AT_ONCE;
        let later = !is_soon;
        // A session has at most as many as can be numbered: see `Settings::MOST_STREAMS`.
        let Some((sub, _)) = session.insert(sub) else {
            return;
        };
        if let Some(events) = &mut session.events {
            events.joined(usize::from(sub), &key, resume);
        }
        if let Some(request) = session.request.as_mut() {
            request.joining.push(Joining {
                sub,
                result,
                replaces,
                resume,
            });
        }
        self.streams.add_sub(slot, (number(index), sub));
        self.metrics.subscriptions[key.channel].inc();
        let Some(subscriber) = self.subscriber(index, usize::from(sub)) else {
            return;
        };
        let ask = match replay {
            Some((start, pace)) => Ask::Replay {
                subscriber,
                start,
                pace,
            },
            None => Ask::Join {
                subscriber,
                resume,
                moves: replaces.is_some(),
                later,
            },
        };
        self.command(slot, ask);
    }

    /// Ends a subscription; the last one of its stream ends the stream in this shard.
    pub(super) fn leave(&mut self, index: usize, sub_index: usize) {
        let Some(subscriber) = self.subscriber(index, sub_index) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let Some(sub) = session.sub(sub_index) else {
            return;
        };
        let (slot, place) = (sub.stream as usize, sub.place as usize);
        let held_at: Option<Cursor> = sub.holds_ring().then(|| sub.cursor());
        let waits_for = self.streams.get(slot).filter(|_| sub.phase.has_asked());
        let waits_for = waits_for.map(|stream| weight_of(&stream.key, sub));
        if sub.past() != Past::No {
            self.out.left_replays.push(subscriber);
        }
        session.remove(sub_index);
        if let Some(weight) = waits_for {
            session.beginnings_mut().answered(weight);
            session.drop_beginnings();
        }
        if let Some(events) = &mut session.events {
            events.left(sub_index);
        }
        if let Some(cursor) = held_at {
            self.streams.let_go(slot, cursor);
        }
        if let Some((moved, moved_sub)) = self.streams.remove_sub(slot, place)
            && let Some(session) = self.sessions.get_mut(moved as usize)
            && let Some(sub) = session.sub_mut(usize::from(moved_sub))
        {
            sub.place = number(place);
        }
        if let Some(stream) = self.streams.get(slot) {
            self.metrics.subscriptions[stream.key.channel].dec();
            if stream.subs().is_empty() {
                self.command(slot, Ask::Leave);
                self.streams.remove(slot);
            }
        }
        if waits_for.is_some() {
            self.ask_for_beginnings(index);
        }
    }
}

/// The stream that a client means; depth and the like are of books only.
pub(super) fn stream_key(listing: &Listing, key: &control::StreamKey) -> StreamKey {
    let params = match key.channel {
        market::Channel::Book => key.params(),
        _ => ViewParams {
            speed: key.speed,
            interval: key.params().interval,
            ..ViewParams::default()
        },
    };
    StreamKey {
        instrument: listing.id(),
        channel: key.channel,
        params,
    }
}

/// A stream as clients name it.
pub(super) fn wire_key(listing: &Listing, key: &StreamKey) -> control::StreamKey {
    let ViewParams {
        depth,
        speed,
        group,
        interval,
    } = key.params;
    let own = control::StreamKey::new(key.channel, listing.name().clone());
    control::StreamKey {
        depth,
        speed,
        group,
        interval: interval.unwrap_or(own.interval),
        ..own
    }
}
