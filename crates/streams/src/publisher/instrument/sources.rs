use market::{At, Channel, Epoch, PartitionIndex};

use super::Instrument;
use crate::publisher::source_partition::SourcePartition;

impl Instrument {
    /// The source of a channel; that of the status channel brings definitions and the venue's
    /// status.
    pub(in crate::publisher) const fn source(&self, channel: Channel) -> Option<&SourcePartition> {
        match channel {
            Channel::Trades => self.trades.source.as_ref(),
            Channel::Status => self.reference.as_ref(),
            _ => self.book.source.as_ref(),
        }
    }

    pub(in crate::publisher) const fn source_mut(
        &mut self,
        channel: Channel,
    ) -> Option<&mut SourcePartition> {
        match channel {
            Channel::Trades => self.trades.source.as_mut(),
            Channel::Status => self.reference.as_mut(),
            _ => self.book.source.as_mut(),
        }
    }

    pub(in crate::publisher) fn set_reference(&mut self, source: SourcePartition) {
        self.reference = Some(source);
    }

    /// The source of the instrument's state.
    pub(in crate::publisher) const fn state_source(&self) -> Option<&SourcePartition> {
        self.source(self.main_channel())
    }

    /// The channel that the state describes: trades only while there is no book.
    pub(in crate::publisher) const fn main_channel(&self) -> Channel {
        if self.book.source.is_none() {
            Channel::Trades
        } else {
            Channel::Book
        }
    }

    pub(in crate::publisher) const fn main_epoch(&self) -> Epoch {
        match self.main_channel() {
            Channel::Trades => self.trades.epoch,
            _ => self.book.epoch,
        }
    }

    /// Returns whether anything of the instrument has been read.
    pub(in crate::publisher) const fn is_read(&self) -> bool {
        self.book.source.is_some() || self.trades.source.is_some() || self.reference.is_some()
    }

    /// Accepts a record of the channel's source unless it is a repetition. Returns whether it was
    /// accepted.
    pub(in crate::publisher) fn accept(&mut self, channel: Channel, at: At) -> bool {
        let source = self.source_mut(channel);
        source.is_some_and(|source| source.accept(at))
    }

    /// Lets other partitions bring what was read from this one, which no longer exists.
    pub(in crate::publisher) fn partition_gone(&mut self, index: PartitionIndex) {
        for channel in [Channel::Book, Channel::Trades, Channel::Status] {
            let source = self.source_mut(channel);
            if let Some(source) = source.filter(|source| source.is(index)) {
                source.partition_gone();
            }
        }
    }

    /// Returns whether the channel is read from this partition.
    pub(super) fn is_read_from(&self, channel: Channel, index: PartitionIndex) -> bool {
        self.source(channel).is_some_and(|source| source.is(index))
    }

    /// Returns whether any channel is read from this partition.
    pub(in crate::publisher) fn reads(&self, index: PartitionIndex) -> bool {
        [Channel::Book, Channel::Trades, Channel::Status]
            .into_iter()
            .any(|channel| self.is_read_from(channel, index))
    }
}
