//! `tapecast publish`: sends captures to Kafka, at the speed they were recorded or another.
//!
//! Invariants:
//! - The records of a file reach their topic in order, each exactly once.
//! - Success means that Kafka has acknowledged every record; before an error is reported, everything sent before
//!   it is acknowledged.
//! - A record's value is copied from the file byte for byte.
//!
//! Modules in reading order: [`args`] the options, [`job`] the loop, [`capture`] files and their kinds of lines,
//! [`schedule`] when a record is due, [`sink`] the producer with [`topics`], [`report`] progress and summary.

mod args;
mod capture;
mod job;
mod report;
mod schedule;
mod sink;
mod sink_error;
mod topics;

pub(crate) use args::PublishArgs;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// Publishes until everything is sent, something fails, or a signal arrives.
pub(crate) fn run(args: PublishArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let stop = StopFlag::default();
        let stop_flag = stop.clone();
        let mut job = tokio::task::spawn_blocking(move || job::run(&args, &stop_flag));
        let done = tokio::select! {
            done = &mut job => done,
            _ = interrupt.recv() => { stop.now(); job.await }
            _ = terminate.recv() => { stop.now(); job.await }
        };
        done.context("the publishing thread failed")?
    })
}

/// Asks the publishing thread to stop.
#[derive(Debug, Clone, Default)]
struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
