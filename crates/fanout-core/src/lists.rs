use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use market::InstrumentName;
use wire::control::Symbol;

/// Lists of instruments that clients refer to as `list:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    by_name: HashMap<Box<str>, List>,
}

/// One list. Names are looked up in a set, so that matching costs the same for any length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct List {
    names: BTreeSet<Box<str>>,
    patterns: Vec<Symbol>,
}

impl Lists {
    /// Adds a list of names and wildcards. Returns false if the name is taken.
    pub fn add(&mut self, name: &str, instruments: Vec<Symbol>) -> bool {
        let is_new = !self.by_name.contains_key(name);
        if is_new {
            let mut list = List::default();
            for symbol in instruments {
                match symbol.name() {
                    Some(name) => {
                        list.names.insert(name.as_str().into());
                    }
                    None => list.patterns.push(symbol),
                }
            }
            self.by_name.insert(name.into(), list);
        }
        is_new
    }

    /// Returns whether a symbol refers to an instrument.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol, name: &InstrumentName) -> bool {
        if symbol.list().is_none() {
            return symbol.matches(name);
        }
        self.of(symbol).is_some_and(|list| {
            list.names.contains(name.as_str()) || list.patterns.iter().any(|one| one.matches(name))
        })
    }

    /// Returns the number of comparisons that [`matches`](Self::matches) makes.
    pub(crate) fn pieces(&self, symbol: &Symbol) -> usize {
        if symbol.list().is_none() {
            return symbol.pieces();
        }
        let patterns = self.of(symbol).map(|list| list.patterns.iter());
        1 + patterns
            .into_iter()
            .flatten()
            .map(Symbol::pieces)
            .sum::<usize>()
    }

    /// Returns the names that a symbol can refer to, in order after `after`, if they are known
    /// without scanning the directory.
    pub(crate) fn names<'a>(
        &'a self,
        symbol: &'a Symbol,
        after: Option<&'a str>,
    ) -> Option<Box<dyn Iterator<Item = &'a str> + 'a>> {
        if let Some(name) = symbol.name() {
            let name = name.as_str();
            let is_behind = after.is_none_or(|after| name > after);
            return Some(Box::new(is_behind.then_some(name).into_iter()));
        }
        symbol.list()?;
        let Some(list) = self.of(symbol) else {
            return Some(Box::new(std::iter::empty()));
        };
        if !list.patterns.is_empty() {
            return None;
        }
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let names = list.names.range::<str, _>((from, Bound::Unbounded));
        Some(Box::new(names.map(AsRef::as_ref)))
    }

    fn of(&self, symbol: &Symbol) -> Option<&List> {
        self.by_name.get(symbol.list()?)
    }
}
