//! Reloads the configuration of a running node.
//!
//! A reload applies everything that may change while sessions live, or nothing: a configuration with an error
//! changes nothing. Keys that need a restart are reported.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use fanout::{Directory, Fanout};
use metrics::Registry;

use crate::config::{Config, Sources, fit_sessions};
use crate::logging::LogHandle;

/// How often certificates and key sets are checked for changes.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the sources of the configuration again.
pub type Reread = Box<dyn Fn() -> anyhow::Result<Sources> + Send + Sync>;

/// Applies a configuration to the parts of a node.
pub(crate) struct Reloader {
    reread: Reread,
    fanout: Arc<Fanout>,
    directory: Arc<Directory>,
    log: Arc<LogHandle>,
    registry: Arc<Registry>,
    running: Mutex<Running>,
}

struct Running {
    /// The values at startup of keys that need a restart.
    started_with: BTreeSet<(String, u64)>,
    /// Certificates and key sets, with their last modification.
    files: Vec<(PathBuf, Option<Stamp>)>,
}

type Stamp = (SystemTime, u64);

impl Reloader {
    pub(crate) fn new(
        config: &Config,
        reread: Reread,
        fanout: Arc<Fanout>,
        directory: Arc<Directory>,
        log: Arc<LogHandle>,
        registry: Arc<Registry>,
    ) -> Self {
        let reloader = Self {
            reread,
            fanout,
            directory,
            log,
            registry,
            running: Mutex::new(Running {
                started_with: config.effective.fixed(),
                files: stamps(&config.files),
            }),
        };
        reloader.report_success(config);
        reloader
    }

    /// Applies the current configuration; returns the changed keys that need a restart.
    pub(crate) fn reload(&self) -> anyhow::Result<Vec<String>> {
        let result = self.try_reload();
        let node = self.registry.node();
        node.reload_successful.set(u64::from(result.is_ok()));
        match &result {
            Ok(restart) if restart.is_empty() => tracing::info!("configuration reloaded"),
            Ok(restart) => tracing::warn!(
                keys = restart.join(", "),
                "configuration reloaded; these keys need a restart"
            ),
            Err(error) => tracing::error!(
                error = format!("{error:#}"),
                "configuration not reloaded; the previous one stays in effect"
            ),
        }
        result
    }

    fn try_reload(&self) -> anyhow::Result<Vec<String>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config = Config::load((self.reread)().context("cannot read the configuration")?)?;
        fit_sessions(&mut config);
        self.log.set_filter(&config.log.filter)?;
        self.fanout.reload(config.fanout.clone());
        self.directory.set_lists(config.lists.clone());
        running.files = stamps(&config.files);
        self.report_success(&config);
        let fixed = config.effective.fixed();
        let changed = fixed.symmetric_difference(&running.started_with);
        let mut restart: Vec<String> = changed.map(|(path, _)| path.clone()).collect();
        restart.dedup();
        Ok(restart)
    }

    fn report_success(&self, config: &Config) {
        let node = self.registry.node();
        node.reload_successful.set(1);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        node.reloaded_at.set(now.map_or(0, |now| now.as_secs()));
        let expires = config.fanout.tls.as_ref().map(fanout::TlsIdentity::expires);
        node.tls_expires.set(expires.unwrap_or(0));
    }

    /// Reloads whenever a certificate or a key set changes; never returns.
    pub(crate) async fn watch_files(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let changed = {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                let files: Vec<_> = running.files.iter().map(|(path, _)| path.clone()).collect();
                let now = stamps(&files);
                let changed = now != running.files;
                // Updated even if the reload fails: it is retried at the next change.
                running.files = now;
                changed
            };
            if changed {
                let _logged = self.reload();
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<(PathBuf, Option<Stamp>)> {
    let stamp = |path: &PathBuf| {
        let about = std::fs::metadata(path).ok()?;
        Some((about.modified().ok()?, about.len()))
    };
    files
        .iter()
        .map(|path| (path.clone(), stamp(path)))
        .collect()
}
