//! Requests about streams that a session already has: to end or change them.

use std::sync::Arc;

use market::Epoch;
use wire::control::{
    self, Answer, ControlError, ErrorCode, Outcome, RequestId, StartKind, StreamError,
    StreamUpdate, Subscribed, Unsubscribed,
};

use super::Core;
use super::rejections::{RemainingMatches, more_matches, not_subscribed};
use super::requests::{EXAMINED, Joining};
use super::subscriptions::{Join, params_of, stream_key, wire_key};
use crate::directory::ScanBudget;
use crate::listing::Listing;
use crate::session::{PendingOp, PendingResult, Phase, ReplayPhase, Session};
use crate::settings::Settings;
use crate::subscribed_streams::SubscribedStream;

/// Subscriptions of another channel or with other parameters that cost as much as a comparison with a
/// name.
const OTHERS_A_COMPARISON: usize = 16;

impl Core {
    pub(super) fn unsubscribe(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        streams: Vec<Result<control::StreamKey, StreamError>>,
    ) {
        let mut results = Vec::with_capacity(streams.len());
        let mut room = self.settings.streams_per_request;
        let mut budget = EXAMINED;
        for stream in streams {
            match stream {
                Err(error) => results.push(Err(error)),
                Ok(wire_key) => {
                    results.extend(self.end_streams(index, &wire_key, &mut room, &mut budget));
                }
            }
        }
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            self.metrics.request_errors[error.error.code].inc();
        }
        self.answer(index, &Answer::Unsubscribed { id, results });
    }

    fn end_streams(
        &mut self,
        index: usize,
        wire_key: &control::StreamKey,
        room: &mut usize,
        budget: &mut ScanBudget,
    ) -> Vec<Outcome<Unsubscribed>> {
        let (found, rest) = self.own_streams(index, wire_key, room, budget);
        let mut results = Vec::with_capacity(found.len());
        for (subscription, listing) in found {
            self.leave(index, subscription);
            let stream = wire_key.of(listing.name().clone());
            results.push(Ok(Unsubscribed { stream }));
        }
        if rest.is_any() {
            results.push(Err(wire_key.refuse(more_matches(&rest))));
        }
        if results.is_empty() {
            results.push(Err(wire_key.refuse(not_subscribed())));
        }
        results
    }

    /// Returns the session's subscriptions that a requested stream refers to, with their
    /// instruments, and what else matches. Only the session's own subscriptions are searched, within
    /// the budget.
    fn own_streams(
        &self,
        index: usize,
        wire_key: &control::StreamKey,
        room: &mut usize,
        budget: &mut ScanBudget,
    ) -> (Vec<(usize, Arc<Listing>)>, RemainingMatches) {
        let mut found = Vec::new();
        let mut rest = RemainingMatches {
            count: 0,
            searched_all: true,
        };
        if let Some(name) = wire_key.symbol.name() {
            if let Some(listing) = self.directory.get(name)
                && let Some(subscription) =
                    self.subscription_of(index, &stream_key(&listing, wire_key))
            {
                found.push((subscription, listing));
            }
            return (found, rest);
        }
        let Some(session) = self.sessions.get(index) else {
            return (found, rest);
        };
        let params = params_of(wire_key);
        let pieces = self.directory.pieces(&wire_key.symbol);
        let is_spent = budget.spend(session.streams() / OTHERS_A_COMPARISON);
        for (subscription_index, subscription) in session.subscriptions() {
            let Some(stream) = self.streams.get(subscription.stream as usize) else {
                continue;
            };
            if (stream.key.channel, stream.key.params) != (wire_key.channel, params) {
                continue;
            }
            if is_spent || budget.is_spent() {
                rest.searched_all = false;
                break;
            }
            budget.spend(pieces);
            let listing = &stream.listing;
            if !self.directory.matches(&wire_key.symbol, listing.name()) {
                continue;
            }
            if *room == 0 {
                rest.count += 1;
            } else {
                *room -= 1;
                found.push((subscription_index, Arc::clone(listing)));
            }
        }
        found.sort_by(|(_, one), (_, other)| one.name().cmp(other.name()));
        (found, rest)
    }

    pub(super) fn update(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        streams: Vec<Result<StreamUpdate, StreamError>>,
    ) {
        let mut joining = self.joining(id, PendingOp::Update, streams.len());
        for stream in streams {
            match stream {
                Err(error) => joining.fail(error),
                Ok(update) => self.change_streams(index, &update, &mut joining),
            }
        }
        self.ask_for(index, joining);
    }

    /// Changes the streams of one `update`. A stream whose view changes keeps its old view until
    /// its publisher has joined the session to the new one.
    fn change_streams(&mut self, index: usize, update: &StreamUpdate, joining: &mut Joining) {
        let changed = update.to.of(&update.key);
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        if let Err(denied) = session.grant.check(&changed) {
            let error = ControlError::new(ErrorCode::NotEntitled, denied.to_string());
            return joining.fail(update.key.refuse(error));
        }
        let (found, rest) =
            self.own_streams(index, &update.key, &mut joining.room, &mut joining.budget);
        if found.is_empty() && !rest.is_any() {
            return joining.fail(update.key.refuse(not_subscribed()));
        }
        for (subscription_index, listing) in found {
            self.change_stream(index, subscription_index, &listing, update, joining);
        }
        if rest.is_any() {
            joining.fail(update.key.refuse(more_matches(&rest)));
        }
    }

    fn change_stream(
        &mut self,
        index: usize,
        subscription_index: usize,
        listing: &Arc<Listing>,
        update: &StreamUpdate,
        joining: &mut Joining,
    ) {
        let from = update.key.of(listing.name().clone());
        let to = update.to.of(&from);
        let (from_key, to_key) = (stream_key(listing, &from), stream_key(listing, &to));
        let session = self.sessions.get_mut(index);
        let Some(subscription) =
            session.and_then(|session| session.subscription_mut(subscription_index))
        else {
            return;
        };
        let policy = update.to.policy.unwrap_or(subscription.policy());
        if from_key == to_key {
            subscription.set_policy(policy);
            let latest = self.streams.get(subscription.stream as usize);
            let latest = latest.map_or(Epoch::NONE, SubscribedStream::epoch);
            let done = Ok(Subscribed {
                stream: to,
                policy,
                instrument: listing.id(),
                view: to_key.params.view(),
                // Between two epochs, it is about to enter the stream's.
                epoch: if subscription.epoch == Epoch::NONE {
                    latest
                } else {
                    subscription.epoch
                },
                exponents: listing.exponents(),
                start: StartKind::Resumed,
                reason: None,
            });
            return joining.request.results.push(PendingResult::Done(done));
        }
        if self.has_or_joins(index, &to_key, joining) {
            let message = "this session has a stream with these parameters already";
            return joining.refuse(&to, ErrorCode::AlreadySubscribed, message);
        }
        let replaces = u16::try_from(subscription_index).ok();
        if joining.joins.iter().any(|join| join.replaces == replaces) {
            let message = "the request changes this stream twice";
            return joining.refuse(&to, ErrorCode::BadRequest, message);
        }
        // While its view changes, a stream has two indices.
        let numbered = self.sessions.get(index).map_or(0, Session::streams);
        if numbered + joining.joins.len() >= Settings::MOST_STREAMS {
            let message = "this session has no number left for the changed stream; end another one";
            return joining.refuse(&to, ErrorCode::TooManyStreams, message);
        }
        // A grouped stream that changes its step has already been counted.
        if from_key.params.group.is_none()
            && let Some(message) = self.group_too_many(index, &to_key, joining)
        {
            return joining.refuse(&to, ErrorCode::TooManyViews, message);
        }
        let Some(publisher) = self.directory.publisher_of(listing, to_key.channel) else {
            let message = "nothing of the channel has been read yet";
            return joining.refuse(&to, ErrorCode::NotReady, message);
        };
        joining.push(Join {
            key: to_key,
            listing: Arc::clone(listing),
            publisher,
            policy,
            resume: None,
            replay: None,
            result: joining.request.results.len(),
            replaces,
        });
        joining.request.results.push(PendingResult::Waiting(to));
    }

    /// Ends the subscriptions to a stream that its publisher can no longer provide. One that its
    /// publisher has yet to answer, or that still replays the past, is ended by a later answer.
    pub(super) fn end_stream(&mut self, slot: usize, generation: u64) {
        let Some(stream) = self.streams.find(slot, generation) else {
            return;
        };
        for (session, subscription) in stream.subscriptions().to_vec() {
            let (index, subscription_index) = (session as usize, usize::from(subscription));
            let session = self.sessions.get(index);
            let subscription = session.and_then(|it| it.subscription(subscription_index));
            if subscription.is_some_and(|subscription| {
                subscription.phase != Phase::Joining
                    && subscription.replay() != ReplayPhase::BeforeLive
            }) {
                self.end_subscription(index, subscription_index);
            }
        }
    }

    /// Ends the subscriptions that were to end once the session's request is answered.
    pub(super) fn end_marked(&mut self, index: usize) {
        let is_marked = |session: &Session| {
            let mut subscriptions = session.subscriptions();
            let marked = subscriptions.find(|(_, subscription)| subscription.ends());
            marked.map(|(subscription_index, _)| subscription_index)
        };
        while let Some(marked) = self.sessions.get(index).and_then(is_marked) {
            self.end_subscription(index, marked);
        }
    }

    /// Ends a subscription that its publisher can no longer serve, and notifies the client: after the
    /// answer that starts or replaces the subscription, if one is pending.
    pub(super) fn end_subscription(&mut self, index: usize, subscription_index: usize) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let is_pending = session.request.as_ref().is_some_and(|request| {
            request
                .joining
                .iter()
                .any(|joining| joining.replaces.map(usize::from) == Some(subscription_index))
        });
        let is_accepted = session
            .subscription(subscription_index)
            .is_some_and(|subscription| {
                matches!(subscription.phase, Phase::Accepted | Phase::AcceptedDue)
            });
        if is_pending || is_accepted {
            if let Some(subscription) = session.subscription_mut(subscription_index) {
                subscription.set_ends();
            }
            return;
        }
        let Some(stream) = session
            .subscription(subscription_index)
            .and_then(|subscription| self.streams.get(subscription.stream as usize))
        else {
            return;
        };
        let key = wire_key(&stream.listing, &stream.key);
        let message = "this node can no longer make the stream: the scale of the instrument's prices has changed; subscribe again";
        let error = key.refuse(ControlError::new(ErrorCode::StreamEnded, message));
        self.metrics.request_errors[ErrorCode::StreamEnded].inc();
        self.leave(index, subscription_index);
        let results = vec![Err(error)];
        self.answer(index, &Answer::Unsubscribed { id: None, results });
    }
}
