//! What clients ask, and what they are answered.

use std::sync::Arc;
use std::time::Instant;

use metrics::label;
use streams::{Opcode, Refused, StreamKey};
use wire::control::{
    Answer, ControlError, ErrorCode, Outcome, Refusal, Request, RequestId, StartKind, StreamError,
    StreamRequest, StreamUpdate, Subscribed, Unsubscribed,
};
use wire::{ViewParams, close, control};

use super::state::State;
use super::subscribers::Join;
use crate::clock::wall_clock;
use crate::directory::{Directory, Listing};
use crate::events::MOST_STREAMS;
use crate::inbound::InboundEvent;
use crate::link::NotJoined;
use crate::session::{JoiningOp, PendingRequest, PendingResult};

/// Bytes of answers and pongs that a session may have waiting before its pings go unanswered; a
/// client that does not read gets no pongs.
const PONG_WHILE: usize = 8 * 1024;

impl State {
    /// Reads what was received, up to a request that has to wait for its answer.
    pub(super) fn read_requests(&mut self, index: usize) {
        while let Some(session) = self.sessions.get_mut(index) {
            if session.request.is_some() || session.gone {
                return;
            }
            let Some(inbound) = &mut session.inbound else {
                return;
            };
            let event = inbound.read();
            if inbound.is_idle() {
                session.inbound = None;
            }
            if session.is_deaf() {
                session.inbound = None;
                return;
            }
            let event = match event {
                Ok(Some(event)) => event,
                Ok(None) => return,
                Err(violation) => {
                    self.close(index, violation.close_code(), &violation.to_string());
                    self.deafen(index);
                    return;
                }
            };
            if session.is_ending() {
                if matches!(event, InboundEvent::Close(_)) {
                    self.answered(index);
                    return;
                }
                continue;
            }
            self.take_event(index, event);
        }
    }

    fn take_event(&mut self, index: usize, event: InboundEvent) {
        let counts = !matches!(event, InboundEvent::Pong | InboundEvent::Close(_));
        let now = self.millis(Instant::now());
        let (rate, burst) = (self.settings.inbound_rate, self.settings.inbound_burst);
        let session = &mut self.sessions[index];
        if counts && !session.bucket.take(rate, burst, now) {
            self.metrics.rate_limited.inc();
            self.close(index, close::RATE_EXCEEDED, "more messages than allowed");
            return;
        }
        match event {
            InboundEvent::Fragment | InboundEvent::Pong => {}
            InboundEvent::Ping(payload) => {
                if session.outgoing_len() < PONG_WHILE {
                    session.outgoing().push(Opcode::Pong, &payload);
                    self.mark_to_send(index);
                }
            }
            InboundEvent::Close(code) => {
                // RFC 6455, section 5.5.1: the close is answered with the code received.
                self.close(index, code.unwrap_or(close::NORMAL), "");
                self.answered(index);
            }
            InboundEvent::Text(text) => {
                self.metrics.messages_in.inc();
                let directory = Arc::clone(&self.common.directory);
                self.request(index, &text, &directory);
            }
        }
    }

    /// The client has closed as well.
    fn answered(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && let Some(ending) = &mut session.ending
        {
            ending.answered = true;
            self.may_have_ended(index);
        }
    }

    /// What follows a violation has no meaning.
    fn deafen(&mut self, index: usize) {
        if let Some(session) = self.sessions.get_mut(index)
            && let Some(ending) = &mut session.ending
        {
            ending.deaf = true;
            session.inbound = None;
        }
    }

    fn request(&mut self, index: usize, text: &str, directory: &Directory) {
        match Request::parse(text) {
            Ok(Request::Subscribe { id, streams }) => self.subscribe(index, id, streams, directory),
            Ok(Request::Unsubscribe { id, streams }) => {
                self.unsubscribe(index, id, streams, directory);
            }
            Ok(Request::Update { id, streams }) => self.update(index, id, streams, directory),
            Ok(Request::List { id, matching }) => {
                let grant = self.sessions[index].about.seat.grant();
                let instruments = directory.entries(matching.as_ref(), grant);
                self.answer(index, &Answer::Instruments { id, instruments });
            }
            Ok(Request::Ping { id }) => {
                let time = wall_clock();
                self.answer(index, &Answer::Pong { id, time });
            }
            Err(Refusal { id, error }) => {
                self.metrics.request_errors[code_label(error.code)].inc();
                self.answer(index, &Answer::Error { id, error });
            }
        }
    }

    fn answer(&mut self, index: usize, answer: &Answer) {
        let mut text = Vec::with_capacity(512);
        answer.write(&mut text);
        if let Some(session) = self.sessions.get_mut(index) {
            session.say(Opcode::Text, &text);
            self.metrics.answers_out.inc();
            self.mark_to_send(index);
        }
    }

    pub(super) fn subscribe(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        wanted: Vec<Result<StreamRequest, StreamError>>,
        directory: &Directory,
    ) {
        let mut request = PendingRequest::new(id, JoiningOp::Subscribe, wanted.len());
        let mut joins = Vec::new();
        for stream in wanted {
            match stream {
                Err(error) => request.results.push(PendingResult::Done(Err(error))),
                Ok(stream) => self.resolve(index, stream, directory, &mut request, &mut joins),
            }
        }
        self.ask_for(index, request, joins);
    }

    /// Asks publishers for the streams of a request; it is answered when all have answered.
    fn ask_for(&mut self, index: usize, mut request: PendingRequest, joins: Vec<Join>) {
        for result in &request.results {
            if let PendingResult::Done(Err(error)) = result {
                self.metrics.request_errors[code_label(error.error.code)].inc();
            }
        }
        request.waiting = joins.len();
        request.joining.reserve_exact(joins.len());
        let session = &mut self.sessions[index];
        session.request = Some(Box::new(request));
        session.reserve(joins.len());
        if joins.is_empty() {
            self.answer_request(index);
            return;
        }
        let encoding = self.sessions[index].encoding;
        for join in joins {
            // A client of events comes back with where it stands in all of its streams.
            let events = self.sessions[index].about.events.as_ref();
            let resume = join.resume.or_else(|| events?.resume(&join.key));
            self.join(index, encoding, Join { resume, ..join });
        }
    }

    /// Checks one stream of a `subscribe`; a symbol with `*` becomes one result an instrument.
    fn resolve(
        &self,
        index: usize,
        stream: StreamRequest,
        directory: &Directory,
        request: &mut PendingRequest,
        joins: &mut Vec<Join>,
    ) {
        let mut fail = |key: &control::StreamKey, code, message: String| {
            let error = key.refuse(ControlError::new(code, message));
            request.results.push(PendingResult::Done(Err(error)));
        };
        if stream.start.is_some()
            && let Some(message) = super::replays::unsupported(&stream.key)
        {
            return fail(&stream.key, ErrorCode::UnsupportedStart, message);
        }
        let grant = self.sessions[index].about.seat.grant();
        if let Err(denied) = grant.check(&stream.key) {
            return fail(&stream.key, ErrorCode::NotEntitled, denied.to_string());
        }
        let mut listings = directory.find(&stream.key.symbol);
        listings.retain(|listing| grant.may_see(listing.name()));
        if listings.is_empty() {
            let message = format!(
                "symbol {:?} is no instrument of this node; `list` tells those that there are",
                stream.key.symbol.as_str()
            );
            return fail(&stream.key, ErrorCode::UnknownSymbol, message);
        }
        for listing in listings {
            let wire_key = stream.key.of(listing.name().clone());
            let key = stream_key(&listing, &wire_key);
            let session = &self.sessions[index];
            let has = session
                .subs()
                .any(|(_, sub)| self.streams[sub.stream as usize].key == key)
                || joins.iter().any(|join| join.key == key);
            let mut fail = |code, message: String| {
                let error = wire_key.refuse(ControlError::new(code, message));
                request.results.push(PendingResult::Done(Err(error)));
            };
            if has {
                fail(
                    ErrorCode::AlreadySubscribed,
                    "this session has the stream already".into(),
                );
                continue;
            }
            let mut most = grant.most_streams(self.settings.streams_per_session);
            if session.is_events {
                most = most.min(MOST_STREAMS);
            }
            if session.streams() + joins.len() >= most {
                fail(
                    ErrorCode::TooManyStreams,
                    format!("a session may have {most} streams"),
                );
                continue;
            }
            let Some(publisher) = directory.publisher_of(&listing, key.channel) else {
                let message = format!(
                    "nothing of channel {} has been read yet",
                    key.channel.name()
                );
                fail(ErrorCode::NotReady, message);
                continue;
            };
            joins.push(Join {
                key,
                publisher,
                policy: stream.policy,
                resume: stream.resume.map(|resume| market::Position {
                    epoch: resume.epoch,
                    seq: resume.seq,
                }),
                replay: stream.start.map(|start| (start, stream.pace)),
                result: request.results.len(),
                replaces: None,
            });
            request.results.push(PendingResult::Waiting(wire_key));
        }
    }

    /// Answers the pending request, all of whose results are there, and lets its streams begin.
    pub(super) fn answer_request(&mut self, index: usize) {
        let Some(request) = self
            .sessions
            .get_mut(index)
            .and_then(|session| session.request.take())
        else {
            return;
        };
        let done = |result| match result {
            PendingResult::Done(outcome) => Some(outcome),
            PendingResult::Waiting(_) => None,
        };
        let (id, results) = (request.id, request.results);
        let results = results.into_iter().filter_map(done).collect();
        let answer = match request.op {
            JoiningOp::Subscribe => Answer::Subscribed { id, results },
            JoiningOp::Update => Answer::Updated { id, results },
        };
        self.answer(index, &answer);
        self.release(index);
    }

    fn unsubscribe(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        streams: Vec<Result<control::StreamKey, StreamError>>,
        directory: &Directory,
    ) {
        let mut results = Vec::with_capacity(streams.len());
        for stream in streams {
            match stream {
                Err(error) => results.push(Err(error)),
                Ok(wire_key) => self.end_streams(index, &wire_key, directory, &mut results),
            }
        }
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            self.metrics.request_errors[code_label(error.error.code)].inc();
        }
        self.answer(index, &Answer::Unsubscribed { id, results });
    }

    fn end_streams(
        &mut self,
        index: usize,
        wire_key: &control::StreamKey,
        directory: &Directory,
        results: &mut Vec<Outcome<Unsubscribed>>,
    ) {
        let before = results.len();
        for listing in directory.find(&wire_key.symbol) {
            let stream = wire_key.of(listing.name().clone());
            let key = stream_key(&listing, &stream);
            if let Some(sub) = self.sub_of(index, &key) {
                self.leave(index, sub);
                results.push(Ok(Unsubscribed { stream }));
            }
        }
        if results.len() == before {
            results.push(Err(wire_key.refuse(not_subscribed())));
        }
    }

    /// A session's subscriber of a stream.
    fn sub_of(&self, index: usize, key: &StreamKey) -> Option<usize> {
        let mut subs = self.sessions[index].subs();
        let found = subs.find(|(_, sub)| self.streams[sub.stream as usize].key == *key);
        found.map(|(sub, _)| sub)
    }

    fn update(
        &mut self,
        index: usize,
        id: Option<RequestId>,
        streams: Vec<Result<StreamUpdate, StreamError>>,
        directory: &Directory,
    ) {
        let mut request = PendingRequest::new(id, JoiningOp::Update, streams.len());
        let mut joins = Vec::new();
        for stream in streams {
            match stream {
                Err(error) => request.results.push(PendingResult::Done(Err(error))),
                Ok(update) => {
                    self.change_streams(index, &update, directory, &mut request, &mut joins);
                }
            }
        }
        self.ask_for(index, request, joins);
    }

    /// Changes the streams that one `update` names. A stream whose view changes stays as it was
    /// until its publisher has let the session into the other view.
    fn change_streams(
        &mut self,
        index: usize,
        update: &StreamUpdate,
        directory: &Directory,
        request: &mut PendingRequest,
        joins: &mut Vec<Join>,
    ) {
        let before = request.results.len();
        let changed = update.to.of(&update.key);
        if let Err(denied) = self.sessions[index].about.seat.grant().check(&changed) {
            let error = ControlError::new(ErrorCode::NotEntitled, denied.to_string());
            let error = update.key.refuse(error);
            request.results.push(PendingResult::Done(Err(error)));
            return;
        }
        for listing in directory.find(&update.key.symbol) {
            let from = update.key.of(listing.name().clone());
            let to = update.to.of(&from);
            let (from_key, to_key) = (stream_key(&listing, &from), stream_key(&listing, &to));
            let Some(sub_index) = self.sub_of(index, &from_key) else {
                continue;
            };
            let Some(sub) = self.sessions[index].sub_mut(sub_index) else {
                continue;
            };
            let policy = update.to.policy.unwrap_or(sub.policy());
            if from_key == to_key {
                sub.set_policy(policy);
                let done = Ok(Subscribed {
                    stream: to,
                    policy,
                    instrument: listing.id(),
                    view: to_key.params.view(),
                    epoch: sub.epoch,
                    exponents: listing.exponents(),
                    start: StartKind::Resumed,
                    reason: None,
                });
                request.results.push(PendingResult::Done(done));
                continue;
            }
            let mut fail = |code, message: &str| {
                let error = to.refuse(ControlError::new(code, message));
                request.results.push(PendingResult::Done(Err(error)));
            };
            let is_joining = joins.iter().any(|join| join.key == to_key);
            if is_joining || self.sub_of(index, &to_key).is_some() {
                let message = "this session has a stream with these parameters already";
                fail(ErrorCode::AlreadySubscribed, message);
                continue;
            }
            let replaces = u16::try_from(sub_index).ok();
            if joins.iter().any(|join| join.replaces == replaces) {
                let message = "the request changes this stream twice";
                fail(ErrorCode::BadRequest, message);
                continue;
            }
            let Some(publisher) = directory.publisher_of(&listing, to_key.channel) else {
                fail(
                    ErrorCode::NotReady,
                    "nothing of the channel has been read yet",
                );
                continue;
            };
            joins.push(Join {
                key: to_key,
                publisher,
                policy,
                resume: None,
                replay: None,
                result: request.results.len(),
                replaces,
            });
            request.results.push(PendingResult::Waiting(to));
        }
        if request.results.len() == before {
            let error = update.key.refuse(not_subscribed());
            request.results.push(PendingResult::Done(Err(error)));
        }
    }
}

fn not_subscribed() -> ControlError {
    ControlError::new(
        ErrorCode::NotSubscribed,
        "this session does not have the stream; depth, speed and group must be those of the subscription",
    )
}

/// The stream that a client means; depth and the like are of books only.
fn stream_key(listing: &Listing, key: &control::StreamKey) -> StreamKey {
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

pub(super) fn refuse(key: &control::StreamKey, why: NotJoined) -> StreamError {
    let (code, message) = match why {
        NotJoined::NotReady => {
            let message = "this node is catching up with what it has missed; try again soon";
            (ErrorCode::NotReady, message.to_owned())
        }
        NotJoined::Busy | NotJoined::NoHistory | NotJoined::NoReplay(_) => {
            return key.refuse(super::replays::refusal(why));
        }
        NotJoined::Refused(refused) => {
            let code = match refused {
                Refused::UnknownInstrument => ErrorCode::UnknownSymbol,
                Refused::Channel(_) => ErrorCode::UnsupportedChannel,
                Refused::Speed { .. } => ErrorCode::UnsupportedSpeed,
                Refused::Group { .. } => ErrorCode::UnsupportedGroup,
                Refused::TooManyViews { .. } => ErrorCode::TooManyViews,
            };
            (code, refused.to_string())
        }
    };
    key.refuse(ControlError::new(code, message))
}

pub(super) const fn code_label(code: ErrorCode) -> label::ErrorCode {
    match code {
        ErrorCode::BadJson => label::ErrorCode::BadJson,
        ErrorCode::BadRequest | ErrorCode::Other => label::ErrorCode::BadRequest,
        ErrorCode::UnknownOp => label::ErrorCode::UnknownOp,
        ErrorCode::UnknownChannel => label::ErrorCode::UnknownChannel,
        ErrorCode::UnsupportedChannel => label::ErrorCode::UnsupportedChannel,
        ErrorCode::UnknownSymbol => label::ErrorCode::UnknownSymbol,
        ErrorCode::BadDepth => label::ErrorCode::BadDepth,
        ErrorCode::BadSpeed => label::ErrorCode::BadSpeed,
        ErrorCode::UnsupportedSpeed => label::ErrorCode::UnsupportedSpeed,
        ErrorCode::BadGroup => label::ErrorCode::BadGroup,
        ErrorCode::UnsupportedGroup => label::ErrorCode::UnsupportedGroup,
        ErrorCode::BadInterval => label::ErrorCode::BadInterval,
        ErrorCode::BadPolicy => label::ErrorCode::BadPolicy,
        ErrorCode::BadResume => label::ErrorCode::BadResume,
        ErrorCode::UnsupportedStart => label::ErrorCode::UnsupportedStart,
        ErrorCode::StartTooEarly => label::ErrorCode::StartTooEarly,
        ErrorCode::Busy => label::ErrorCode::Busy,
        ErrorCode::AlreadySubscribed => label::ErrorCode::AlreadySubscribed,
        ErrorCode::NotSubscribed => label::ErrorCode::NotSubscribed,
        ErrorCode::TooManyStreams => label::ErrorCode::TooManyStreams,
        ErrorCode::TooManyViews => label::ErrorCode::TooManyViews,
        ErrorCode::NotReady => label::ErrorCode::NotReady,
        ErrorCode::NotEntitled => label::ErrorCode::NotEntitled,
    }
}
