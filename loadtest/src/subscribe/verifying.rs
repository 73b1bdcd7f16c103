use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use client::{Client, Event, Subscription};
use market::Channel;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use wire::Head;

use super::SubscribeArgs;
use super::streams::{Choice, Wanted};
use super::tally::Tally;
use crate::clock::wall_clock;

/// Verifying clients, on a thread of their own.
pub(super) struct Verifiers {
    shared: Arc<Shared>,
    thread: JoinHandle<anyhow::Result<Tally>>,
    clients: usize,
}

struct Shared {
    measuring: AtomicBool,
    /// Clients that have all their streams or have failed.
    settled: AtomicU64,
    stop: watch::Sender<bool>,
}

/// One verifying client.
struct Verifier {
    tally: Rc<RefCell<Tally>>,
    shared: Arc<Shared>,
    client: Client,
    streams: usize,
    has_book: bool,
    /// Streams without an answer.
    unanswered: usize,
    /// How long it reads nothing after it has subscribed.
    stall: Option<Duration>,
    /// When it read again after the stall; `None` once a newer book was verified.
    woke: Option<(Instant, u64)>,
    /// Whether its latencies count: those of unread messages do not.
    timed: bool,
}

impl Verifiers {
    /// Starts them. Returns `None` if there are none.
    pub(super) fn start(args: &SubscribeArgs, choice: &mut Choice) -> anyhow::Result<Option<Self>> {
        let clients = args.verifying + args.stalled;
        if clients == 0 {
            return Ok(None);
        }
        let shared = Arc::new(Shared {
            measuring: AtomicBool::new(false),
            settled: AtomicU64::new(0),
            stop: watch::Sender::new(false),
        });
        let wanted: Vec<Vec<Wanted>> = (0..clients)
            .map(|_| {
                let chosen = choice.next();
                let wanted = chosen.iter().map(|index| choice.wanted(*index).clone());
                wanted.collect()
            })
            .collect();
        let (args, theirs) = (args.clone(), Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("verifiers".to_owned())
            .spawn(move || verify(&args, wanted, &theirs))
            .context("cannot start the verifiers' thread")?;
        Ok(Some(Self {
            shared,
            thread,
            clients,
        }))
    }

    pub(super) fn is_settled(&self) -> bool {
        self.shared.settled.load(Ordering::Acquire) >= self.clients as u64 || self.has_ended()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub(super) fn measure(&self, measuring: bool) {
        self.shared.measuring.store(measuring, Ordering::Release);
    }

    /// Stops them, and returns what they counted.
    pub(super) fn end(self) -> anyhow::Result<Tally> {
        self.shared.stop.send_replace(true);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow!("the verifiers' thread panicked"))?
    }
}

fn verify(
    args: &SubscribeArgs,
    wanted: Vec<Vec<Wanted>>,
    shared: &Arc<Shared>,
) -> anyhow::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let tally = Rc::new(RefCell::new(Tally::new()?));
    let mut clients = Vec::with_capacity(wanted.len());
    for (index, streams) in wanted.into_iter().enumerate() {
        // Verifying clients first, then stalled ones.
        let stall = (index >= args.verifying).then(|| args.stall());
        let url = args.url[index % args.url.len()].as_str();
        let mut builder = Client::builder().endpoint(url);
        for wanted in &streams {
            let subscription = Subscription::new(wanted.channel, wanted.name.as_str());
            builder = builder.subscribe(subscription.depth(wanted.depth).policy(args.policy));
        }
        clients.push(Verifier {
            tally: Rc::clone(&tally),
            shared: Arc::clone(shared),
            client: builder.build()?,
            streams: streams.len(),
            has_book: streams.iter().any(|wanted| wanted.channel == Channel::Book),
            unanswered: streams.len(),
            stall,
            woke: None,
            timed: stall.is_none(),
        });
    }
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut tasks = JoinSet::new();
        for client in clients {
            tasks.spawn_local(client.run());
        }
        while tasks.join_next().await.is_some() {}
    });
    let tally = tally.borrow().clone();
    Ok(tally)
}

impl Verifier {
    /// Handles events until it is asked to stop.
    async fn run(mut self) {
        let mut stop = self.shared.stop.subscribe();
        loop {
            if self.unanswered == 0
                && let Some(stall) = self.stall.take()
            {
                // A client reads only while it is polled for events.
                let told = stop.wait_for(|stop| *stop);
                if tokio::time::timeout(stall, told).await.is_ok() {
                    break;
                }
                self.woke = Some((Instant::now(), wall_clock()));
            }
            let event = tokio::select! {
                event = self.client.next_event() => event,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let Some(event) = event else { break };
            self.take(&event);
        }
        self.sum_up();
    }

    fn take(&mut self, event: &Event) {
        let mut tally = self.tally.borrow_mut();
        match event {
            Event::Connected { .. } => tally.counts.connected += 1,
            Event::Reconnecting { cause, .. } => {
                tally.counts.reconnects += 1;
                tally.trouble(format_args!("a verifying client reconnected: {cause:?}"));
            }
            Event::Subscribed(_) | Event::Rejected(_) => {
                match event {
                    Event::Rejected(rejected) => {
                        tally.counts.refused += 1;
                        tally.trouble(format_args!("rejected: {rejected:?}"));
                    }
                    _ => tally.counts.streams += 1,
                }
                // A client is settled after the first answer for every stream.
                if self.unanswered == 1 {
                    tally.counts.live += 1;
                    self.shared.settled.fetch_add(1, Ordering::AcqRel);
                }
                self.unanswered = self.unanswered.saturating_sub(1);
            }
            Event::Resync(_) if self.woke.is_some() => tally.counts.asked_again += 1,
            Event::Gap(gap) => tally.trouble(format_args!("gap: {gap:?}")),
            Event::ChecksumMismatch(wrong) => tally.trouble(format_args!("checksum: {wrong:?}")),
            Event::Undecodable { error } => tally.trouble(error),
            Event::Book(update) => {
                if let Some((woke, since)) = self.woke
                    && update.head.publish_time.0 >= since
                {
                    tally.awake.record(woke.elapsed());
                    self.woke = None;
                }
                self.time(&mut tally, &update.head);
            }
            Event::Bbo(update) => self.time(&mut tally, &update.head),
            Event::Trades(update) => self.time(&mut tally, &update.head),
            _ => {}
        }
    }

    fn time(&self, tally: &mut Tally, head: &Head) {
        if !self.timed || !self.shared.measuring.load(Ordering::Relaxed) {
            return;
        }
        tally.counts.frames += 1;
        let event = head.event_time.map(|time| time.0);
        let (log, publish) = (head.log_time.0, head.publish_time.0);
        tally.stages.took(event, log, publish, wall_clock());
    }

    fn sum_up(&self) {
        let mut tally = self.tally.borrow_mut();
        if self.has_book && self.woke.is_some() {
            tally.trouble("a client that read again received no newer book");
        }
        let counts = &mut tally.counts;
        if self.unanswered > 0 {
            counts.failed += 1;
        }
        counts.undecodable += self.client.stats().undecodable;
        for id in 0..self.streams as u64 {
            if let Some(stats) = self.client.stream_stats(client::SubscriptionId(id)) {
                counts.verified += stats.verified;
                counts.mismatches += stats.mismatches;
                counts.gaps += stats.gaps;
                counts.losses += stats.losses;
                counts.resyncs += stats.resyncs;
                counts.lags += stats.lags;
            }
        }
    }
}
