//! What a replay needs to know of a stream, and the places where it leaves and meets the live one.

use std::sync::Arc;

use market::{
    Channel, Exponents, Handle, InstrumentName, Now, PartitionIdentity, Position, Price, Size,
};
use wire::{Head, ReplayComplete, View, sbe};

use super::watch::check;
use super::writer::Writer;
use super::{Publisher, Refused};
use crate::{Run, StreamKey, WatchId};

/// Where a stream comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Which stream.
    pub key: StreamKey,
    /// The instrument's name.
    pub name: InstrumentName,
    /// Its scale at the moment.
    pub exponents: Exponents,
    /// The step of its prices, if known.
    pub tick_size: Option<Price>,
    /// The step of its sizes, if known.
    pub lot_size: Option<Size>,
    /// The partition that the stream is read from.
    pub partition: PartitionIdentity,
    /// Where the stream stands.
    pub position: Position,
}

impl Publisher {
    /// Where a stream comes from; none when nothing of it has been read yet.
    pub fn origin(&self, key: &StreamKey) -> Result<Option<Origin>, Refused> {
        match key.channel {
            Channel::Ticker | Channel::Bars => {
                return Err(Refused::Channel(key.channel.name()));
            }
            _ => {}
        }
        let handle = self.by_id.get(&key.instrument).copied();
        let Handle(index) = handle.ok_or(Refused::UnknownInstrument)?;
        let instrument = &self.instruments[index as usize];
        check(key, instrument.exponents())?;
        let channel = match key.channel {
            Channel::Trades => Channel::Trades,
            Channel::Status => instrument.main_channel(),
            _ => Channel::Book,
        };
        let Some(home) = instrument.home(channel) else {
            return Ok(None);
        };
        let (tick_size, lot_size) = instrument.identity.steps();
        let (epoch, last) = instrument.place(key.channel, key.params);
        Ok(Some(Origin {
            key: *key,
            name: instrument.name().clone(),
            exponents: instrument.exponents(),
            tick_size,
            lot_size,
            partition: home.identity().clone(),
            position: Position {
                epoch,
                seq: last.seq,
            },
        }))
    }

    /// Where a watched stream stands, behind all that was published: so [`Publisher::flush`] comes
    /// first.
    #[must_use]
    pub fn position(&self, id: WatchId) -> Option<Position> {
        let watch = self.desk.out.get(id)?;
        let instrument = self.instruments.get(watch.handle.0 as usize)?;
        let (epoch, last) = instrument.place(watch.key.channel, watch.key.params);
        Some(Position {
            epoch,
            seq: last.seq,
        })
    }

    /// Whether somebody could go on in the stream: of a book, since a whole one was told, of trades,
    /// since one was read.
    pub(crate) fn is_founded(&self, handle: Handle, channel: Channel) -> bool {
        let Some(instrument) = self.instruments.get(handle.0 as usize) else {
            return false;
        };
        let channel = match channel {
            Channel::Status => instrument.main_channel(),
            other => other,
        };
        match channel {
            Channel::Trades => !instrument.trades.log.is_unheard(),
            _ => !instrument.book.log.is_unfounded(),
        }
    }

    /// Bytes that wait to be handed over for a watch.
    pub(crate) fn pending(&self, id: WatchId) -> usize {
        self.desk.out.pending(id)
    }

    /// Tells one subscriber, who has all up to where this publisher stands, that it goes on live
    /// behind `live`.
    pub(crate) fn replay_complete(
        &mut self,
        id: WatchId,
        live: Position,
        messages: u64,
        now: Now,
    ) -> Option<Arc<Run>> {
        self.desk.advance_to(now.monotonic);
        let watch = self.desk.out.get(id)?;
        let (key, encoding, Handle(index)) = (watch.key, watch.encoding, watch.handle);
        let instrument = self.instruments.get(index as usize)?;
        let (epoch, last) = instrument.place(key.channel, key.params);
        let mut writer = Writer::new(&instrument.identity, encoding, &mut self.desk.out);
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
