//! Saving and restoring instruments.

use market::{
    Channel, DuplicateLevel, Handle, InstrumentName, Now, PartitionIdentity, PartitionIndex, Seq,
    State,
};

use super::Publisher;
use super::instrument::Instrument;
use super::source_partition::SourcePartition;
use crate::checkpoint::{BookPart, Checkpoint, SavedSource, SavedStamp, StatusPart, TradesPart};

/// Why a checkpoint cannot be restored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The partition was never opened.
    #[error("partition index {0} was not opened")]
    NotOpened(u32),
    /// It has nothing of the partition.
    #[error("it is of another partition, or of a topic that was recreated")]
    OtherPartition,
    /// The scale in the configuration, or in a definition that was read since, is another.
    #[error("the instrument has another scale now")]
    OtherScale,
    /// The handle belongs to another instrument.
    #[error("it is of another instrument than {0}")]
    OtherName(InstrumentName),
    /// Its book repeats a price.
    #[error("its book is invalid: {0}")]
    Book(#[from] DuplicateLevel),
}

impl Publisher {
    /// Copies the state of an instrument; `None` if nothing has been read of it. `read_to` returns
    /// the last offset that was read of a partition.
    #[must_use]
    pub fn checkpoint(
        &self,
        handle: Handle,
        read_to: impl Fn(PartitionIndex) -> Seq,
    ) -> Option<Checkpoint> {
        let instrument = self.instruments.get(handle.0 as usize)?;
        let checkpoint = instrument.checkpoint(&read_to);
        let is_read = checkpoint.sources().next().is_some();
        is_read.then_some(checkpoint)
    }

    /// Restores what a checkpoint has of a partition. The partition must then be read from the
    /// first record that the checkpoint does not include, or from an earlier one; records that it
    /// includes are skipped.
    ///
    /// The instrument must exist, and nothing of it must have been read yet.
    pub fn restore(
        &mut self,
        index: PartitionIndex,
        handle: Handle,
        checkpoint: &Checkpoint,
        now: Now,
    ) -> Result<(), RestoreError> {
        self.shared.advance_to(now.monotonic);
        let partition = self
            .partitions
            .get(index)
            .ok_or(RestoreError::NotOpened(index.0))?;
        let instrument = self
            .instruments
            .get_mut(handle.0 as usize)
            .ok_or(RestoreError::OtherPartition)?;
        if *instrument.name() != checkpoint.name {
            return Err(RestoreError::OtherName(instrument.name().clone()));
        }
        instrument.restore(index, &partition.identity, checkpoint, now)?;
        instrument.end_unfit_views(&mut self.shared);
        self.changed.push(handle);
        Ok(())
    }
}

impl Instrument {
    fn checkpoint(&self, read_to: &impl Fn(PartitionIndex) -> Seq) -> Checkpoint {
        let book = self.book.source.as_ref().map(|source| BookPart {
            source: source.save(read_to),
            last: SavedStamp::of(&self.book.last),
            has_snapshot: self.book.log.has_snapshot(),
            broken: self.book.broken,
            bbo: self.book.bbo.bbo,
            bbo_last: SavedStamp::of(&self.book.bbo.last),
            book: self.book.save(),
        });
        let trades = self.trades.source.as_ref().map(|source| TradesPart {
            source: source.save(read_to),
            last: SavedStamp::of(&self.trades.last),
            broken: self.trades.broken,
        });
        let (state, reason) = match self.state() {
            // Only time makes an instrument STALE, and will do so again.
            (State::Stale, _) => (State::Live, market::Reason::None),
            other => other,
        };
        Checkpoint {
            name: self.identity.name.clone(),
            exponents: self.exponents(),
            defined: self.identity.defined.then(|| self.identity.steps()),
            halted: self.is_halted(),
            reference: self
                .source(Channel::Status)
                .map(|source| source.save(read_to)),
            book,
            ticker: trades.is_some().then(|| self.trades.ticker.save()),
            bars: trades.is_some().then(|| self.trades.bars.save()),
            trades,
            status: StatusPart {
                state,
                reason,
                begun: self.status.epoch == self.main_epoch(),
                last: SavedStamp::of(&self.status.last),
            },
        }
    }

    fn restore(
        &mut self,
        index: PartitionIndex,
        partition: &PartitionIdentity,
        checkpoint: &Checkpoint,
        now: Now,
    ) -> Result<(), RestoreError> {
        let source = |saved: &SavedSource, last: &SavedStamp| {
            saved.is(partition).then(|| {
                SourcePartition::restored(index, partition, saved.last_record, last.log_time)
            })
        };
        let is_of = |saved: &SavedSource| saved.is(partition);
        if !checkpoint.sources().any(is_of) {
            return Err(RestoreError::OtherPartition);
        }
        match checkpoint.defined {
            // What has been read since is of the current scale.
            Some(_) if checkpoint.exponents != self.exponents() && self.is_read() => {
                return Err(RestoreError::OtherScale);
            }
            Some(steps) => self
                .identity
                .restore_definition(checkpoint.exponents, steps),
            None if checkpoint.exponents != self.exponents() => {
                return Err(RestoreError::OtherScale);
            }
            None => {}
        }
        let exponents = self.exponents();
        let mut main_epoch = None;
        let trades = checkpoint.trades.as_ref();
        let trades = trades.filter(|_| self.trades.source.is_none());
        if let Some((part, source)) =
            trades.and_then(|part| Some((part, source(&part.source, &part.last)?)))
        {
            let epoch = source.epoch(exponents);
            self.trades.source = Some(source);
            self.trades.restart(epoch, part.last.restored_at(now.wall));
            self.trades.broken = part.broken;
            if let Some(ticker) = &checkpoint.ticker {
                self.trades.ticker.restore(ticker, now.wall);
            }
            if let Some(bars) = &checkpoint.bars {
                self.trades.bars.restore(bars, now.wall);
            }
            main_epoch = checkpoint.book.is_none().then_some(epoch);
        }
        let book = checkpoint.book.as_ref();
        if let Some((part, source)) =
            book.and_then(|part| Some((part, source(&part.source, &part.last)?)))
        {
            let epoch = source.epoch(exponents);
            self.book.restore(epoch, part, now.wall)?;
            self.book.source = Some(source);
            main_epoch = Some(epoch);
        }
        if let Some(source) = checkpoint
            .reference
            .as_ref()
            .and_then(|saved| source(saved, &checkpoint.status.last))
        {
            self.set_reference(source);
        }
        if let Some(epoch) = main_epoch {
            self.status.state = checkpoint.status.state;
            self.status.reason = checkpoint.status.reason;
            if checkpoint.status.begun {
                self.status.epoch = epoch;
            }
            self.status.last = checkpoint.status.last.restored_at(now.wall);
        }
        self.restored(checkpoint.halted, now.monotonic);
        Ok(())
    }
}
