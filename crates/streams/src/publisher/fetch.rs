use std::sync::Arc;

use market::{Exponents, InstrumentId, Now, Position, Reason, State};
use wire::{Encoding, Head};

use super::start::write_start;
use super::watch::check;
use super::writer::Writer;
use super::{Publisher, Refused};
use crate::{Run, StreamKey};

/// Bytes of the trades that one fetch brings, or one message: about as much as any other HTTP answer
/// that is a list, so that a client that does not read it costs little.
const TRADES_BYTES: usize = 56 * 1024;
/// Whole states that are kept for those who fetch the same again, with this many bytes together:
/// 16 MiB are a hundred full books of 5,000 levels.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 16 * 1024 * 1024;

/// A stream's whole state at one place, for one who asks once.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// What a subscriber would be sent first; none where there is nothing.
    pub run: Option<Arc<Run>>,
    /// Where the stream stands.
    pub position: Position,
    /// How far its instrument can be trusted, and why.
    pub state: (State, Reason),
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
}

/// A whole state that was made for one who fetched it, and is right as long as nothing happens.
#[derive(Debug)]
pub(super) struct Kept {
    position: Position,
    revision: u64,
    run: Arc<Run>,
}

impl Publisher {
    /// The whole state of a stream, as a subscriber would be sent it now. It is encoded once for
    /// all who fetch it between two messages, and nothing is watched for it: no view is made.
    pub fn fetch(
        &mut self,
        key: StreamKey,
        encoding: Encoding,
        now: Now,
    ) -> Result<Fetched, Refused> {
        self.desk.advance_to(now.monotonic);
        let handle = self.by_id.get(&key.instrument).copied();
        let handle = handle.ok_or(Refused::UnknownInstrument)?;
        let standing = |publisher: &Self| {
            let instrument = publisher.instruments.get(handle.0 as usize)?;
            let (epoch, last) = instrument.place(key.channel, key.params);
            let position = Position {
                epoch,
                seq: last.seq,
            };
            Some((position, instrument.revision()))
        };
        let (position, revision) = standing(self).ok_or(Refused::UnknownInstrument)?;
        let mut fetched = self.fetched(key.instrument, position)?;
        let kept = self.kept.get(&(key, encoding));
        if let Some(kept) =
            kept.filter(|kept| (kept.position, kept.revision) == (position, revision))
        {
            fetched.run = Some(Arc::clone(&kept.run));
            return Ok(fetched);
        }
        let instrument = self.instruments.get(handle.0 as usize);
        let instrument = instrument.ok_or(Refused::UnknownInstrument)?;
        check(&key, instrument.exponents())?;
        let mut writer = Writer::new(&instrument.identity, encoding, &mut self.desk.out);
        write_start(instrument, &key, now.wall, &mut writer);
        fetched.run = writer.finish();
        if let Some(run) = &fetched.run {
            self.keep((key, encoding), fetched.position, revision, run);
        }
        Ok(fetched)
    }

    /// An instrument and its latest messages of trades, as they were published: up to `limit` of
    /// those that are held, with up to [`TRADES_BYTES`].
    pub fn latest_trades(
        &mut self,
        id: InstrumentId,
        encoding: Encoding,
        limit: usize,
        now: Now,
    ) -> Result<Fetched, Refused> {
        self.desk.advance_to(now.monotonic);
        let handle = self.by_id.get(&id).ok_or(Refused::UnknownInstrument)?;
        let instrument = &self.instruments[handle.0 as usize];
        let feed = &instrument.trades;
        let position = Position {
            epoch: feed.epoch,
            seq: feed.last.seq,
        };
        let mut fetched = self.fetched(id, position)?;
        let mut writer = Writer::new(&instrument.identity, encoding, &mut self.desk.out);
        let identity = writer.identity();
        let place = feed.last.told_at(now.wall);
        let head: Head = identity.head(feed.epoch, feed.last.seq, &place);
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

    fn fetched(&self, id: InstrumentId, position: Position) -> Result<Fetched, Refused> {
        let handle = self.by_id.get(&id).ok_or(Refused::UnknownInstrument)?;
        let instrument = &self.instruments[handle.0 as usize];
        Ok(Fetched {
            run: None,
            position,
            state: instrument.state(),
            exponents: instrument.exponents(),
        })
    }

    fn keep(
        &mut self,
        key: (StreamKey, Encoding),
        position: Position,
        revision: u64,
        run: &Arc<Run>,
    ) {
        let bytes: usize = self.kept.values().map(|kept| kept.run.len()).sum();
        if self.kept.len() >= KEPT || bytes + run.len() > KEPT_BYTES {
            // Most of it is of before the last message, and right no more.
            self.kept.clear();
        }
        let run = Arc::clone(run);
        self.kept.insert(
            key,
            Kept {
                position,
                revision,
                run,
            },
        );
    }
}
