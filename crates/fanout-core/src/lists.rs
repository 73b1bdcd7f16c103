use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use market::InstrumentName;
use wire::control::Symbol;

/// The lists of instruments that clients may name as `list:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lists {
    by_name: HashMap<Box<str>, List>,
}

/// One list. Names are looked up, so that a list of a thousand costs what a list of one does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct List {
    names: BTreeSet<Box<str>>,
    patterns: Vec<Symbol>,
}

impl Lists {
    /// Adds a list of instruments and texts with `*`; `false` when there is one of that name.
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

    /// Returns whether a symbol means that instrument.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol, name: &InstrumentName) -> bool {
        if symbol.list().is_none() {
            return symbol.matches(name);
        }
        self.of(symbol).is_some_and(|list| {
            list.names.contains(name.as_str()) || list.patterns.iter().any(|one| one.matches(name))
        })
    }

    /// How many pieces of text [`matches`](Self::matches) looks for.
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

    /// The names that a symbol can mean, after `after`, where these are known without looking
    /// at the instruments that there are.
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
