//! Clients' requests and their answers.
//!
//! A request costs a shard a few milliseconds at most, whatever the size of the directory: it
//! examines up to [`EXAMINED`] names, and has up to `limits.streams_per_request` results in
//! addition to the streams it names.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use streams::{Opcode, StreamKey};
use wire::control::{
    self, Answer, ControlError, ErrorCode, Refusal, Request, RequestId, StreamError, StreamRequest,
    Symbol,
};

use super::Core;
use super::rejections::{RemainingMatches, more_matches, unknown};
use super::subscriptions::{Join, stream_key};
use crate::directory::{ScanBudget, Scanned};
use crate::listing::Listing;
use crate::session::{PendingOp, PendingRequest, PendingResult, Session};
use crate::sse::MOST_STREAMS;

/// What the wildcards of one request may examine in total, in comparisons with a name: about 1 to 3
/// ms.
pub(super) const EXAMINED: ScanBudget = ScanBudget::new(64 * 1024);

/// A request to join streams, while they are looked up.
pub(super) struct Joining {
    pub(super) request: PendingRequest,
    pub(super) joins: Vec<Join>,
    pub(super) budget: ScanBudget,
    /// Results that wildcards may still add.
    pub(super) room: usize,
    /// Streams the session already has that wildcards may still mention.
    mentions: usize,
    /// The streams that the session has and joins, once a wildcard needs them for every name.
    taken: Option<HashSet<StreamKey>>,
    /// Grouped streams that the session has and joins, once counted.
    grouped: Option<usize>,
}

impl Core {
    pub(super) fn request(&mut self, index: usize, text: &str) {
        match Request::parse(text) {
            Ok(Request::Subscribe { id, streams }) => self.subscribe(index, id, streams),
            Ok(Request::Unsubscribe { id, streams }) => self.unsubscribe(index, id, streams),
            Ok(Request::Update { id, streams }) => self.update(index, id, streams),
            Ok(Request::List {
                id,
                matching,
                after,
            }) => self.list(index, id, matching.as_ref(), after.as_deref()),
            Ok(Request::Ping { id }) => {
                let time = self.now.wall;
                self.answer(index, &Answer::Pong { id, time });
            }
            Err(Refusal { id, error }) => {
                self.metrics.request_errors[error.code].inc();
                self.answer(index, &Answer::Error { id, error });
            }
        }
    }

    pub(super) fn answer(&mut self, index: usize, answer: &Answer) {
        let mut text = Vec::with_capacity(512);
        answer.write(&mut text);
        if let Some(session) = self.sessions.get_mut(index) {
            session.idle_checks = 0;
            session.say(Opcode::Text, &text);
            self.metrics.answers_out.inc();
            self.sessions.mark_to_send(index);
        }
    }

    fn list(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        matching: Option<&Symbol>,
        after: Option<&str>,
    ) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let grant = &session.grant;
        let limit = self.settings.instruments_per_answer;
        let page = self.directory.page(matching, after, limit, grant);
        let entry = |listing: &Arc<Listing>| {
            let mut entry = listing.entry();
            entry.channels.retain(|channel| grant.may_have(*channel));
            entry
        };
        let instruments = page.listings.iter().map(entry).collect();
        let answer = Answer::Instruments {
            id,
            instruments,
            next: page.next,
        };
        self.answer(index, &answer);
    }

    pub(super) fn subscribe(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        wanted: Vec<Result<StreamRequest, StreamError>>,
    ) {
        let mut joining = self.joining(id, PendingOp::Subscribe, wanted.len());
        for stream in wanted {
            match stream {
                Err(error) => joining.fail(error),
                Ok(stream) => self.resolve(index, &stream, &mut joining),
            }
        }
        self.ask_for(index, joining);
    }

    pub(super) fn joining(&self, id: Option<RequestId>, op: PendingOp, streams: usize) -> Joining {
        // Each stream that the request names has a result as well, and the answer is to stay below 64 KiB.
        let most = self.settings.streams_per_request;
        let room = most.saturating_sub(streams / 2).max(most / 4).max(1);
        Joining {
            request: PendingRequest::new(id, op, streams),
            joins: Vec::new(),
            budget: EXAMINED,
            room,
            mentions: room / 4,
            taken: None,
            grouped: None,
        }
    }

    /// Asks the publishers for a request's streams; it is answered when all of them have answered.
    pub(super) fn ask_for(&mut self, index: usize, joining: Joining) {
        let Joining {
            mut request, joins, ..
        } = joining;
        for result in &request.results {
            if let PendingResult::Done(Err(error)) = result {
                self.metrics.request_errors[error.error.code].inc();
            }
        }
        request.waiting = joins.len();
        request.joining.reserve_exact(joins.len());
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.request = Some(Box::new(request));
        session.reserve(joins.len());
        let encoding = session.encoding;
        if joins.is_empty() {
            self.answer_request(index);
            return;
        }
        let of = joins.len();
        for (at, join) in joins.into_iter().enumerate() {
            // A returning SSE client states its position in each stream.
            let session = self.sessions.get(index);
            let sse = session.and_then(|session| session.sse.as_ref());
            let resume = join.resume.or_else(|| sse?.resume(&join.key));
            self.join(index, encoding, Join { resume, ..join }, (at, of));
        }
    }

    /// Looks up one stream of a `subscribe`; a wildcard yields one result per instrument.
    fn resolve(&self, index: usize, stream: &StreamRequest, joining: &mut Joining) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let key = &stream.key;
        if stream.start.is_some()
            && let Some(message) = super::replays::unsupported(key)
        {
            return joining.refuse(key, ErrorCode::UnsupportedStart, message);
        }
        if let Err(denied) = session.grant.check(key) {
            return joining.refuse(key, ErrorCode::NotEntitled, denied.to_string());
        }
        if let Some(name) = key.symbol.name() {
            let listing = self.directory.get(name);
            return match listing.filter(|listing| session.grant.may_see(listing.name())) {
                Some(listing) => self.resolve_one(index, stream, &listing, joining),
                None => joining.refuse(key, ErrorCode::UnknownSymbol, unknown(&key.symbol)),
            };
        }
        self.collect_taken(index, joining);
        let (mut matches, mut named, mut rest) = (0_u64, 0_u64, 0_u64);
        let mut budget = joining.budget;
        let wildcard = Some(&key.symbol);
        let scanned = self
            .directory
            .scan(wildcard, None, &session.grant, &mut budget, |listing| {
                matches += 1;
                if self.has_or_joins(index, &stream_key(listing, key), joining) {
                    // These results have their own limit, so that a repeated request makes
                    // progress.
                    if joining.mentions > 0 {
                        joining.mentions -= 1;
                        named += 1;
                        self.resolve_one(index, stream, listing, joining);
                    }
                } else if joining.room == 0 || self.room_for(index, joining) == 0 {
                    rest += 1;
                } else {
                    named += 1;
                    joining.room -= 1;
                    self.resolve_one(index, stream, listing, joining);
                }
                ControlFlow::Continue(())
            });
        joining.budget = budget;
        let rest = RemainingMatches {
            count: rest,
            searched_all: scanned == Scanned::All,
        };
        let error = if rest.count > 0 && self.room_for(index, joining) == 0 {
            self.too_many_streams(index, Some(rest.count))
        } else if rest.count > 0 || !rest.searched_all {
            more_matches(&rest)
        } else if matches == 0 {
            ControlError::new(ErrorCode::UnknownSymbol, unknown(&key.symbol))
        } else if named == 0 {
            let message = "this session has all streams that match already";
            ControlError::new(ErrorCode::AlreadySubscribed, message)
        } else {
            return;
        };
        joining.fail(key.refuse(error));
    }

    /// Returns whether a session has a stream, or its request joins it.
    pub(super) fn has_or_joins(&self, index: usize, key: &StreamKey, joining: &Joining) -> bool {
        match &joining.taken {
            Some(taken) => taken.contains(key),
            None => {
                joining.joins.iter().any(|join| join.key == *key)
                    || self.subscription_of(index, key).is_some()
            }
        }
    }

    fn collect_taken(&self, index: usize, joining: &mut Joining) {
        let Joining { joins, taken, .. } = joining;
        taken.get_or_insert_with(|| {
            let session = self.sessions.get(index).into_iter();
            let subscriptions = session.flat_map(Session::subscriptions);
            let streams = subscriptions
                .filter_map(|(_, subscription)| self.streams.get(subscription.stream as usize));
            let joined = joins.iter().map(|join| join.key);
            streams.map(|stream| stream.key).chain(joined).collect()
        });
    }

    /// Returns how many streams a session may add, beyond those its request joins.
    fn room_for(&self, index: usize, joining: &Joining) -> usize {
        let taken = joining.taken.as_ref().map(HashSet::len);
        let taken = taken.unwrap_or_else(|| {
            let session = self.sessions.get(index);
            session.map_or(0, Session::streams) + joining.joins.len()
        });
        self.most_streams(index).saturating_sub(taken)
    }

    fn most_streams(&self, index: usize) -> usize {
        let Some(session) = self.sessions.get(index) else {
            return 0;
        };
        let most = session
            .grant
            .most_streams(self.settings.streams_per_session);
        if session.is_sse {
            most.min(MOST_STREAMS)
        } else {
            most
        }
    }

    fn too_many_streams(&self, index: usize, more: Option<u64>) -> ControlError {
        let most = self.most_streams(index);
        let message = format!("a session may have {most} streams");
        ControlError {
            more,
            ..ControlError::new(ErrorCode::TooManyStreams, message)
        }
    }

    /// Joins the stream of one instrument, or adds the error.
    fn resolve_one(
        &self,
        index: usize,
        stream: &StreamRequest,
        listing: &Arc<Listing>,
        joining: &mut Joining,
    ) {
        let wire_key = stream.key.of(listing.name().clone());
        let key = stream_key(listing, &wire_key);
        if self.has_or_joins(index, &key, joining) {
            let message = "this session has the stream already";
            return joining.refuse(&wire_key, ErrorCode::AlreadySubscribed, message);
        }
        if self.room_for(index, joining) == 0 {
            return joining.fail(wire_key.refuse(self.too_many_streams(index, None)));
        }
        if let Some(message) = self.group_too_many(index, &key, joining) {
            return joining.refuse(&wire_key, ErrorCode::TooManyViews, message);
        }
        let Some(publisher) = self.directory.publisher_of(listing, key.channel) else {
            let channel = key.channel.name();
            let message = format!("nothing of channel {channel} has been read yet");
            return joining.refuse(&wire_key, ErrorCode::NotReady, message);
        };
        joining.push(Join {
            key,
            listing: Arc::clone(listing),
            publisher,
            policy: stream.policy,
            resume: stream.resume.map(|resume| market::Position {
                epoch: resume.epoch,
                seq: resume.seq,
            }),
            replay: stream.start.map(|start| (start, stream.pace)),
            result: joining.request.results.len(),
            replaces: None,
        });
        let waiting = PendingResult::Waiting(wire_key);
        joining.request.results.push(waiting);
    }

    /// Counts a grouped stream. Returns an error if the session has as many as it may.
    pub(super) fn group_too_many(
        &self,
        index: usize,
        key: &StreamKey,
        joining: &mut Joining,
    ) -> Option<String> {
        key.params.group?;
        let count = || {
            let subscriptions = self
                .sessions
                .get(index)
                .into_iter()
                .flat_map(Session::subscriptions);
            let streams = subscriptions
                .filter_map(|(_, subscription)| self.streams.get(subscription.stream as usize));
            streams
                .filter(|stream| stream.key.params.group.is_some())
                .count()
        };
        let grouped = joining.grouped.get_or_insert_with(count);
        let most = self.settings.grouped_views_per_session;
        if *grouped >= most {
            return Some(format!("a session may have {most} streams with a group"));
        }
        *grouped += 1;
        None
    }

    /// Answers the pending request, which has all its results, and starts its streams.
    pub(super) fn answer_request(&mut self, index: usize) {
        let session = self.sessions.get_mut(index);
        let Some(request) = session.and_then(|session| session.request.take()) else {
            return;
        };
        let done = |result| match result {
            PendingResult::Done(outcome) => Some(outcome),
            PendingResult::Waiting(_) => None,
        };
        let (id, results) = (request.id, request.results);
        let results = results.into_iter().filter_map(done).collect();
        let answer = match request.op {
            PendingOp::Subscribe => Answer::Subscribed { id, results },
            PendingOp::Update => Answer::Updated { id, results },
        };
        self.answer(index, &answer);
        self.release(index);
        // Later requests may be read now.
        self.sessions.mark_to_read(index);
    }
}

impl Joining {
    pub(super) fn push(&mut self, join: Join) {
        if let Some(taken) = &mut self.taken {
            taken.insert(join.key);
        }
        self.joins.push(join);
    }

    pub(super) fn fail(&mut self, error: StreamError) {
        self.request.results.push(PendingResult::Done(Err(error)));
    }

    pub(super) fn refuse(
        &mut self,
        key: &control::StreamKey,
        code: ErrorCode,
        message: impl Into<String>,
    ) {
        self.fail(key.refuse(ControlError::new(code, message)));
    }
}
