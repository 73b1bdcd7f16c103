//! `tapecast publish`: sends captures to Kafka, at the pace at which they were recorded or another.
//!
//! Invariants:
//! - The records of a file reach their topic in the file's order, each exactly once.
//! - Success means that Kafka has acknowledged every record; what was sent before a mistake is
//!   acknowledged before the mistake is reported.
//! - A record's value is what stands in the file, byte for byte.
//!
//! Modules in reading order: [`args`] what is asked for, [`job`] the loop, [`capture`] files and
//! the kinds of their lines, [`schedule`] when a record is due, [`sink`] the producer with
//! [`topics`], [`report`] what the person at the terminal sees.

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

/// Publishes until all is sent, something fails, or a signal says to stop.
pub(crate) fn run(args: PublishArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let stop = StopFlag::default();
        let told = stop.clone();
        let mut job = tokio::task::spawn_blocking(move || job::run(&args, &told));
        let done = tokio::select! {
            done = &mut job => done,
            _ = interrupt.recv() => { stop.now(); job.await }
            _ = terminate.recv() => { stop.now(); job.await }
        };
        done.context("the publishing thread failed")?
    })
}

/// Tells the publishing thread that no more shall be sent.
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
