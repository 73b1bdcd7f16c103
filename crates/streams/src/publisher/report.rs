use market::{
    Channel, Epoch, Exponents, InstrumentId, InstrumentName, PartitionIdentity, Price, Reason,
    Size, State,
};

use super::instrument::Instrument;
use super::{Ledger, Publisher};
use crate::place::Place;

/// All that there is to know of an instrument besides its books and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: InstrumentName,
    /// Its scale.
    pub exponents: Exponents,
    /// The step of its prices, where that is known.
    pub tick_size: Option<Price>,
    /// The step of its sizes, where that is known.
    pub lot_size: Option<Size>,
    /// How far it can be trusted.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// The channels that this publisher makes of it, with where they come from.
    pub channels: Vec<Source>,
    /// What became of its records and messages.
    pub ledger: Ledger,
}

/// Where a channel comes from: the partition whose offsets are its sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which channel.
    pub channel: Channel,
    /// Where from; none of a channel that is not bound to a partition yet.
    pub partition: Option<PartitionIdentity>,
    /// The numbering.
    pub epoch: Epoch,
    /// The last message of its full raw stream.
    pub last: LastMessage,
}

/// The last message of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastMessage {
    /// The offset of the record that caused it.
    pub seq: market::Seq,
    /// The record's timestamp.
    pub log_time: market::Nanos,
}

impl From<Place> for LastMessage {
    fn from(place: Place) -> Self {
        Self {
            seq: place.seq,
            log_time: place.log_time,
        }
    }
}

impl Publisher {
    /// Reports on an instrument; `None` when this publisher does not have it.
    #[must_use]
    pub fn report(&self, id: InstrumentId) -> Option<Report> {
        let handle = self.by_id.get(&id)?;
        self.instruments.get(handle.0 as usize).map(report)
    }
}

fn report(instrument: &Instrument) -> Report {
    let identity = &instrument.identity;
    let (state, reason) = instrument.state();
    let (tick_size, lot_size) = identity.steps();
    let source = |channel| {
        let (epoch, last) = instrument.place(channel, wire::ViewParams::default());
        let home = match channel {
            Channel::Status => instrument.state_home(),
            _ => instrument.home(channel),
        };
        Source {
            channel,
            partition: home.map(|home| home.identity().clone()),
            epoch,
            last: last.into(),
        }
    };
    let mut channels = Vec::with_capacity(4);
    if instrument.book.home.is_some() {
        channels.extend([Channel::Book, Channel::Bbo].map(source));
    }
    if instrument.trades.home.is_some() {
        channels.push(source(Channel::Trades));
    }
    channels.push(source(Channel::Status));
    Report {
        name: identity.name.clone(),
        exponents: identity.exponents,
        tick_size,
        lot_size,
        state,
        reason,
        channels,
        ledger: instrument.ledger(),
    }
}
