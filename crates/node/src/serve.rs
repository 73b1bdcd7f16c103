//! A node: what it starts, what it waits for, and in which order it ends.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use fanout::{Directory, Fanout};
use ingest::IngestConfig;
use metrics::{BuildInfo, Registry};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};
use wire::GoAwayReason;

use crate::admin::{self, AdminState, Readiness};
use crate::api::{Api, ApiThread};
use crate::checkpoints::{self, Job, Loaded, Taker, Writer};
use crate::cli::{LogHandle, Recent};
use crate::clock::monotonic;
use crate::config::Config;
use crate::history::Replays;
use crate::pipeline::{IngestCounts, Pipeline};
use crate::reload::{Reloader, Reread};
use crate::traces::Exporter;

/// What `tapecast_build_info` tells; packagers set the revision.
const BUILD: BuildInfo = BuildInfo {
    version: env!("CARGO_PKG_VERSION"),
    revision: match option_env!("TAPECAST_REVISION") {
        Some(revision) => revision,
        None => "unknown",
    },
};

type Publishers = Vec<JoinHandle<Result<(), ingest::IngestError>>>;

/// Why a node ends.
enum End {
    /// It was told to.
    Asked(GoAwayReason),
    /// It cannot go on.
    Failed(anyhow::Error),
}

/// Runs a node until a signal or `POST /drain` ends it.
pub(crate) fn run(config: Config, log: LogHandle, reread: Reread) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(run_until_told(config, log, reread))
}

async fn run_until_told(config: Config, log: LogHandle, reread: Reread) -> anyhow::Result<()> {
    let registry = Arc::new(Registry::new(BUILD));
    let readiness = Readiness::new();
    let stop = ingest::Stop::default();
    let (failed, mut failure) = watch::channel(None);

    let admin = TcpListener::bind(config.admin)
        .await
        .with_context(|| format!("cannot listen on {} (admin.listen)", config.admin))?;
    // One publisher a consumer.
    let directory = Arc::new(Directory::new(config.ingest.threads));
    directory.set_lists(config.lists.clone());
    let api = ApiThread::start()?;
    let exporter = Exporter::start(&config.traces, config.fanout.listen, registry.traces())?;
    let (fanout, publishers) = start(&Wiring {
        config: &config,
        directory: &directory,
        registry: &registry,
        readiness: &readiness,
        stop: &stop,
        failed: &failed,
        api: &api,
        exporter: exporter.as_ref(),
    })?;
    let drained = Arc::new(Notify::new());
    let (fanout, log) = (Arc::new(fanout), Arc::new(log));
    let gate = Arc::clone(&fanout);
    readiness.govern(Box::new(move |ready| gate.let_in(ready)));
    let reloader = Arc::new(Reloader::new(
        &config,
        reread,
        Arc::clone(&fanout),
        Arc::clone(&directory),
        Arc::clone(&log),
        Arc::clone(&registry),
    ));
    let state = admin_state(
        registry,
        &readiness,
        &drained,
        &reloader,
        log.recent.clone(),
    );
    let (closing, closed) = watch::channel(false);
    let serving = tokio::spawn(admin::serve(admin, state, until(closed)));
    tracing::info!(public = %fanout.addr(), admin = %config.admin, "serving");

    let watching = Arc::clone(&reloader);
    let watching = tokio::spawn(async move { watching.watch_files().await });
    let hangup = Arc::clone(&reloader);
    let hangup = tokio::spawn(async move { reload_on_hangup(&hangup).await });
    let end = tokio::select! {
        signal = stop_signal() => signal.map_or_else(End::Failed, |()| End::Asked(GoAwayReason::Shutdown)),
        () = drained.notified() => End::Asked(GoAwayReason::Drain),
        failure = failure.wait_for(Option::is_some) => {
            let text = failure.ok().and_then(|failure| failure.clone()).unwrap_or_default();
            End::Failed(anyhow::anyhow!("{text}"))
        }
    };
    readiness.drain();
    watching.abort();
    hangup.abort();
    let reason = match &end {
        End::Asked(reason) => *reason,
        End::Failed(_) => GoAwayReason::Shutdown,
    };
    tracing::info!(sessions = fanout.sessions(), "stopping");
    tokio::spawn(exit_when_told_again());
    fanout.stop(reason);
    let ended = tokio::task::spawn_blocking(move || {
        // Shards first: a publisher may be waiting for one, a shard never waits for a publisher.
        fanout.wait();
        api.stop();
        stop.stop();
        let ended = join(publishers);
        if let Some(exporter) = exporter {
            exporter.stop();
        }
        ended
    });
    let ended = ended.await.context("cannot wait for the threads")?;
    closing.send_replace(true);
    let _served = tokio::time::timeout(Duration::from_secs(1), serving).await;
    match end {
        End::Asked(_) => ended,
        End::Failed(error) => Err(error),
    }
}

/// What consumers, publishers and shards are wired with.
struct Wiring<'a> {
    config: &'a Config,
    directory: &'a Arc<Directory>,
    registry: &'a Registry,
    readiness: &'a Arc<Readiness>,
    stop: &'a ingest::Stop,
    failed: &'a watch::Sender<Option<String>>,
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
        failed,
        api,
        exporter,
    }: &Wiring<'_>,
) -> anyhow::Result<(Fanout, Publishers)> {
    let (ingest_config, loaded) = checkpoints_of(config, registry);
    let consumers = ingest::start(&ingest_config, stop)?;
    let wakers = consumers.iter().map(|consumer| {
        let waker = consumer.waker();
        Arc::new(move || waker.wake()) as Arc<dyn Fn() + Send + Sync>
    });
    let (ports, links) = fanout::link(config.fanout.shards, wakers.collect());
    let shards = (0..config.fanout.shards)
        .map(|_| registry.add_shard())
        .collect();
    let fetcher = links.fetcher(Arc::clone(directory));
    let pages = api.pages(Arc::new(Api::new(fetcher)));
    let fanout = Fanout::start(
        config.fanout.clone(),
        shards,
        Arc::clone(directory),
        links,
        pages,
    )?;
    let history: Option<Arc<dyn fanout::History>> = (config.history.replays > 0).then(|| {
        let replays = Replays::new(
            config.history,
            config.ingest.clone(),
            config.streams,
            Arc::clone(&config.instruments),
            registry.history(),
        );
        Arc::new(replays) as Arc<dyn fanout::History>
    });
    let jobs = writer_of(config, registry)?;
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
        pipeline.keep(Arc::clone(&loaded), taker);
        if let Some(exporter) = exporter {
            pipeline.follow(exporter.follower());
        }
        if names_instruments {
            pipeline.list_named();
        }
        let failed = failed.clone();
        let body = move || {
            let ran = consumer.run(&mut pipeline);
            if let Err(error) = &ran {
                failed.send_replace(Some(format!("a consumer failed: {error}")));
            }
            ran
        };
        let thread = std::thread::Builder::new()
            .name(format!("publisher-{number}"))
            .spawn(body)
            .context("cannot start a publisher's thread")?;
        publishers.push(thread);
    }
    Ok((fanout, publishers))
}

/// What was known of instruments when this node was started, and from where it reads on.
fn checkpoints_of(config: &Config, registry: &Registry) -> (IngestConfig, Arc<Loaded>) {
    let mut ingest = config.ingest.clone();
    let topic = config.checkpoints.topic.as_ref();
    let loaded = topic.map(|topic| checkpoints::load(topic, &mut ingest, &registry.checkpoints()));
    (ingest, Arc::new(loaded.unwrap_or_default()))
}

/// The way to the thread that writes checkpoints, on a node that does.
fn writer_of(config: &Config, registry: &Registry) -> anyhow::Result<Option<SyncSender<Job>>> {
    let settings = &config.checkpoints;
    let (Some(topic), Some(_)) = (&settings.topic, settings.write_every) else {
        return Ok(None);
    };
    let metrics = registry.checkpoints();
    // It ends with the publishers, and is not waited for: what it has not written is in the log.
    let jobs = Writer::start(topic, settings.create, &config.ingest, metrics)
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

fn join(publishers: Publishers) -> anyhow::Result<()> {
    for publisher in publishers {
        match publisher.join() {
            Ok(ran) => ran?,
            Err(_) => anyhow::bail!("a publisher panicked"),
        }
    }
    Ok(())
}

/// Takes the configuration over anew whenever SIGHUP says so.
async fn reload_on_hangup(reloader: &Reloader) {
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => {
            while hangup.recv().await.is_some() {
                // What came of it is in the log and the metrics.
                let _told = reloader.reload();
            }
        }
        Err(error) => tracing::warn!(%error, "cannot wait for SIGHUP"),
    }
}

/// The first signal that asks for an orderly end.
async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Who asks twice wants it now.
async fn exit_when_told_again() {
    if stop_signal().await.is_ok() {
        std::process::exit(1);
    }
}
