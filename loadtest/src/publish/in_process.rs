use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use fanout::{Body, Directory, Fanout};
use hyper::{Response, StatusCode};
use metrics::ShardMetrics;
use serde::Serialize;
use tokio::sync::oneshot;
use wire::GoAwayReason;

use super::PublishArgs;
use super::feed::{Bell, Feed, Made};
use crate::open_files::raise_open_files;
use crate::progress::Progress;
use crate::usage::{Spent, Usage};

/// Interval between checks of the progress.
const LOOK: Duration = Duration::from_millis(200);
/// Time for clients between GoAway and the close.
const FAREWELL: Duration = Duration::from_millis(200);

/// What was published, and what it cost, without the time before and after.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct InProcess {
    instruments: usize,
    active: usize,
    levels: usize,
    shards: usize,
    seconds: f64,
    /// Updates that were due, if there is a rate.
    offered: Option<u64>,
    pub(crate) made: u64,
    batches: u64,
    /// The longest delay of an update after it was due, in µs.
    latest_us: u128,
    /// CPU time of the publisher's thread in µs, in total and per update.
    publisher_us: u128,
    publisher_us_an_update: f64,
    /// What the process used.
    spent: Spent,
    /// Encoded messages and their bytes, each counted once for all clients.
    encoded: u64,
    encoded_bytes: u64,
    /// Runs handed to shards.
    runs: u64,
    /// Messages that the shards sent, their bytes, and the system calls.
    pub(crate) sent: u64,
    sent_bytes: u64,
    sends: u64,
    sends_short: u64,
    cursors_fallen: u64,
    /// Sessions at the end.
    sessions: usize,
    rss_start_kib: u64,
    rss_end_kib: u64,
}

/// The running publisher and fan-out.
pub(crate) struct Serving {
    fanout: Fanout,
    publisher: JoinHandle<()>,
    bell: Arc<Bell>,
    shards: Vec<Arc<ShardMetrics>>,
}

pub(super) fn run(args: &PublishArgs) -> anyhow::Result<InProcess> {
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let (serving, done) = Serving::start(args)?;
    eprintln!(
        "{} instruments, {} active; serving on {}",
        args.instruments,
        args.active(),
        serving.addr()
    );
    let before = Usage::of_self();
    if args.on_command {
        serving.begin_on_command();
    } else {
        serving.begin();
    }
    let (made, sessions) = runtime.block_on(until_done(args, &serving, done))?;
    let after = Usage::of_self();
    let result = InProcess::new(args, &made, &serving.shards, sessions, &before, &after);
    serving.end()?;
    Ok(result)
}

/// Waits until the time is up, or for Ctrl-C.
async fn until_done(
    args: &PublishArgs,
    serving: &Serving,
    mut done: oneshot::Receiver<Made>,
) -> anyhow::Result<(Made, usize)> {
    let mut progress = Progress::new("publishing", args.seconds);
    let start = Instant::now();
    let made = loop {
        let sessions = serving.fanout.sessions();
        let note = format_args!("s, {sessions} clients");
        progress.show(start.elapsed().as_secs(), note);
        tokio::select! {
            made = &mut done => break made,
            signal = tokio::signal::ctrl_c() => {
                signal.context("cannot wait for Ctrl-C")?;
                serving.bell.stop();
                break done.await;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
    };
    let made = made.context("the publisher ended early")?;
    Ok((made, serving.fanout.sessions()))
}

impl Serving {
    /// Starts to accept clients. The result arrives on the channel when the time is up.
    pub(crate) fn start(args: &PublishArgs) -> anyhow::Result<(Self, oneshot::Receiver<Made>)> {
        let defaults = fanout::Settings::default();
        let settings = fanout::Settings {
            listen: args.listen,
            shards: args.shards.max(1),
            send_buffer: args.send_buffer,
            batched_sends: !args.single_sends,
            busy_percent: args.busy_percent.unwrap_or(defaults.busy_percent),
            drain_delay: FAREWELL,
            ..defaults
        };
        let bell = Arc::new(Bell::default());
        let ringing = Arc::clone(&bell);
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(move || ringing.wake());
        let (ports, links) = fanout::link(settings.shards, vec![wake]);
        let port = ports.into_iter().next().context("no port")?;
        let directory = Arc::new(Directory::new(1));
        let feed = Feed::new(args, port, Arc::clone(&directory))?;
        let shards: Vec<_> = (0..settings.shards)
            .map(|_| Arc::new(ShardMetrics::default()))
            .collect();
        let fanout = Fanout::start(
            settings,
            shards.clone(),
            directory,
            links,
            Arc::new(|_| Box::pin(std::future::ready(fanout::Served::Page(nothing_here())))),
            &fanout::spawn_and_log,
        )?;
        let (tell, done) = oneshot::channel();
        let (args, heard) = (args.clone(), Arc::clone(&bell));
        let publisher = std::thread::Builder::new()
            .name("publisher-0".to_owned())
            .spawn(move || feed.run(&args, &heard, tell))
            .context("cannot start the publisher's thread")?;
        let serving = Self {
            fanout,
            publisher,
            bell,
            shards,
        };
        Ok((serving, done))
    }

    /// Starts to publish.
    pub(crate) fn begin(&self) {
        self.bell.begin();
    }

    /// Starts to publish at a line on standard input, and stops at its end.
    fn begin_on_command(&self) {
        let bell = Arc::clone(&self.bell);
        std::thread::spawn(
            move || match std::io::stdin().read_line(&mut String::new()) {
                Ok(1..) => bell.begin(),
                _ => bell.stop(),
            },
        );
    }

    /// The address to connect to.
    pub(crate) const fn addr(&self) -> SocketAddr {
        self.fanout.addr()
    }

    /// Disconnects all clients, and waits for all threads.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        self.fanout.stop(GoAwayReason::Shutdown);
        // Shards first: a publisher may be waiting for one, a shard never waits for a publisher.
        self.fanout.wait();
        self.bell.stop();
        match self.publisher.join() {
            Ok(()) => Ok(()),
            Err(_) => anyhow::bail!("the publisher panicked"),
        }
    }
}

/// Serves nothing but `/ws`.
fn nothing_here() -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

impl InProcess {
    fn new(
        args: &PublishArgs,
        made: &Made,
        shards: &[Arc<ShardMetrics>],
        sessions: usize,
        before: &Usage,
        after: &Usage,
    ) -> Self {
        let sum = |count: fn(&ShardMetrics) -> u64| shards.iter().map(|shard| count(shard)).sum();
        Self {
            instruments: args.instruments,
            active: args.active(),
            levels: args.levels,
            shards: shards.len(),
            seconds: made.seconds,
            offered: made.offered,
            made: made.updates,
            batches: made.batches,
            latest_us: made.latest.as_micros(),
            publisher_us: made.worked.as_micros(),
            publisher_us_an_update: made.worked.as_secs_f64() * 1e6 / made.updates.max(1) as f64,
            spent: after.since(before),
            encoded: made.encoded.0,
            encoded_bytes: made.encoded.1,
            runs: made.runs,
            sent: sum(|shard| {
                let channels = shard.messages_out.iter();
                let cells = channels.flat_map(|(_, encodings)| encodings.iter());
                cells.map(|(_, count)| count.get()).sum()
            }),
            sent_bytes: sum(|shard| shard.bytes_out.iter().map(|(_, count)| count.get()).sum()),
            sends: sum(|shard| shard.sends.get()),
            sends_short: sum(|shard| shard.sends_short.get()),
            cursors_fallen: sum(|shard| shard.cursors_fallen.get()),
            sessions,
            rss_start_kib: before.rss_kib,
            rss_end_kib: after.rss_kib,
        }
    }
}

impl fmt::Display for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offered = self.offered.unwrap_or(self.made);
        writeln!(
            f,
            "made         {} of {offered} updates in {:.2} s, {:.0}/s, {:.1} a batch, at most {:.1} ms late",
            self.made,
            self.seconds,
            self.made as f64 / self.seconds,
            self.made as f64 / self.batches.max(1) as f64,
            self.latest_us as f64 / 1e3
        )?;
        writeln!(
            f,
            "publisher    {:.3} us an update; {} messages encoded, {} bytes, {} runs",
            self.publisher_us_an_update, self.encoded, self.encoded_bytes, self.runs
        )?;
        writeln!(
            f,
            "shards       {} messages, {:.1} MB in {} sends, {:.1} messages a send; {} sends short, {} cursors fallen, {} clients",
            self.sent,
            self.sent_bytes as f64 / 1e6,
            self.sends,
            self.sent as f64 / self.sends.max(1) as f64,
            self.sends_short,
            self.cursors_fallen,
            self.sessions
        )?;
        write!(f, "processor   ")?;
        for (name, micros) in &self.spent.threads {
            let share = *micros as f64 / 1e4 / self.seconds;
            write!(f, " {name} {share:.1} %")?;
        }
        writeln!(
            f,
            " of a core; {:.3} us a message sent",
            self.spent.cpu_us as f64 / self.sent.max(1) as f64
        )?;
        writeln!(
            f,
            "memory       {} KiB at the start, {} KiB at the end",
            self.rss_start_kib, self.rss_end_kib
        )
    }
}
