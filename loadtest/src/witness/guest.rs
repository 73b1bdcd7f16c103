use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use client::event::Disconnect;
use client::{Client, Config, Event, Subscription, SubscriptionId};
use market::State;
use tokio::sync::watch;
use wire::control::StartKind;

use super::ledger::{Ledger, STREAMS};
use super::log::{self, Log};
use super::phase::count;

/// The streams of a client, in the order of their subscriptions.
const BOOK: usize = 0;
const TRADES: usize = 1;
const STATUS: usize = 2;

/// One client, as a user would have it.
pub(super) struct Guest {
    number: usize,
    instrument: usize,
    client: Client,
    ledger: Rc<RefCell<Ledger>>,
    is_connected: bool,
}

impl Guest {
    pub(super) fn new(
        url: &str,
        authorities: Option<&[u8]>,
        number: usize,
        ledger: Rc<RefCell<Ledger>>,
    ) -> anyhow::Result<Self> {
        let instrument = ledger.borrow().instrument(number);
        let name = log::name(instrument + 1)?;
        let mut builder = Client::builder()
            .endpoint(url)
            .subscribe(Subscription::book(name.as_str()))
            .subscribe(Subscription::trades(name.as_str()))
            .subscribe(Subscription::status(name.as_str()))
            // All else is what users get who set nothing.
            .config(Config {
                raw: true,
                ..Config::default()
            });
        if let Some(pem) = authorities {
            builder = builder.root_certificates(pem);
        }
        Ok(Self {
            number,
            instrument,
            client: builder.build().context("cannot make a client")?,
            ledger,
            is_connected: false,
        })
    }

    /// Comes after a while, and stays until it is told what the log has.
    pub(super) async fn run(
        mut self,
        comes: Duration,
        mut ended: watch::Receiver<Option<Arc<Log>>>,
    ) {
        tokio::time::sleep(comes).await;
        let end = async move {
            let log = ended.wait_for(Option::is_some).await;
            log.ok().and_then(|log| log.clone())
        };
        tokio::pin!(end);
        let log = loop {
            tokio::select! {
                event = self.client.next_event() => match event {
                    Some(event) => self.take(&event),
                    None => {
                        self.ledger.borrow_mut().phase().faults.given_up += 1;
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
        self.ledger.borrow_mut().judge(self.number, is_right);
    }

    fn take(&mut self, event: &Event) {
        let shared = Rc::clone(&self.ledger);
        let ledger = &mut *shared.borrow_mut();
        match event {
            Event::Raw {
                subscription: Some(SubscriptionId(id)),
                bytes,
            } => {
                let stream = usize::try_from(*id).unwrap_or(STATUS);
                if stream < STREAMS && !ledger.chain(self.number, stream).is_conflated() {
                    let heard = ledger.wire.hear(self.instrument * STREAMS + stream, bytes);
                    let Some(heard) = heard else { return };
                    let is_had = ledger.chain(self.number, stream).has(heard.seq);
                    let phase = ledger.phase();
                    phase.passed_over += u64::from(is_had);
                    phase.faults.different += u64::from(!heard.is_same);
                }
            }
            Event::Book(update) => {
                let chain = ledger.chain(self.number, BOOK);
                let link = if update.is_snapshot() {
                    chain.whole(&update.head)
                } else {
                    chain.step(&update.head)
                };
                ledger.linked(link);
                ledger.heard(self.number, Instant::now());
            }
            Event::Trades(update) => {
                let link = ledger.chain(self.number, TRADES).step(&update.head);
                ledger.linked(link);
                ledger.heard(self.number, Instant::now());
            }
            Event::Heartbeat(beat) => {
                let stream = usize::try_from(beat.subscription.0).unwrap_or(STATUS);
                if stream < STREAMS {
                    let link = ledger.chain(self.number, stream).stands(&beat.head);
                    ledger.linked(link);
                }
            }
            Event::Lag(lag) => {
                let stream = usize::try_from(lag.subscription.0).unwrap_or(STATUS);
                if stream < STREAMS {
                    ledger.chain(self.number, stream).conflate();
                }
            }
            Event::Status(update) if update.subscription.0 == STATUS as u64 => {
                if update.status.state == State::Stale {
                    ledger.stale(self.number);
                }
            }
            Event::Status(update) => {
                let is_untrusted = update.status.state != State::Live;
                ledger.phase().faults.untrusted += u64::from(is_untrusted);
            }
            _ => self.live(ledger, event),
        }
    }

    /// What is about the client's life, and not about the market.
    fn live(&mut self, ledger: &mut Ledger, event: &Event) {
        match event {
            Event::Connected { .. } => self.is_connected = true,
            Event::Reconnecting { cause, .. } => {
                let phase = ledger.phase();
                if std::mem::take(&mut self.is_connected) {
                    count(&mut phase.sessions_lost, cause_of(cause));
                } else {
                    count(&mut phase.failed_attempts, cause_of(cause));
                }
            }
            Event::Subscribed(told) => {
                let stream = usize::try_from(told.subscription.0).unwrap_or(STATUS);
                if stream >= STREAMS {
                    return;
                }
                // What a stream begins with the first time is no news.
                let is_back = ledger.chain(self.number, stream).last().is_some();
                if told.start == StartKind::Snapshot {
                    ledger.chain(self.number, stream).begin_anew();
                }
                let phase = ledger.phase();
                match told.start {
                    StartKind::Resumed => phase.resumed += 1,
                    StartKind::Snapshot if is_back => {
                        let reason = told.reason.map_or("not asked to resume", |why| why.name());
                        count(&mut phase.snapshots, reason);
                    }
                    StartKind::Snapshot => {}
                }
            }
            Event::Rejected(told) => {
                let phase = ledger.phase();
                count(&mut phase.refused, told.error.code.as_str());
                phase.faults.given_up += u64::from(told.retry.is_none());
            }
            Event::Gap(gap) => count(&mut ledger.phase().gaps, gap.cause.to_string()),
            Event::ChecksumMismatch(_) => ledger.phase().faults.mismatches += 1,
            Event::Undecodable { .. } => ledger.phase().faults.undecodable += 1,
            Event::Closed { .. } => ledger.phase().faults.given_up += 1,
            _ => {}
        }
    }
}

/// Why there is no connection, in a few words that many clients share.
fn cause_of(cause: &Disconnect) -> String {
    match cause {
        Disconnect::Io(error) => error.kind().to_string(),
        Disconnect::Closed { code, .. } => format!("closed with {code}"),
        Disconnect::Silent(_) => "silent".to_owned(),
        Disconnect::ConnectTimeout(_) => "no connection in time".to_owned(),
        Disconnect::Unanswered(_) => "no answer in time".to_owned(),
        Disconnect::GoAway => "told to go".to_owned(),
        Disconnect::Ended => "ended without a word".to_owned(),
        other => other.to_string(),
    }
}
