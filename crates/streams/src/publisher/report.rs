use market::{
    Channel, Epoch, Exponents, InstrumentId, InstrumentName, Nanos, PartitionIdentity, Price,
    Reason, Seq, Size, State,
};
use wire::ViewParams;

use super::instrument::Instrument;
use super::{Ledger, Publisher};
use crate::stamp::Stamp;

/// Everything there is to know of an instrument besides its books and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The instrument's name.
    pub name: InstrumentName,
    /// The instrument's scale.
    pub exponents: Exponents,
    /// The price step, if known.
    pub tick_size: Option<Price>,
    /// The size step, if known.
    pub lot_size: Option<Size>,
    /// How far the instrument's data can be trusted.
    pub state: State,
    /// Why the instrument is in this state.
    pub reason: Reason,
    /// The channels that this publisher serves.
    pub channels: Vec<ChannelReport>,
    /// What became of the instrument's records and messages.
    pub ledger: Ledger,
}

/// One channel of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelReport {
    /// The channel.
    pub channel: Channel,
    /// The partition whose offsets are the sequence numbers; `None` if there is no source yet.
    pub partition: Option<PartitionIdentity>,
    /// The epoch of the sequence numbers.
    pub epoch: Epoch,
    /// The last message of the full raw stream.
    pub last: LastMessage,
}

/// The last message of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastMessage {
    /// The sequence number.
    pub seq: Seq,
    /// The timestamp of the record that caused the message.
    pub log_time: Nanos,
}

impl From<Stamp> for LastMessage {
    fn from(stamp: Stamp) -> Self {
        Self {
            seq: stamp.seq,
            log_time: stamp.log_time,
        }
    }
}

impl Publisher {
    /// Reports on an instrument; `None` if this publisher does not have it.
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
    let channel_report = |channel| {
        let (epoch, last) = instrument.last(channel, ViewParams::default());
        let source = match channel {
            Channel::Status => instrument.state_source(),
            _ => instrument.source(channel),
        };
        ChannelReport {
            channel,
            partition: source.map(|source| source.identity().clone()),
            epoch,
            last: last.into(),
        }
    };
    let mut channels = Vec::with_capacity(4);
    if instrument.book.source.is_some() {
        channels.extend([Channel::Book, Channel::Bbo].map(channel_report));
    }
    if instrument.trades.source.is_some() {
        channels.push(channel_report(Channel::Trades));
    }
    channels.push(channel_report(Channel::Status));
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
