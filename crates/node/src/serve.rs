//! Runs a node: what it starts, what it waits for, and the order in which it stops.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use fanout::{Directory, Fanout, Fetcher};
use ingest::IngestConfig;
use metrics::label::ThreadKind;
use metrics::{BuildInfo, Registry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use wire::GoAwayReason;

use crate::admin::{self, AdminState};
use crate::api::{Api, ApiThread};
use crate::checkpoints::{self, Job, Loaded, Taker, Writer};
use crate::clock::monotonic;
use crate::config::{Config, Sources, fit_sessions};
use crate::history::Replays;
use crate::logging::{self, LogHandle, Recent};
use crate::pipeline::{IngestCounts, Pipeline};
use crate::readiness::Readiness;
use crate::reload::{Reloader, Reread};
use crate::threads::Threads;
use crate::traces::Exporter;

/// Reported by `tapecast_build_info`; packagers set the revision.
const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    revision: match option_env!("TAPECAST_REVISION") {
        Some(revision) => revision,
        None => "unknown",
    },
};

type Publishers = Vec<JoinHandle<()>>;

/// Why a node stops.
enum StopCause {
    /// A signal or `POST /drain`.
    Asked(GoAwayReason),
    /// It cannot continue.
    Failed(anyhow::Error),
}

impl StopCause {
    /// The reason that clients are given.
    const fn reason(&self) -> GoAwayReason {
        match self {
            Self::Asked(reason) => *reason,
            Self::Failed(_) => GoAwayReason::Shutdown,
        }
    }
}

/// Reads the configuration, starts the log, and lowers the limits of connections to the open files the
/// process may have.
pub fn prepare(sources: Sources) -> anyhow::Result<(Config, LogHandle)> {
    let mut config = Config::load(sources)?;
    let log = logging::start_log(&config.log)?;
    fit_sessions(&mut config);
    Ok((config, log))
}

/// Runs a node until a signal or `POST /drain` stops it.
///
/// `reread` is called for each reload.
pub fn run(config: Config, log: LogHandle, reread: Reread) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(run_until_stopped(config, log, reread))
}

async fn run_until_stopped(config: Config, log: LogHandle, reread: Reread) -> anyhow::Result<()> {
    let registry = Arc::new(Registry::new(BUILD));
    let readiness = Readiness::new();
    let stop = ingest::Stop::default();
    let threads = Threads::new(Arc::clone(&registry), Arc::clone(&readiness));
    let admin = TcpListener::bind(config.admin)
        .await
        .with_context(|| format!("cannot listen on {} (admin.listen)", config.admin))?;
    // There is one publisher per consumer.
    let directory = Arc::new(Directory::new(config.ingest.threads));
    directory.set_lists(config.lists.clone());
    let api = ApiThread::start(&threads)?;
    let exporter = Exporter::start(
        &config.traces,
        config.fanout.listen,
        registry.traces(),
        &threads,
    )?;
    let (fanout, publishers) = start(&Wiring {
        config: &config,
        directory: &directory,
        registry: &registry,
        readiness: &readiness,
        stop: &stop,
        threads: &threads,
        api: &api,
        exporter: exporter.as_ref(),
    })?;
    let drained = Arc::new(Notify::new());
    let (fanout, log) = (Arc::new(fanout), Arc::new(log));
    let gate = Arc::clone(&fanout);
    readiness.govern(Box::new(move |ready| gate.set_accepting(ready)));
    let reloader = Arc::new(Reloader::new(
        &config,
        reread,
        Arc::clone(&fanout),
        Arc::clone(&directory),
        Arc::clone(&log),
        Arc::clone(&registry),
    ));
    let recent = log.recent.clone();
    let state = admin_state(registry, &readiness, &drained, &reloader, recent);
    let (closing, closed) = watch::channel(false);
    let mut serving = tokio::spawn(admin::serve(admin, state, until(closed)));
    tracing::info!(public = %fanout.addr(), admin = %config.admin, "serving");

    let watching = Arc::clone(&reloader);
    let watching = tokio::spawn(async move {
        tokio::join!(watching.watch_files(), reload_on_hangup(&watching));
    });
    let cause = wait_for_stop(&drained, &threads, &mut serving).await;
    readiness.drain();
    watching.abort();
    tracing::info!(sessions = fanout.sessions(), "stopping");
    tokio::spawn(exit_on_second_signal());
    threads.stop();
    fanout.stop(cause.reason());
    let joined =
        tokio::task::spawn_blocking(move || join(&fanout, api, &stop, publishers, exporter));
    joined.await.context("cannot wait for the threads")?;
    closing.send_replace(true);
    if !serving.is_finished() {
        let _served = tokio::time::timeout(Duration::from_secs(1), serving).await;
    }
    match (cause, threads.failure()) {
        (StopCause::Failed(error), _) => Err(error),
        (StopCause::Asked(_), Some(failure)) => Err(failure.into()),
        (StopCause::Asked(_), None) => Ok(()),
    }
}

async fn wait_for_stop(
    drained: &Notify,
    threads: &Threads,
    serving: &mut tokio::task::JoinHandle<()>,
) -> StopCause {
    tokio::select! {
        signal = stop_signal() => signal.map_or_else(StopCause::Failed, |()| StopCause::Asked(GoAwayReason::Shutdown)),
        () = drained.notified() => StopCause::Asked(GoAwayReason::Drain),
        failure = threads.wait_for_failure() => StopCause::Failed(failure.into()),
        ended = serving => StopCause::Failed(match ended {
            Ok(()) => anyhow::anyhow!("the admin listener stopped"),
            Err(error) => anyhow::anyhow!("the admin listener failed: {error}"),
        }),
    }
}

/// Waits for all threads to end.
fn join(
    fanout: &Fanout,
    api: ApiThread,
    stop: &ingest::Stop,
    publishers: Publishers,
    exporter: Option<Exporter>,
) {
    // Shards first: a publisher may be waiting for a shard, but never the other way around.
    fanout.wait();
    api.stop();
    stop.stop();
    for publisher in publishers {
        // `threads` has its result.
        let _ended = publisher.join();
    }
    if let Some(exporter) = exporter {
        exporter.stop();
    }
}

/// What consumers, publishers and shards share.
struct Wiring<'a> {
    config: &'a Config,
    directory: &'a Arc<Directory>,
    registry: &'a Registry,
    readiness: &'a Arc<Readiness>,
    stop: &'a ingest::Stop,
    threads: &'a Threads,
    api: &'a ApiThread,
    exporter: Option<&'a Exporter>,
}

/// Starts consumers, publishers and shards.
fn start(
    &Wiring {
        config,
        directory,
        registry,
        readiness,
        stop,
        threads,
        api,
        exporter,
    }: &Wiring<'_>,
) -> anyhow::Result<(Fanout, Publishers)> {
    let (ingest_config, loaded) = checkpoints_of(config, registry);
    let consumers = ingest::start(&ingest_config, stop, |name, body| {
        let body = move || {
            body();
            Ok::<_, Infallible>(())
        };
        threads.spawn(ThreadKind::Scout, name, body).map(drop)
    })?;
    let wakers = consumers.iter().map(|consumer| {
        let waker = consumer.waker();
        Arc::new(move || waker.wake()) as Arc<dyn Fn() + Send + Sync>
    });
    let (ports, links) = fanout::link(config.fanout.shards, wakers.collect());
    let shards = (0..config.fanout.shards)
        .map(|_| registry.add_shard())
        .collect();
    let fetcher = Fetcher::new(Arc::clone(directory), &links);
    let pages = api.pages(Arc::new(Api::new(fetcher)));
    let fanout = Fanout::start(
        config.fanout.clone(),
        shards,
        Arc::clone(directory),
        links,
        pages,
        &|name, body| threads.spawn(ThreadKind::Shard, name, body),
    )?;
    let history = history_of(config, registry, threads);
    let jobs = writer_of(config, registry, threads)?;
    let names_instruments = consumers.len() == 1;
    let mut publishers = Publishers::new();
    for (number, (consumer, mut port)) in consumers.into_iter().zip(ports).enumerate() {
        if let Some(history) = &history {
            port.set_history(Arc::clone(history));
        }
        let mut pipeline = Pipeline::new(
            number,
            config.streams,
            port,
            Arc::clone(directory),
            Arc::clone(&config.instruments),
            readiness.publisher(),
            config.lost_after,
            registry.add_publisher(),
            IngestCounts::new(registry.add_ingest()),
        );
        let taker = jobs.as_ref().zip(config.checkpoints.write_every);
        let taker = taker.map(|(jobs, every)| Taker::new(every, jobs.clone(), monotonic()));
        pipeline.use_checkpoints(Arc::clone(&loaded), taker);
        if let Some(exporter) = exporter {
            pipeline.set_tracer(exporter.tracer());
        }
        if names_instruments {
            pipeline.list_named();
        }
        let body = move || consumer.run(&mut pipeline);
        let thread = threads
            .spawn(ThreadKind::Publisher, format!("publisher-{number}"), body)
            .context("cannot start a publisher's thread")?;
        publishers.push(thread);
    }
    Ok((fanout, publishers))
}

/// The replays, unless they are disabled.
fn history_of(
    config: &Config,
    registry: &Registry,
    threads: &Threads,
) -> Option<Arc<dyn fanout::History>> {
    (config.history.replays > 0).then(|| {
        let replays = Replays::new(
            config.history,
            config.ingest.clone(),
            config.streams,
            Arc::clone(&config.instruments),
            registry.history(),
            threads.clone(),
        );
        Arc::new(replays) as Arc<dyn fanout::History>
    })
}

/// Reads the checkpoints, and sets from where partitions are read.
fn checkpoints_of(config: &Config, registry: &Registry) -> (IngestConfig, Arc<Loaded>) {
    let mut ingest = config.ingest.clone();
    let topic = config.checkpoints.topic.as_ref();
    let loaded = topic.map(|topic| checkpoints::load(topic, &mut ingest, &registry.checkpoints()));
    (ingest, Arc::new(loaded.unwrap_or_default()))
}

/// Starts the thread that writes checkpoints, if the node is configured to.
fn writer_of(
    config: &Config,
    registry: &Registry,
    threads: &Threads,
) -> anyhow::Result<Option<SyncSender<Job>>> {
    let settings = &config.checkpoints;
    let (Some(topic), Some(_)) = (&settings.topic, settings.write_every) else {
        return Ok(None);
    };
    let metrics = registry.checkpoints();
    // It stops with the publishers and is not joined: what it has not written can be read from the log.
    let jobs = Writer::start(topic, settings.create, &config.ingest, metrics, threads)
        .context("cannot write checkpoints")?;
    Ok(Some(jobs))
}

fn admin_state(
    registry: Arc<Registry>,
    readiness: &Arc<Readiness>,
    drained: &Arc<Notify>,
    reloader: &Arc<Reloader>,
    recent: Recent,
) -> Arc<AdminState> {
    let (drained, reloader) = (Arc::clone(drained), Arc::clone(reloader));
    Arc::new(AdminState {
        registry,
        readiness: Arc::clone(readiness),
        recent,
        drain: Box::new(move || drained.notify_one()),
        reload: Box::new(move || reloader.reload()),
    })
}

async fn until(mut closed: watch::Receiver<bool>) {
    let _gone = closed.wait_for(|closed| *closed).await;
}

/// Reloads the configuration on SIGHUP.
async fn reload_on_hangup(reloader: &Reloader) {
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => {
            while hangup.recv().await.is_some() {
                // The result is in the log and the metrics.
                let _logged = reloader.reload();
            }
        }
        Err(error) => tracing::warn!(%error, "cannot wait for SIGHUP"),
    }
}

/// Waits for a signal that asks for an orderly stop.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Exits at once on a second signal.
async fn exit_on_second_signal() {
    if stop_signal().await.is_ok() {
        std::process::exit(1);
    }
}
