//! Instruments that are kept outside, and taken over again.

use market::{
    DuplicateLevel, Handle, InstrumentName, Now, PartitionIdentity, PartitionIndex, Seq, State,
};

use super::Publisher;
use super::home::Home;
use super::instrument::Instrument;
use crate::checkpoint::{BookPart, Checkpoint, SavedHome, SavedPlace, StatusPart, TradesPart};

/// Why a checkpoint is not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRestored {
    /// The partition was never opened.
    #[error("partition index {0} was not opened")]
    NotOpened(u32),
    /// It has nothing of the partition.
    #[error("it is of another partition, or of a topic that was made anew")]
    OtherPartition,
    /// The configuration, or a definition that was read since, says another scale.
    #[error("the instrument has another scale now")]
    OtherScale,
    /// Another instrument has the same number.
    #[error("{0} has the same number")]
    OtherName(InstrumentName),
    /// Its book names a price twice.
    #[error("its book is none: {0}")]
    Book(#[from] DuplicateLevel),
}

impl Publisher {
    /// Copies what is known of an instrument; none while nothing has been read of it. `read_to` says
    /// how far the partition of an index has been read.
    #[must_use]
    pub fn checkpoint(
        &self,
        handle: Handle,
        read_to: impl Fn(PartitionIndex) -> Seq,
    ) -> Option<Checkpoint> {
        let instrument = self.instruments.get(handle.0 as usize)?;
        let checkpoint = instrument.checkpoint(&read_to);
        let is_read = checkpoint.homes().next().is_some();
        is_read.then_some(checkpoint)
    }

    /// Takes over what a checkpoint has of a partition, which is to be read from behind the last
    /// record that it includes, or from before: records up to there are passed over.
    ///
    /// The instrument has to be known; nothing of it has been read yet.
    pub fn restore(
        &mut self,
        index: PartitionIndex,
        handle: Handle,
        checkpoint: &Checkpoint,
        now: Now,
    ) -> Result<(), NotRestored> {
        self.desk.advance_to(now.monotonic);
        let partition = self
            .partitions
            .get(index)
            .ok_or(NotRestored::NotOpened(index.0))?;
        let instrument = self
            .instruments
            .get_mut(handle.0 as usize)
            .ok_or(NotRestored::OtherPartition)?;
        if *instrument.name() != checkpoint.name {
            return Err(NotRestored::OtherName(instrument.name().clone()));
        }
        instrument.restore(index, &partition.identity, checkpoint, now)?;
        instrument.end_unfit_views(&mut self.desk);
        self.changed.push(handle);
        Ok(())
    }
}

impl Instrument {
    fn checkpoint(&self, read_to: &impl Fn(PartitionIndex) -> Seq) -> Checkpoint {
        let book = self.book.home.as_ref().map(|home| BookPart {
            home: home.saved(read_to),
            last: SavedPlace::of(&self.book.last),
            founded: !self.book.log.is_unfounded(),
            broken: self.book.broken,
            bbo: self.book.bbo.bbo,
            bbo_last: SavedPlace::of(&self.book.bbo.last),
            book: self.book.save(),
        });
        let trades = self.trades.home.as_ref().map(|home| TradesPart {
            home: home.saved(read_to),
            last: SavedPlace::of(&self.trades.last),
            broken: self.trades.broken,
        });
        let (state, reason) = match self.state() {
            // Time made it so, and time will make it so again.
            (State::Stale, _) => (State::Live, market::Reason::None),
            other => other,
        };
        Checkpoint {
            name: self.identity.name.clone(),
            exponents: self.exponents(),
            defined: self.identity.defined.then(|| self.identity.steps()),
            halted: self.is_halted(),
            reference: self.reference().map(|home| home.saved(read_to)),
            book,
            ticker: trades.is_some().then(|| self.trades.ticker.save()),
            bars: trades.is_some().then(|| self.trades.bars.save()),
            trades,
            status: StatusPart {
                state,
                reason,
                begun: self.status.epoch == self.main_epoch(),
                last: SavedPlace::of(&self.status.last),
            },
        }
    }

    fn restore(
        &mut self,
        index: PartitionIndex,
        partition: &PartitionIdentity,
        checkpoint: &Checkpoint,
        now: Now,
    ) -> Result<(), NotRestored> {
        let home = |saved: &SavedHome, last: &SavedPlace| {
            saved
                .is(partition)
                .then(|| Home::heard(index, partition, saved.heard, last.log_time))
        };
        let is_of = |saved: &SavedHome| saved.is(partition);
        if !checkpoint.homes().any(is_of) {
            return Err(NotRestored::OtherPartition);
        }
        match checkpoint.defined {
            // What has been read since is of the current scale.
            Some(_) if checkpoint.exponents != self.exponents() && self.is_read() => {
                return Err(NotRestored::OtherScale);
            }
            Some(steps) => self.identity.redefine(checkpoint.exponents, steps),
            None if checkpoint.exponents != self.exponents() => {
                return Err(NotRestored::OtherScale);
            }
            None => {}
        }
        let exponents = self.exponents();
        let mut main_epoch = None;
        let trades = checkpoint.trades.as_ref();
        let trades = trades.filter(|_| self.trades.home.is_none());
        if let Some((part, home)) =
            trades.and_then(|part| Some((part, home(&part.home, &part.last)?)))
        {
            let epoch = home.epoch(exponents);
            self.trades.home = Some(home);
            self.trades.begin(epoch, part.last.place(now.wall));
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
        if let Some((part, home)) =
            book.and_then(|part| Some((part, home(&part.home, &part.last)?)))
        {
            let epoch = home.epoch(exponents);
            self.book.restore(epoch, part, now.wall)?;
            self.book.home = Some(home);
            main_epoch = Some(epoch);
        }
        if let Some(home) = checkpoint
            .reference
            .as_ref()
            .and_then(|saved| home(saved, &checkpoint.status.last))
        {
            self.set_reference(home);
        }
        if let Some(epoch) = main_epoch {
            self.status.state = checkpoint.status.state;
            self.status.reason = checkpoint.status.reason;
            if checkpoint.status.begun {
                self.status.epoch = epoch;
            }
            self.status.last = checkpoint.status.last.place(now.wall);
        }
        self.restored(checkpoint.halted, now.monotonic);
        Ok(())
    }
}
