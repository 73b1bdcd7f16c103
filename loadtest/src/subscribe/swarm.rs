use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};

use super::SubscribeArgs;
use super::counting::{Counting, Shared};
use super::report::Report;
use super::streams::{Choice, Wanted};
use super::tally::Tally;
use super::verifying;
use crate::clock::process_time;
use crate::open_files::raise_open_files;

/// How often clients are started and the person is told; a hundredth of a second's worth at a time.
const TICK: Duration = Duration::from_millis(10);
const SHOW_EVERY: Duration = Duration::from_secs(1);
/// How long the last clients may take to be subscribed before the measurement begins without them.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(args: SubscribeArgs) -> anyhow::Result<Report> {
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, swarm(args))
}

async fn swarm(args: SubscribeArgs) -> anyhow::Result<Report> {
    let shared = Shared::new(Tally::new()?);
    let (stop, stopped) = watch::channel(false);
    let mut choice = Choice::new(&args)?;
    let mut clients = JoinSet::new();
    let start = Instant::now();
    let mut shown = start;
    let mut last = start;
    loop {
        let due = start.elapsed().as_secs_f64() * f64::from(args.connect_rate.max(1));
        while clients.len() < args.clients && clients.len() as f64 <= due {
            let role = Role::of(clients.len(), &args);
            let task = client(
                role,
                args.clone(),
                choice.next(),
                shared.clone(),
                stopped.clone(),
            );
            clients.spawn_local(task);
            last = Instant::now();
        }
        tokio::time::sleep(TICK).await;
        let tally = shared.tally.borrow();
        let done = tally.subscribed + tally.failed >= args.clients as u64;
        if shown.elapsed() >= SHOW_EVERY {
            shown = Instant::now();
            eprintln!(
                "{} connected, {} subscribed",
                tally.connected, tally.subscribed
            );
        }
        if done || (clients.len() == args.clients && last.elapsed() > PATIENCE) {
            break;
        }
    }

    eprintln!("measuring for {} s", args.seconds);
    shared.tally.borrow_mut().measuring = true;
    let (start, worked) = (Instant::now(), process_time());
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    shared.tally.borrow_mut().measuring = false;
    let seconds = start.elapsed().as_secs_f64();
    let core = process_time().saturating_sub(worked).as_secs_f64() / seconds;

    stop.send_replace(true);
    while clients.join_next().await.is_some() {}
    let tally = shared.tally.borrow();
    Ok(Report::new(&args, &tally, seconds, core))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Counts,
    Verifies,
    Stalls,
}

impl Role {
    /// Verifying ones first, then stalled ones.
    fn of(index: usize, args: &SubscribeArgs) -> Self {
        if index < args.verifying {
            Self::Verifies
        } else if index < args.verifying + args.stalled {
            Self::Stalls
        } else {
            Self::Counts
        }
    }
}

async fn client(
    role: Role,
    args: SubscribeArgs,
    streams: Vec<Wanted>,
    shared: Shared,
    stop: watch::Receiver<bool>,
) {
    let tally = shared.tally.clone();
    let done = match role {
        Role::Counts => count(&args, &streams, shared, stop).await,
        Role::Verifies => verifying::verify(shared.tally, &args, &streams, None, stop).await,
        Role::Stalls => {
            let stall = args.stall.map_or(Duration::MAX, Duration::from_secs);
            verifying::verify(shared.tally, &args, &streams, Some(stall), stop).await
        }
    };
    if let Err(error) = done {
        let mut tally = tally.borrow_mut();
        tally.failed += 1;
        tally.trouble(format_args!("{error:#}"));
    }
}

async fn count(
    args: &SubscribeArgs,
    streams: &[Wanted],
    shared: Shared,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut client = Counting::connect(shared, &args.url, streams, args.policy).await?;
    client.subscribe().await?;
    tokio::select! {
        ended = client.count() => ended,
        _ = stop.wait_for(|stop| *stop) => {
            client.leave();
            Ok(())
        }
    }
}
