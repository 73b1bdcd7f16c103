//! What a replay needs to know of a stream, and where it leaves and meets the live one.

use std::sync::Arc;

use market::{
    Channel, Exponents, Handle, InstrumentName, Now, PartitionIdentity, Position, Price, Size,
};
use wire::{Head, ReplayComplete, View, sbe};

use super::rejected::check;
use super::writer::Writer;
use super::{Publisher, Rejected};
use crate::{Run, StreamId, StreamKey};

/// Where a stream comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The stream.
    pub key: StreamKey,
    /// The instrument's name.
    pub name: InstrumentName,
    /// The instrument's current scale.
    pub exponents: Exponents,
    /// The price step, if known.
    pub tick_size: Option<Price>,
    /// The size step, if known.
    pub lot_size: Option<Size>,
    /// The partition that the stream is read from.
    pub partition: PartitionIdentity,
    /// The stream's current position.
    pub position: Position,
}

impl Publisher {
    /// Where a stream comes from; `None` if nothing of it has been read yet.
    pub fn origin(&self, key: &StreamKey) -> Result<Option<Origin>, Rejected> {
        match key.channel {
            Channel::Ticker | Channel::Bars => {
                return Err(Rejected::Channel(key.channel.name()));
            }
            _ => {}
        }
        let handle = self.by_id.get(&key.instrument).copied();
        let Handle(index) = handle.ok_or(Rejected::UnknownInstrument)?;
        let instrument = &self.instruments[index as usize];
        check(key, instrument.exponents())?;
        let channel = match key.channel {
            Channel::Trades => Channel::Trades,
            Channel::Status => instrument.main_channel(),
            _ => Channel::Book,
        };
        let Some(source) = instrument.source(channel) else {
            return Ok(None);
        };
        let (tick_size, lot_size) = instrument.identity.steps();
        let (epoch, last) = instrument.last(key.channel, key.params);
        Ok(Some(Origin {
            key: *key,
            name: instrument.name().clone(),
            exponents: instrument.exponents(),
            tick_size,
            lot_size,
            partition: source.identity().clone(),
            position: Position {
                epoch,
                seq: last.seq,
            },
        }))
    }

    /// The position of an open stream after everything published so far. Call [`Publisher::flush`]
    /// first.
    #[must_use]
    pub fn position(&self, id: StreamId) -> Option<Position> {
        let stream = self.shared.out.get(id)?;
        let instrument = self.instruments.get(stream.handle.0 as usize)?;
        let (epoch, last) = instrument.last(stream.key.channel, stream.key.params);
        Some(Position {
            epoch,
            seq: last.seq,
        })
    }

    /// Returns whether the state of a channel is known: of a book, since a snapshot was published;
    /// of trades, since one was read.
    pub(crate) fn has_state(&self, handle: Handle, channel: Channel) -> bool {
        let Some(instrument) = self.instruments.get(handle.0 as usize) else {
            return false;
        };
        let channel = match channel {
            Channel::Status => instrument.main_channel(),
            other => other,
        };
        match channel {
            Channel::Trades => instrument.trades.log.has_messages(),
            _ => instrument.book.log.has_snapshot(),
        }
    }

    /// The size of a stream's frames that wait to be handed over, in bytes.
    pub(crate) fn pending(&self, id: StreamId) -> usize {
        self.shared.out.pending(id)
    }

    /// Encodes for one client, which is at this publisher's position, that the stream continues
    /// live after `live`.
    pub(crate) fn replay_complete(
        &mut self,
        id: StreamId,
        live: Position,
        messages: u64,
        now: Now,
    ) -> Option<Arc<Run>> {
        self.shared.advance_to(now.monotonic);
        let stream = self.shared.out.get(id)?;
        let (key, encoding, Handle(index)) = (stream.key, stream.encoding, stream.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.last(key.channel, key.params);
        let mut writer = Writer::new(&instrument.identity, encoding, &mut self.shared.out);
        let head = instrument
            .identity
            .head(epoch, last.seq, &last.restated_at(now.wall));
        let seq = if live.epoch == epoch {
            live.seq.max(last.seq)
        } else {
            last.seq
        };
        let head = Head {
            seq,
            view: View::from(key.params),
            ..head
        };
        let complete = ReplayComplete {
            channel: key.channel,
            messages,
        };
        writer.put(&head, |sbe| sbe::replay_complete(sbe, &head, &complete));
        writer.finish()
    }
}
