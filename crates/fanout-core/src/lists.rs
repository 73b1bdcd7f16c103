use std::collections::HashMap;

use market::InstrumentName;
use wire::control::Symbol;

/// The lists of instruments that clients may name as `list:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    by_name: HashMap<Box<str>, Vec<Symbol>>,
}

impl Lists {
    /// Adds a list of instruments and texts with `*`; `false` when there is one of that name.
    pub fn add(&mut self, name: &str, instruments: Vec<Symbol>) -> bool {
        let is_new = !self.by_name.contains_key(name);
        if is_new {
            self.by_name.insert(name.into(), instruments);
        }
        is_new
    }

    /// Whether a symbol means that instrument.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol, name: &InstrumentName) -> bool {
        let Some(list) = symbol.list() else {
            return symbol.matches(name);
        };
        let instruments = self.by_name.get(list).into_iter().flatten();
        instruments.into_iter().any(|one| one.matches(name))
    }
}
