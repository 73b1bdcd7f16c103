//! One client, as a user would run it.

use super::observations::Observations;
use super::phase_stats::{Fault, count};
use super::{BOOK, STREAMS, Setup, TRADES};
use crate::kafka_log::{self, KafkaLog};
use anyhow::Context as _;
use client::event::Disconnect;
use client::{Client, Config, Event, Subscription, SubscriptionId};
use market::State;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use wire::control::StartKind;

/// The subscription after [`BOOK`] and [`TRADES`].
const STATUS: usize = STREAMS;

pub(super) struct VerifyingClient {
    number: usize,
    instrument: usize,
    client: Client,
    observations: Rc<RefCell<Observations>>,
    is_connected: bool,
}

impl VerifyingClient {
    pub(super) fn new(
        setup: &Setup,
        number: usize,
        observations: Rc<RefCell<Observations>>,
    ) -> anyhow::Result<Self> {
        let instrument = observations.borrow().instrument(number);
        let name = kafka_log::name(instrument + 1)?;
        let client = Client::builder()
            .endpoint(&setup.url)
            .root_certificates(&*setup.authorities)
            .subscribe(Subscription::book(name.as_str()))
            .subscribe(Subscription::trades(name.as_str()))
            .subscribe(Subscription::status(name.as_str()))
            // Everything else is the default, as most users have it.
            .config(Config {
                raw: true,
                ..Config::default()
            })
            .build()
            .context("cannot create a client")?;
        Ok(Self {
            number,
            instrument,
            client,
            observations,
            is_connected: false,
        })
    }

    /// Connects after a delay, and receives until the log is known.
    pub(super) async fn run(
        mut self,
        delay: Duration,
        mut ended: watch::Receiver<Option<Arc<KafkaLog>>>,
    ) {
        tokio::time::sleep(delay).await;
        let end = async move {
            let log = ended.wait_for(Option::is_some).await;
            log.ok().and_then(|log| log.clone())
        };
        tokio::pin!(end);
        let log = loop {
            tokio::select! {
                event = self.client.next_event() => match event {
                    Some(event) => self.observe(&event),
                    None => {
                        self.observations.borrow_mut().fault(Fault::GaveUp);
                        return;
                    }
                },
                log = &mut end => break log,
            }
        };
        let book = self.client.book(SubscriptionId(BOOK as u64));
        let is_right = log
            .zip(book)
            .is_some_and(|(log, kept)| kept.is_live() && kept.book() == log.book(self.instrument));
        let mut observations = self.observations.borrow_mut();
        observations.set_right(self.number, is_right);
    }

    fn observe(&mut self, event: &Event) {
        let shared = Rc::clone(&self.observations);
        let observations = &mut *shared.borrow_mut();
        match event {
            Event::Raw {
                subscription: Some(subscription),
                bytes,
            } => {
                if let Some(stream) = stream_of(*subscription) {
                    observations.payload(self.number, stream, bytes);
                }
            }
            Event::Book(update) => {
                let history = observations.history(self.number, BOOK);
                let continuity = if update.is_snapshot() {
                    history.snapshot(&update.head)
                } else {
                    history.item(&update.head)
                };
                observations.item(self.number, continuity);
            }
            Event::Trades(update) => {
                let history = observations.history(self.number, TRADES);
                let continuity = history.item(&update.head);
                observations.item(self.number, continuity);
            }
            Event::Heartbeat(heartbeat) => {
                if let Some(stream) = stream_of(heartbeat.subscription) {
                    let history = observations.history(self.number, stream);
                    let continuity = history.heartbeat(&heartbeat.head);
                    observations.continuity(continuity);
                }
            }
            Event::Lag(lag) => {
                if let Some(stream) = stream_of(lag.subscription) {
                    observations.history(self.number, stream).conflate();
                }
            }
            Event::Status(update) if update.subscription.0 == STATUS as u64 => {
                if update.status.state == State::Stale {
                    observations.stale(self.number);
                }
            }
            Event::Status(update) => {
                if update.status.state != State::Live {
                    observations.fault(Fault::NotLive);
                }
            }
            _ => self.observe_session(observations, event),
        }
    }

    /// Events of the session, rather than of the market.
    fn observe_session(&mut self, observations: &mut Observations, event: &Event) {
        match event {
            Event::Connected { .. } => self.is_connected = true,
            Event::Reconnecting { cause, .. } => {
                let phase = observations.phase();
                if std::mem::take(&mut self.is_connected) {
                    count(&mut phase.sessions_lost, name_of(cause));
                } else {
                    count(&mut phase.failed_attempts, name_of(cause));
                }
            }
            Event::Subscribed(subscribed) => {
                let Some(stream) = stream_of(subscribed.subscription) else {
                    return;
                };
                // The first snapshot of a stream is not a restart.
                let is_back = observations.history(self.number, stream).last().is_some();
                if subscribed.start == StartKind::Snapshot {
                    observations.history(self.number, stream).restart();
                }
                let phase = observations.phase();
                match subscribed.start {
                    StartKind::Resumed => phase.resumed += 1,
                    StartKind::Snapshot if is_back => {
                        let reason = subscribed.reason;
                        let reason = reason.map_or("no resume requested", |reason| reason.name());
                        count(&mut phase.snapshots, reason);
                    }
                    StartKind::Snapshot => {}
                }
            }
            Event::Rejected(rejected) => {
                let phase = observations.phase();
                count(&mut phase.rejected, rejected.error.code.as_str());
                if rejected.retry.is_none() {
                    observations.fault(Fault::GaveUp);
                }
            }
            Event::Gap(gap) => count(&mut observations.phase().gaps, gap.cause.to_string()),
            Event::ChecksumMismatch(_) => observations.fault(Fault::ChecksumMismatch),
            Event::Undecodable { .. } => observations.fault(Fault::Undecodable),
            Event::Closed { .. } => observations.fault(Fault::GaveUp),
            _ => {}
        }
    }
}

/// The stream that is verified item by item, if the subscription is one.
fn stream_of(subscription: SubscriptionId) -> Option<usize> {
    let stream = usize::try_from(subscription.0).ok()?;
    (stream < STREAMS).then_some(stream)
}

/// A cause in a few words that many clients share.
fn name_of(cause: &Disconnect) -> String {
    match cause {
        Disconnect::Io(error) => error.kind().to_string(),
        Disconnect::Closed { code, .. } => format!("closed with {code}"),
        Disconnect::Silent(_) => "silent".to_owned(),
        Disconnect::ConnectTimeout(_) => "connect timeout".to_owned(),
        Disconnect::Unanswered(_) => "no answer in time".to_owned(),
        Disconnect::GoAway => "GoAway".to_owned(),
        Disconnect::Ended => "ended without a close frame".to_owned(),
        other => other.to_string(),
    }
}
