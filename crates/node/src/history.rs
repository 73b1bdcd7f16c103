//! Replays of the past: each reads one stream's partition on a thread of its own, so that the live streams are
//! not touched by it, with Kafka clients that all replays share.
//!
//! In reading order: [`settings`]; [`tally`], which counts; [`search`], which finds where to begin to
//! read; [`feed`], which takes what is read; [`replay`], which sends it.

mod feed;
mod replay;
mod search;
mod settings;
mod tally;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use fanout::{History, Wanted};
use ingest::{HistoryClients, IngestConfig};
use metrics::HistoryMetrics;
use metrics::label::{ReplayRefusal, ThreadKind};

use crate::config::Instruments;
use crate::threads::Threads;

pub(crate) use settings::HistorySettings;
use tally::{Bounds, Tally};

/// Begins replays, as many at a time as may be.
pub(crate) struct Replays {
    common: Arc<Common>,
    threads: Threads,
}

/// What all replays share.
struct Common {
    settings: HistorySettings,
    readers: Arc<HistoryClients>,
    streams: streams::Settings,
    instruments: Arc<Instruments>,
    tally: Tally,
}

impl Replays {
    pub(crate) fn new(
        settings: HistorySettings,
        ingest: IngestConfig,
        streams: streams::Settings,
        instruments: Arc<Instruments>,
        metrics: Arc<HistoryMetrics>,
        threads: Threads,
    ) -> Self {
        let bounds = Bounds {
            all: settings.replays,
            per_session: settings.per_session,
            per_address: settings.per_address,
        };
        let readers = HistoryClients::new(ingest, settings.readers, settings.queue_bytes);
        Self {
            threads,
            common: Arc::new(Common {
                settings,
                readers: Arc::new(readers),
                streams,
                instruments,
                tally: Tally::new(metrics, bounds),
            }),
        }
    }
}

impl Common {
    fn read(&self, records: u64) {
        self.tally.read(records, self.readers.clients());
    }
}

impl History for Replays {
    fn begin(&self, wanted: Box<Wanted>) -> Result<(), Box<Wanted>> {
        let common = Arc::clone(&self.common);
        let asker = wanted.asker;
        if !common.tally.begin(&asker) {
            return Err(wanted);
        }
        // A thread that cannot be started would take the session's way with it.
        let (give, taken) = sync_channel::<Box<Wanted>>(1);
        let spawned = self.threads.spawn(ThreadKind::Replay, "replay", move || {
            let active = common.tally.active(asker);
            match taken.recv() {
                Ok(wanted) => replay::run(&common, &wanted, active),
                Err(_) => Ok(()),
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot start a replay's thread");
            self.common.tally.refuse(ReplayRefusal::Failed);
            self.common.tally.end(&asker);
            return Err(wanted);
        }
        give.send(wanted).map_err(|unsent| unsent.0)
    }
}
