use std::time::{Duration, Instant};

use bytes::Bytes;
use market::{Channel, Seq};
use wire::control::{
    Answer, ControlError, ErrorCode, Policy, Request, Resume, StartKind, StartReason, StreamError,
    StreamKey, StreamRequest, StreamUpdate, Subscribed,
};

use crate::event::{Disconnect, Event};
use crate::session::{Action, Session};
use crate::stream::LocalBook;
use crate::testing::{Encoded, NAME, Origin, each};
use crate::{Backoff, Config, Endpoint, Subscription, SubscriptionId};

/// The subscription of every rig.
pub(super) const ID: SubscriptionId = SubscriptionId(0);

/// How the node answers a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    /// Resumed if its log reaches back far enough, otherwise with a snapshot.
    Well,
    /// With a snapshot.
    Anew(StartReason),
    Refuse(ErrorCode),
    /// Resumed, although the log does not reach back far enough.
    Blindly,
    NotAtAll,
}

/// A session, and a node that has one stream.
pub(super) struct Rig {
    pub(super) session: Session,
    pub(super) now: Instant,
    pub(super) origin: Origin,
    pub(super) answers: Answers,
    /// Whether attempts to connect succeed; `None` leaves them pending.
    pub(super) accepts: Option<bool>,
    pub(super) up: bool,
    /// Whether the node sends the stream, as far as it was asked to.
    pub(super) subscribed: bool,
    pub(super) events: Vec<Event>,
    /// Requests, and when they were sent.
    pub(super) sent: Vec<(Instant, Request)>,
    pub(super) connects: Vec<String>,
    pub(super) disconnects: usize,
    /// Levels per side in a chunk.
    pub(super) chunk: usize,
}

pub(super) fn config() -> Config {
    Config {
        backoff: Backoff {
            base: Duration::from_millis(100),
            cap: Duration::from_secs(2),
        },
        ..Config::default()
    }
}

impl Rig {
    /// Subscribed, and begun.
    pub(super) fn begun(channel: Channel) -> Self {
        let mut rig = Self::new(channel, config());
        rig.pump();
        rig
    }

    pub(super) fn new(channel: Channel, config: Config) -> Self {
        Self::seeded(channel, config, 1)
    }

    pub(super) fn seeded(channel: Channel, config: Config, seed: u64) -> Self {
        let now = Instant::now();
        let endpoints = ["ws://a/ws", "ws://b/ws"].map(|text| Endpoint::parse(text).unwrap());
        let mut session = Session::new(config, endpoints, Some(seed), now);
        session
            .subscribe(now, ID, &Subscription::new(channel, NAME))
            .unwrap();
        Self {
            session,
            now,
            origin: Origin::new(channel),
            answers: Answers::Well,
            accepts: Some(true),
            up: false,
            subscribed: false,
            events: Vec::new(),
            sent: Vec::new(),
            connects: Vec::new(),
            disconnects: 0,
            chunk: 1000,
        }
    }

    pub(super) fn book(&self) -> &LocalBook {
        self.session.book(ID).unwrap()
    }

    /// The events since the last call.
    pub(super) fn told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Performs the session's actions until there are none.
    pub(super) fn pump(&mut self) {
        loop {
            while let Some(event) = self.session.poll_event() {
                self.see(event);
            }
            let Some(action) = self.session.poll_action() else {
                return;
            };
            match action {
                Action::Connect(endpoint) => {
                    self.connects.push(endpoint.to_string());
                    match self.accepts {
                        Some(true) => self.connect(),
                        Some(false) => self.refuse(),
                        None => {}
                    }
                }
                Action::Disconnect { .. } => {
                    self.up = false;
                    self.subscribed = false;
                    self.disconnects += 1;
                }
                Action::Send(text) => {
                    assert!(text.len() <= wire::control::MAX_REQUEST);
                    let request = Request::parse(&text).unwrap();
                    self.sent.push((self.now, request.clone()));
                    if self.up {
                        self.serve(&request);
                    }
                }
            }
        }
    }

    /// Checks, at every event, that a live book is right.
    fn see(&mut self, event: Event) {
        if let Some(kept) = self.session.book(ID).filter(|kept| kept.is_live()) {
            let position = kept.position().unwrap();
            let truth = &self.origin.truth[&(position.epoch.0, position.seq)];
            assert_eq!(kept.book(), truth, "at {position:?} after {event:?}");
        }
        self.events.push(event);
    }

    pub(super) fn connect(&mut self) {
        self.up = true;
        self.subscribed = false;
        self.session.on_connected(self.now);
    }

    fn refuse(&mut self) {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        self.session.on_disconnected(self.now, refused.into());
    }

    /// Breaks the connection.
    pub(super) fn cut(&mut self) {
        self.up = false;
        self.subscribed = false;
        self.session.on_disconnected(self.now, Disconnect::Ended);
        self.pump();
    }

    /// Sends data messages, if there is a connection.
    pub(super) fn deliver(&mut self, encoded: &[u8]) {
        if !self.up {
            return;
        }
        each(encoded, |message, raw| {
            self.session.on_message(self.now, message, raw);
        });
        self.pump();
    }

    /// Lets time pass, and calls the session's timeouts when they are due.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.session.timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.session.on_timeout(self.now);
            self.pump();
        }
        self.now = end;
    }

    /// Lets time pass, during which the stream sends heartbeats.
    pub(super) fn live_on(&mut self, by: Duration) {
        let end = self.now + by;
        while self.now < end {
            self.advance(Duration::from_secs(1));
            if self.up {
                self.session.on_heard(self.now);
            }
            if self.subscribed {
                let beat = self.origin.heartbeat();
                self.deliver(&beat);
            }
        }
    }

    pub(super) fn serve(&mut self, request: &Request) {
        if self.answers == Answers::NotAtAll {
            return;
        }
        match request {
            Request::Subscribe { id, streams } => {
                let id = id.clone();
                let mut results = Vec::new();
                let mut data = Vec::new();
                for stream in streams.iter().flatten() {
                    results.push(self.subscribe(stream, &mut data));
                }
                self.answer(&Answer::Subscribed { id, results });
                self.deliver(&data);
            }
            Request::Unsubscribe { id, streams } => {
                self.subscribed = false;
                let results = streams
                    .iter()
                    .flatten()
                    .map(|key| {
                        Ok(wire::control::Unsubscribed {
                            stream: key.clone(),
                        })
                    })
                    .collect();
                let id = id.clone();
                self.answer(&Answer::Unsubscribed { id, results });
            }
            Request::Ping { id } => {
                let (id, time) = (id.clone(), market::Nanos(1));
                self.answer(&Answer::Pong { id, time });
            }
            Request::Update { id, streams } => {
                let (id, update) = (id.clone(), streams[0].clone().unwrap());
                assert_eq!(streams.len(), 1);
                let mut data = Vec::new();
                let result = self.update(&update, &mut data);
                self.answer(&Answer::Updated {
                    id,
                    results: vec![result],
                });
                self.deliver(&data);
            }
            Request::List { .. } => panic!("{request:?}"),
        }
    }

    fn answer(&mut self, answer: &Answer) {
        self.session.on_text(self.now, &answer.to_json());
    }

    fn subscribe(
        &mut self,
        request: &StreamRequest,
        data: &mut Encoded,
    ) -> Result<Subscribed, StreamError> {
        if request.key.view() != self.origin.view {
            self.origin.show_as(request.key.view());
        }
        let reason = match self.answers {
            Answers::Refuse(code) => {
                return Err(request.key.refuse(ControlError::new(code, "no")));
            }
            Answers::Anew(reason) => request.resume.map(|_| reason),
            Answers::Blindly if request.resume.is_some() => {
                self.subscribed = true;
                return Ok(self.accepted(&request.key, StartKind::Resumed, None));
            }
            Answers::Well | Answers::Blindly | Answers::NotAtAll => match request.resume {
                Some(resume) => match self.since(resume) {
                    Some(missed) => {
                        data.extend(missed);
                        self.subscribed = true;
                        return Ok(self.accepted(&request.key, StartKind::Resumed, None));
                    }
                    None => Some(StartReason::EpochChanged),
                },
                None => None,
            },
        };
        self.subscribed = true;
        data.extend(self.origin.definition());
        match self.origin.channel {
            Channel::Book => data.extend(self.origin.snapshot(self.chunk).concat()),
            Channel::Bbo => data.extend(self.origin.last_bbo()),
            _ => {}
        }
        Ok(self.accepted(&request.key, StartKind::Snapshot, reason))
    }

    /// Changes the stream, which has to be the one that this node sends.
    fn update(
        &mut self,
        update: &StreamUpdate,
        data: &mut Encoded,
    ) -> Result<Subscribed, StreamError> {
        if let Answers::Refuse(code) = self.answers {
            return Err(update.key.refuse(ControlError::new(code, "no")));
        }
        assert!(self.subscribed);
        assert_eq!(update.key.view(), self.origin.view);
        let key = update.to.of(&update.key);
        if key == update.key {
            return Ok(self.accepted(&key, StartKind::Resumed, None));
        }
        self.origin.show_as(key.view());
        data.extend(self.origin.definition());
        data.extend(self.origin.snapshot(self.chunk).concat());
        Ok(self.accepted(&key, StartKind::Snapshot, None))
    }

    /// What a position lacks, if that is known.
    fn since(&self, resume: Resume) -> Option<Encoded> {
        let known = |seq: Seq| self.origin.truth.contains_key(&(resume.epoch.0, seq));
        if resume.epoch != self.origin.epoch || !known(resume.seq) {
            return None;
        }
        let missed = self.origin.log.iter().filter(|(seq, _)| *seq > resume.seq);
        Some(missed.flat_map(|(_, message)| message.clone()).collect())
    }

    fn accepted(
        &self,
        key: &StreamKey,
        start: StartKind,
        reason: Option<StartReason>,
    ) -> Subscribed {
        Subscribed {
            stream: key.clone(),
            policy: Policy::Conflate,
            instrument: self.origin.instrument(),
            view: self.origin.view,
            epoch: self.origin.epoch,
            exponents: self.origin.exponents,
            start,
            reason,
        }
    }

    /// The first stream of the last subscribe request.
    pub(super) fn last_asked(&self) -> StreamRequest {
        let asked = self
            .sent
            .iter()
            .rev()
            .find_map(|(_, request)| match request {
                Request::Subscribe { streams, .. } => streams[0].clone().ok(),
                _ => None,
            });
        asked.unwrap()
    }

    /// The ops of the requests after the first `count`.
    pub(super) fn ops_since(&self, count: usize) -> Vec<&'static str> {
        self.sent[count..]
            .iter()
            .map(|(_, request)| request.op())
            .collect()
    }

    #[track_caller]
    pub(super) fn check_right(&self) {
        let kept = self.book();
        assert!(kept.is_live(), "{:?}", kept.trust());
        assert_eq!(kept.book(), &self.origin.book);
        assert_eq!(kept.position(), Some(self.origin.position()));
    }
}

/// The names of events, for tests about their order.
pub(super) fn names(events: &[Event]) -> Vec<&'static str> {
    events
        .iter()
        .map(|event| match event {
            Event::Connected { .. } => "connected",
            Event::Reconnecting { .. } => "reconnecting",
            Event::GoAway(_) => "go away",
            Event::Closed { .. } => "closed",
            Event::Subscribed(_) => "subscribed",
            Event::Rejected(_) => "rejected",
            Event::Updated(_) => "updated",
            Event::UpdateRejected(_) => "update rejected",
            Event::Unsubscribed(_) => "unsubscribed",
            Event::Instrument(_) => "instrument",
            Event::Book(update) if update.is_snapshot() => "snapshot",
            Event::Book(_) => "delta",
            Event::Bbo(_) => "bbo",
            Event::Trades(_) => "trades",
            Event::Ticker(_) => "ticker",
            Event::Bar(_) => "bar",
            Event::Status(_) => "status",
            Event::Heartbeat(_) => "heartbeat",
            Event::ReplayComplete(_) => "replay complete",
            Event::Lag(_) => "lag",
            Event::Gap(_) => "gap",
            Event::ChecksumMismatch(_) => "mismatch",
            Event::Resync(_) => "resync",
            Event::Undecodable { .. } => "undecodable",
            Event::Raw { .. } => "raw",
        })
        .collect()
}

pub(super) fn bytes(encoded: &[u8]) -> Bytes {
    Bytes::copy_from_slice(encoded)
}
