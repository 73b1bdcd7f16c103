use market::{
    Definition, Epoch, Exponents, Handle, InstrumentId, InstrumentName, Price, Seq, Size, State,
};
use wire::json::InstrumentText;
use wire::{Head, View, sbe};

use crate::stamp::Stamp;

/// An instrument's name, and the scale and the steps of its numbers.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) handle: Handle,
    pub(super) name: InstrumentName,
    pub(super) id: InstrumentId,
    pub(super) exponents: Exponents,
    tick_size: Option<Price>,
    lot_size: Option<Size>,
    /// Whether these come from a definition in the log instead of the configuration.
    pub(super) defined: bool,
}

impl Identity {
    pub(super) fn new(handle: Handle, name: InstrumentName, exponents: Exponents) -> Self {
        Self {
            handle,
            id: name.id(),
            name,
            exponents,
            tick_size: None,
            lot_size: None,
            defined: false,
        }
    }

    pub(super) const fn set_steps(&mut self, tick_size: Option<Price>, lot_size: Option<Size>) {
        self.tick_size = tick_size;
        self.lot_size = lot_size;
    }

    pub(super) const fn steps(&self) -> (Option<Price>, Option<Size>) {
        (self.tick_size, self.lot_size)
    }

    /// Restores what an earlier definition said.
    pub(super) const fn restore_definition(
        &mut self,
        exponents: Exponents,
        (tick_size, lot_size): (Option<Price>, Option<Size>),
    ) {
        self.set_steps(tick_size, lot_size);
        self.exponents = exponents;
        self.defined = true;
    }

    /// Applies a definition. Returns whether the scale changed.
    pub(super) fn define(&mut self, definition: &Definition) -> bool {
        self.set_steps(
            definition.tick_size.map(Price),
            definition.lot_size.map(Size),
        );
        self.defined = true;
        std::mem::replace(&mut self.exponents, definition.exponents) != definition.exponents
    }

    /// The head of a message of a full raw stream.
    pub(super) const fn head(&self, epoch: Epoch, prev_seq: Seq, stamp: &Stamp) -> Head {
        Head {
            instrument: self.id,
            epoch,
            view: View::FULL_RAW,
            prev_seq,
            seq: stamp.seq,
            event_time: stamp.event_time,
            log_time: stamp.log_time,
            publish_time: stamp.publish_time,
        }
    }

    /// What the JSON encoding needs to know of the instrument.
    pub(super) fn text(&self) -> InstrumentText<'_> {
        InstrumentText {
            name: self.name.as_str(),
            exponents: self.exponents,
        }
    }

    /// Appends the `Instrument` message that every subscription starts with.
    pub(super) fn write(&self, head: &Head, state: State, out: &mut Vec<u8>) {
        let message = sbe::Instrument {
            exponents: self.exponents,
            state,
            tick_size: self.tick_size,
            lot_size: self.lot_size,
            venue: self.name.venue(),
            symbol: self.name.symbol(),
        };
        let encoded = sbe::instrument(out, head, &message);
        debug_assert!(
            encoded.is_ok(),
            "a valid name is far shorter than the encoder's limit"
        );
    }
}
