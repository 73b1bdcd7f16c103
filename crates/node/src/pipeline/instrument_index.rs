use std::collections::HashMap;

use market::{Handle, InstrumentName};

/// Finds instruments by the names in records: their own or aliases.
#[derive(Debug, Default)]
pub(super) struct InstrumentIndex {
    /// By venue, then by symbol, so that a lookup does not allocate.
    handles: HashMap<Box<str>, HashMap<Box<str>, Handle>>,
}

impl InstrumentIndex {
    pub(super) fn find(&self, venue: &str, symbol: &str) -> Option<Handle> {
        self.handles.get(venue)?.get(symbol).copied()
    }

    pub(super) fn has(&self, name: &InstrumentName) -> bool {
        self.find(name.venue(), name.symbol()).is_some()
    }

    pub(super) fn insert(&mut self, venue: &str, symbol: &str, handle: Handle) {
        self.handles
            .entry(venue.into())
            .or_default()
            .insert(symbol.into(), handle);
    }
}
