use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use tokio::signal::unix::{SignalKind, signal};

/// Whether the user wants to stop. Checked between two steps, so that all children are ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Set by Ctrl-C and by SIGTERM.
    pub(super) fn on_signals() -> anyhow::Result<Self> {
        let stop = Self::default();
        let told = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(mut terminate) = signal(SignalKind::terminate()) else {
                    return;
                };
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
                told.0.store(true, Ordering::Relaxed);
            });
        });
        Ok(stop)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.is_asked(), "interrupted");
        Ok(())
    }
}
