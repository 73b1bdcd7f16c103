//! A new configuration for a node that runs.
//!
//! What may change while sessions live is taken over whole or not at all: a configuration with a
//! mistake changes nothing. What needs a restart is named.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use fanout::{Directory, Fanout};
use metrics::Registry;

use crate::config::{Config, Sources, fit_sessions};
use crate::logging::LogHandle;

/// How often certificates and key sets are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Reads the sources of the configuration again.
pub type Reread = Box<dyn Fn() -> anyhow::Result<Sources> + Send + Sync>;

/// What a configuration is reloaded with.
pub(crate) struct Reloader {
    reread: Reread,
    fanout: Arc<Fanout>,
    directory: Arc<Directory>,
    log: Arc<LogHandle>,
    registry: Arc<Registry>,
    /// The values that the node started with or took over since, as they are shown.
    running: Mutex<Running>,
}

struct Running {
    /// The values that take a restart to change.
    started_with: BTreeSet<(String, u64)>,
    /// Certificates and key sets, and when they changed last.
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
        reloader.tell_success(config);
        reloader
    }

    /// Takes the configuration over as it stands now; the keys whose change needs a restart.
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
                "configuration not reloaded; the one before stays in force"
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
        self.tell_success(&config);
        let fixed = config.effective.fixed();
        let changed = fixed.symmetric_difference(&running.started_with);
        let mut restart: Vec<String> = changed.map(|(path, _)| path.clone()).collect();
        restart.dedup();
        Ok(restart)
    }

    fn tell_success(&self, config: &Config) {
        let node = self.registry.node();
        node.reload_successful.set(1);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        node.reloaded_at.set(now.map_or(0, |now| now.as_secs()));
        let expires = config.fanout.tls.as_ref().map(fanout::TlsIdentity::expires);
        node.tls_expires.set(expires.unwrap_or(0));
    }

    /// Reloads whenever a certificate or a key set changes; never ends.
    pub(crate) async fn watch_files(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let changed = {
                let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                let files: Vec<_> = running.files.iter().map(|(path, _)| path.clone()).collect();
                let now = stamps(&files);
                let changed = now != running.files;
                // What is wrong is told once, and tried again when it changes again.
                running.files = now;
                changed
            };
            if changed {
                let _told = self.reload();
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
