//! Replays: each reads one stream's partition on its own thread, so that live streams are not affected, with
//! Kafka clients that all replays share.
//!
//! Modules in reading order: [`settings`]; [`tally`] counts and limits replays; [`search`] finds where to start
//! reading; [`feed`] takes the records; [`replay`] sends the messages.

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

use crate::instruments::Instruments;
use crate::threads::Threads;

pub(crate) use settings::HistorySettings;
use tally::{Bounds, Tally};

/// Starts replays, up to their limits.
pub(crate) struct Replays {
    context: Arc<ReplayContext>,
    threads: Threads,
}

/// What all replays share.
struct ReplayContext {
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
            context: Arc::new(ReplayContext {
                settings,
                readers: Arc::new(readers),
                streams,
                instruments,
                tally: Tally::new(metrics, bounds),
            }),
        }
    }
}

impl ReplayContext {
    fn read(&self, records: u64) {
        self.tally.read(records, self.readers.clients());
    }
}

impl History for Replays {
    fn begin(&self, wanted: Box<Wanted>) -> Result<(), Box<Wanted>> {
        let context = Arc::clone(&self.context);
        let asker = wanted.asker;
        if !context.tally.begin(&asker) {
            return Err(wanted);
        }
        // `wanted` is sent after the spawn, so that it is not lost if there is no thread.
        let (give, taken) = sync_channel::<Box<Wanted>>(1);
        let spawned = self.threads.spawn(ThreadKind::Replay, "replay", move || {
            let active = context.tally.active(asker);
            match taken.recv() {
                Ok(wanted) => replay::run(&context, &wanted, active),
                Err(_) => Ok(()),
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "cannot start the thread of a replay");
            self.context.tally.refuse(ReplayRefusal::Failed);
            self.context.tally.end(&asker);
            return Err(wanted);
        }
        give.send(wanted).map_err(|unsent| unsent.0)
    }
}
