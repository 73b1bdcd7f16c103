use std::collections::HashMap;

use ingest::{Rejection, Resolve, Resolved};
use market::{Exponents, Handle, InstrumentName, Monotonic};
use streams::{Publisher, Settings};

/// A publisher, and a lookup of its instruments by name.
pub(super) struct Resolver {
    pub(super) publisher: Publisher,
    /// By venue and symbol, so that a lookup does not allocate.
    venues: HashMap<String, HashMap<String, Resolved>>,
    /// Names by handle.
    pub(super) names: Vec<InstrumentName>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self {
            publisher: Publisher::new(Settings::default()),
            venues: HashMap::new(),
            names: Vec::new(),
        }
    }

    /// Adopts changed exponents of an instrument.
    pub(super) fn rescale(&mut self, handle: Handle) {
        let exponents = self.publisher.exponents(handle);
        let name = usize::try_from(handle.0)
            .ok()
            .and_then(|index| self.names.get(index));
        if let (Some(exponents), Some(name)) = (exponents, name)
            && let Some(known) = self.venues.get_mut(name.venue())
            && let Some(resolved) = known.get_mut(name.symbol())
        {
            resolved.exponents = exponents;
        }
    }
}

impl Resolve for Resolver {
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection> {
        let known = self.venues.get(venue).and_then(|known| known.get(symbol));
        if let Some(resolved) = known {
            return Ok(*resolved);
        }
        let name = InstrumentName::new(venue, symbol)?;
        let exponents = Exponents::default();
        let handle = self
            .publisher
            .add_instrument(&name, exponents, Monotonic(0))
            .map_err(|_| Rejection::TooManyInstruments)?;
        let resolved = Resolved { handle, exponents };
        self.names.push(name);
        let symbols = self.venues.entry(venue.to_owned()).or_default();
        symbols.insert(symbol.to_owned(), resolved);
        Ok(resolved)
    }

    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle> {
        let resolved = self.venues.get(venue)?.get(symbol)?;
        Some(resolved.handle)
    }
}
