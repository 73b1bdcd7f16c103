use std::sync::Arc;

use market::{Exponents, InstrumentId, Now, Position, Reason, State};
use wire::{Encoding, Head};

use super::Publisher;
use super::instrument::Instrument;
use super::rejected::{Rejected, check};
use super::start::write_start;
use super::writer::Writer;
use crate::{Run, StreamKey};

/// The maximum bytes of trades in one fetch, unless one message is larger: about as much as in any other
/// HTTP response with a list, so that a client that does not read it costs little.
const TRADES_BYTES: usize = 56 * 1024;
/// The most snapshots in the cache.
const KEPT: usize = 256;
/// The maximum bytes in the cache: 16 MiB hold a hundred full books of 5,000 levels.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// A stream's state at one position, for a single request.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What a new subscription would be sent first; `None` if there is nothing.
    pub run: Option<Arc<Run>>,
    /// The stream's position.
    pub position: Position,
    /// The instrument's state and the reason for it.
    pub state: (State, Reason),
    /// The instrument's scale.
    pub exponents: Exponents,
}

impl Fetched {
    fn of(instrument: &Instrument, position: Position) -> Self {
        Self {
            run: None,
            position,
            state: instrument.state(),
            exponents: instrument.exponents(),
        }
    }
}

/// A snapshot that was fetched. It is valid until the stream's next message or the instrument's
/// next revision.
#[derive(Debug)]
pub(super) struct CachedSnapshot {
    position: Position,
    revision: u64,
    run: Arc<Run>,
}

impl Publisher {
    /// Fetches what a new subscription of a stream would be sent now. It is encoded once for all
    /// fetches between two messages. The stream is not opened, and no view is created.
    pub fn fetch(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        now: Now,
    ) -> Result<Fetched, Rejected> {
        self.shared.advance_to(now.monotonic);
        let handle = self.by_id.get(&key.instrument);
        let handle = handle.ok_or(Rejected::UnknownInstrument)?;
        let instrument = &self.instruments[handle.0 as usize];
        let (epoch, last) = instrument.last(key.channel, key.params);
        let position = Position {
            epoch,
            seq: last.seq,
        };
        let revision = instrument.revision();
        let mut fetched = Fetched::of(instrument, position);
        let cached = self.snapshot_cache.get(&(key, encoding));
        let is_valid =
            |cached: &&CachedSnapshot| (cached.position, cached.revision) == (position, revision);
        if let Some(cached) = cached.filter(is_valid) {
            fetched.run = Some(Arc::clone(&cached.run));
            return Ok(fetched);
        }
        check(&key, instrument.exponents())?;
        let mut writer = Writer::new(&instrument.identity, encoding, &mut self.shared.out);
        write_start(instrument, &key, now.wall, &mut writer);
        fetched.run = writer.finish();
        if let Some(run) = &fetched.run {
            self.cache((key, encoding), position, revision, run);
        }
        Ok(fetched)
    }

    /// Fetches an instrument and its latest trades, as they were published: up to `limit`
    /// messages, as far as they are retained, with up to `TRADES_BYTES`.
    pub fn latest_trades(
        &mut self,
        id: InstrumentId,
        encoding: Encoding,
        limit: usize,
        now: Now,
    ) -> Result<Fetched, Rejected> {
        self.shared.advance_to(now.monotonic);
        let handle = self.by_id.get(&id).ok_or(Rejected::UnknownInstrument)?;
        let instrument = &self.instruments[handle.0 as usize];
        let feed = &instrument.trades;
        let position = Position {
            epoch: feed.epoch,
            seq: feed.last.seq,
        };
        let mut fetched = Fetched::of(instrument, position);
        let mut writer = Writer::new(&instrument.identity, encoding, &mut self.shared.out);
        let identity = writer.identity();
        let stamp = feed.last.published_at(now.wall);
        let head: Head = identity.head(feed.epoch, feed.last.seq, &stamp);
        writer.put(&head, |sbe| {
            identity.write(&head, instrument.status.state, sbe);
        });
        let log = &feed.log;
        log.for_each(
            log.latest(limit, TRADES_BYTES)..log.len(),
            |message, seq| {
                writer.put_again(message, seq);
            },
        );
        fetched.run = writer.finish();
        Ok(fetched)
    }

    fn cache(
        &mut self,
        key: (StreamKey, Encoding),
        position: Position,
        revision: u64,
        run: &Arc<Run>,
    ) {
        let cache = &mut self.snapshot_cache;
        let bytes: usize = cache.values().map(|cached| cached.run.len()).sum();
        if cache.len() >= KEPT || bytes + run.len() > KEPT_BYTES {
            // Most of it is outdated.
            cache.clear();
        }
        let cached = CachedSnapshot {
            position,
            revision,
            run: Arc::clone(run),
        };
        cache.insert(key, cached);
    }
}
