use market::{
    Definition, Epoch, Exponents, Handle, InstrumentId, InstrumentName, Price, Seq, Size, State,
};
use wire::{Head, View, sbe};

use super::outbox::Text;
use crate::place::Place;

/// What an instrument is called and how its numbers are to be read.
#[derive(Debug)]
pub(super) struct Identity {
    /// Its place in its publisher.
    pub(super) handle: Handle,
    pub(super) name: InstrumentName,
    pub(super) id: InstrumentId,
    pub(super) exponents: Exponents,
    tick_size: Option<Price>,
    lot_size: Option<Size>,
    /// Whether a definition said so, and not the configuration.
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

    /// Takes over what a definition said once.
    pub(super) const fn redefine(
        &mut self,
        exponents: Exponents,
        (tick_size, lot_size): (Option<Price>, Option<Size>),
    ) {
        self.set_steps(tick_size, lot_size);
        self.exponents = exponents;
        self.defined = true;
    }

    /// Takes over a definition; whether the scale is another one now.
    pub(super) fn define(&mut self, definition: &Definition) -> bool {
        self.set_steps(
            definition.tick_size.map(Price),
            definition.lot_size.map(Size),
        );
        self.defined = true;
        std::mem::replace(&mut self.exponents, definition.exponents) != definition.exponents
    }

    /// The head of a message of a full raw stream.
    pub(super) const fn head(&self, epoch: Epoch, prev_seq: Seq, place: &Place) -> Head {
        Head {
            instrument: self.id,
            epoch,
            view: View::FULL_RAW,
            prev_seq,
            seq: place.seq,
            event_time: place.event_time,
            log_time: place.log_time,
            publish_time: place.now,
        }
    }

    pub(super) fn text(&self) -> Text<'_> {
        Text {
            name: self.name.as_str(),
            exponents: self.exponents,
        }
    }

    /// Appends the message that every subscription begins with.
    pub(super) fn write(&self, head: &Head, state: State, out: &mut Vec<u8>) {
        let about = sbe::Instrument {
            exponents: self.exponents,
            state,
            tick_size: self.tick_size,
            lot_size: self.lot_size,
            venue: self.name.venue(),
            symbol: self.name.symbol(),
        };
        let encoded = sbe::instrument(out, head, &about);
        debug_assert!(
            encoded.is_ok(),
            "a checked name is far shorter than the encoder's bound"
        );
    }
}
