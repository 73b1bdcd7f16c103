//! Replays of the past: each reads one stream's partition with a client of its own, on a thread of
//! its own, so that the live streams are not touched by it.
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
use ingest::IngestConfig;
use metrics::HistoryMetrics;
use metrics::label::ReplayRefusal;

use crate::config::Instruments;

pub(crate) use settings::HistorySettings;
use tally::Tally;

/// Begins replays, as many at a time as may be.
pub(crate) struct Replays {
    common: Arc<Common>,
}

/// What all replays share.
struct Common {
    settings: HistorySettings,
    ingest: IngestConfig,
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
    ) -> Self {
        Self {
            common: Arc::new(Common {
                settings,
                ingest,
                streams,
                instruments,
                tally: Tally::new(metrics, settings.replays),
            }),
        }
    }
}

impl History for Replays {
    fn begin(&self, wanted: Box<Wanted>) -> Result<(), Box<Wanted>> {
        let common = Arc::clone(&self.common);
        if !common.tally.begin() {
            return Err(wanted);
        }
        // A thread that cannot be started would take the session's way with it.
        let (give, taken) = sync_channel::<Box<Wanted>>(1);
        let spawned = std::thread::Builder::new()
            .name("replay".to_owned())
            .spawn(move || {
                let active = common.tally.active();
                if let Ok(wanted) = taken.recv() {
                    replay::run(&common, &wanted, active);
                }
            });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot start a replay's thread");
            self.common.tally.refuse(ReplayRefusal::Failed);
            self.common.tally.end();
            return Err(wanted);
        }
        give.send(wanted).map_err(|unsent| unsent.0)
    }
}
