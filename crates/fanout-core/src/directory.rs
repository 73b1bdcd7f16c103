use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use dashmap::DashMap;
use market::{Channel, Exponents, InstrumentName};
use wire::control::Symbol;

use crate::grant::Grant;
use crate::listing::Listing;
use crate::lists::Lists;

/// Instruments collected per hold of the index's lock, to be visited without it. A publisher that
/// lists a new instrument waits for 64 comparisons, a few microseconds.
const AT_ONCE: usize = 64;

/// All instruments and their publishers. Read when a client subscribes or lists, never for a
/// message.
///
/// Invariants:
/// - `in_order` has exactly the instruments in `listings`, except for one being listed at the
///   moment.
/// - No call exceeds its budget, however many instruments there are.
#[derive(Debug, Default)]
pub struct Directory {
    listings: DashMap<Box<str>, Arc<Listing>>,
    /// The same instruments by name, so that a page costs only what is on it.
    in_order: RwLock<BTreeSet<ByName>>,
    lists: RwLock<Arc<Lists>>,
    /// With a single publisher every channel is its own, even before its first record.
    only_publisher: bool,
}

/// Budget of a scan, in comparisons with a name, each of which takes 10 to 50 ns. A literal name
/// counts one, a wildcard one more than it has `*`, and each pattern of a token counts as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanBudget(usize);

/// How far a scan got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// To the end.
    All,
    /// Up to this name, where the visitor stopped it or the budget ran out; the next scan continues
    /// after it. The client may not be entitled to see this name.
    UpTo(InstrumentName),
}

/// A page of instruments, in order of their names.
#[derive(Debug)]
pub struct Page {
    /// Instruments that match and that the client may see.
    pub listings: Vec<Arc<Listing>>,
    /// The name after which the next page continues; `None` on the last page. On a full page, this
    /// is the last instrument listed. If the scan budget ran out first, it is the last name
    /// examined, which the client may not be entitled to see.
    pub next: Option<InstrumentName>,
}

/// A listing ordered by name.
#[derive(Debug)]
struct ByName(Arc<Listing>);

impl Directory {
    /// Creates an empty directory for a number of publishers.
    #[must_use]
    pub fn new(publishers: usize) -> Self {
        Self {
            listings: DashMap::new(),
            in_order: RwLock::default(),
            lists: RwLock::default(),
            only_publisher: publishers == 1,
        }
    }

    /// Returns the instrument, listing it first if necessary.
    #[must_use]
    pub fn list(&self, name: &InstrumentName, exponents: Exponents) -> Arc<Listing> {
        if let Some(listing) = self.get(name) {
            return listing;
        }
        let listing = self
            .listings
            .entry(name.as_str().into())
            .or_insert_with(|| Arc::new(Listing::new(name.clone(), exponents)));
        let listing = Arc::clone(&listing);
        let mut in_order = self
            .in_order
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        in_order.insert(ByName(Arc::clone(&listing)));
        listing
    }

    /// Replaces the lists that clients can refer to; existing subscriptions are unaffected.
    pub fn set_lists(&self, lists: Lists) {
        let mut place = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(lists);
    }

    fn lists(&self) -> Arc<Lists> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&lists)
    }

    /// Returns the number of instruments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listings.len()
    }

    /// Returns whether there are no instruments.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listings.is_empty()
    }

    /// Returns an instrument by name.
    #[must_use]
    pub fn get(&self, name: &InstrumentName) -> Option<Arc<Listing>> {
        let found = self.listings.get(name.as_str())?;
        Some(Arc::clone(&found))
    }

    /// Returns the comparisons that [`Directory::matches`] takes.
    pub(crate) fn pieces(&self, symbol: &Symbol) -> usize {
        1 + self.lists().pieces(symbol)
    }

    /// Returns whether a symbol refers to an instrument.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol, name: &InstrumentName) -> bool {
        self.lists().matches(symbol, name)
    }

    /// Returns up to `limit` matching instruments that the client may see, in order of their names,
    /// after the text `after`. A page costs at most [`ScanBudget::PAGE`], so it may be shorter than
    /// `limit` and still have a successor.
    #[must_use]
    pub fn page(
        &self,
        matching: Option<&Symbol>,
        after: Option<&str>,
        limit: usize,
        grant: &Grant,
    ) -> Page {
        let mut listings = Vec::new();
        let mut has_more = false;
        let mut budget = ScanBudget::PAGE;
        let scanned = self.scan(matching, after, grant, &mut budget, |listing| {
            if listings.len() >= limit {
                has_more = true;
                return ControlFlow::Break(());
            }
            listings.push(Arc::clone(listing));
            ControlFlow::Continue(())
        });
        let is_full = listings.len() >= limit;
        let next = match scanned {
            Scanned::All => None,
            // The instrument that stopped the scan is on the next page.
            Scanned::UpTo(name) if !has_more && !is_full => Some(name),
            Scanned::UpTo(_) => listings.last().map(|last| last.name().clone()),
        };
        Page { listings, next }
    }

    /// Visits the matching instruments that the client may see, in order of their names, after the
    /// text `after`, until the visitor breaks, the budget runs out or there are no more. Any budget
    /// at all covers one instrument, so every scan makes progress. The visitor may use the
    /// directory.
    pub fn scan(
        &self,
        matching: Option<&Symbol>,
        after: Option<&str>,
        grant: &Grant,
        budget: &mut ScanBudget,
        mut visit: impl FnMut(&Arc<Listing>) -> ControlFlow<()>,
    ) -> Scanned {
        let lists = self.lists();
        let pieces = 1 + matching.map_or(0, |symbol| lists.pieces(symbol)) + grant.pieces();
        // Known names are looked up instead of scanning.
        if let Some(names) = matching.and_then(|symbol| lists.names(symbol, after)) {
            for name in names {
                let found = self.listings.get(name).map(|found| Arc::clone(&found));
                let is_spent = budget.spend(pieces);
                let Some(listing) = found else {
                    // Names that the node does not know cost as much.
                    if is_spent && let Ok(name) = InstrumentName::parse(name) {
                        return Scanned::UpTo(name);
                    }
                    continue;
                };
                let visited = if grant.may_see(listing.name()) {
                    visit(&listing)
                } else {
                    ControlFlow::Continue(())
                };
                if is_spent || visited.is_break() {
                    return Scanned::UpTo(listing.name().clone());
                }
            }
            return Scanned::All;
        }
        let prefix = matching.map_or("", Symbol::prefix);
        let wanted = |name: &InstrumentName| {
            matching.is_none_or(|symbol| lists.matches(symbol, name)) && grant.may_see(name)
        };
        let mut last: Option<InstrumentName> = None;
        let mut chunk = Vec::with_capacity(AT_ONCE);
        loop {
            let from = match last.as_ref().map(InstrumentName::as_str).or(after) {
                Some(after) if after >= prefix => Bound::Excluded(after),
                _ => Bound::Included(prefix),
            };
            let in_order = self.in_order();
            let range = in_order.range::<str, _>((from, Bound::Unbounded));
            let listings = range.map(|by_name| &by_name.0);
            let listings =
                listings.take_while(|listing| listing.name().as_str().starts_with(prefix));
            chunk.extend(listings.take(AT_ONCE).cloned());
            drop(in_order);
            let is_last = chunk.len() < AT_ONCE;
            for listing in chunk.drain(..) {
                let is_spent = budget.spend(pieces);
                let visited = if wanted(listing.name()) {
                    visit(&listing)
                } else {
                    ControlFlow::Continue(())
                };
                if is_spent || visited.is_break() {
                    return Scanned::UpTo(listing.name().clone());
                }
                last = Some(listing.name().clone());
            }
            if is_last {
                return Scanned::All;
            }
        }
    }

    /// Returns the publisher of a channel of an instrument.
    pub fn publisher_of(&self, listing: &Listing, channel: Channel) -> Option<usize> {
        if self.only_publisher {
            return Some(0);
        }
        listing.publisher_of(channel)
    }

    fn in_order(&self) -> RwLockReadGuard<'_, BTreeSet<ByName>> {
        self.in_order.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ScanBudget {
    /// Budget of one page, about 1 ms. A wildcard with one `*` over 10,000 instruments costs 20,000
    /// to 30,000.
    pub const PAGE: Self = Self(32 * 1024);

    /// Creates a budget of this many comparisons.
    #[must_use]
    pub const fn new(pieces: usize) -> Self {
        Self(pieces)
    }

    /// Returns whether the budget is used up.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn spend(&mut self, pieces: usize) -> bool {
        self.0 = self.0.saturating_sub(pieces);
        self.is_spent()
    }
}

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        self.0.name().as_str()
    }
}

// Equality and order are those of the name's text, as `Borrow` requires.
impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name().as_str() == other.0.name().as_str()
    }
}

impl Eq for ByName {}

impl PartialOrd for ByName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.name().as_str().cmp(other.0.name().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InstrumentName {
        InstrumentName::parse(text).unwrap()
    }

    #[test]
    fn a_symbol_finds_its_instruments_in_order() {
        let directory = Directory::new(1);
        for text in ["KRAKEN:XMR-USD", "BINANCE:ETH-USDT", "BINANCE:BTC-USDT"] {
            let _ = directory.list(&name(text), Exponents::default());
        }
        let found = |text: &str| -> Vec<String> {
            let symbol = Symbol::parse(text).unwrap();
            let found = directory.page(Some(&symbol), None, 10, &Grant::default());
            let names = found.listings.iter().map(|listing| listing.name());
            names.map(ToString::to_string).collect()
        };
        assert_eq!(found("BINANCE:*"), ["BINANCE:BTC-USDT", "BINANCE:ETH-USDT"]);
        assert_eq!(found("KRAKEN:XMR-USD"), ["KRAKEN:XMR-USD"]);
        assert!(found("KRAKEN:XMR").is_empty());
        assert!(found("list:majors").is_empty());
        let symbols = ["KRAKEN:*", "BINANCE:BTC-USDT", "OKX:NONE"];
        let mut lists = Lists::default();
        assert!(lists.add(
            "majors",
            symbols.map(|text| Symbol::parse(text).unwrap()).into()
        ));
        assert!(!lists.add("majors", Vec::new()));
        directory.set_lists(lists);
        assert_eq!(found("list:majors"), ["BINANCE:BTC-USDT", "KRAKEN:XMR-USD"]);
    }

    #[test]
    fn pages_follow_one_another_and_examine_no_more_than_their_budget() {
        let directory = Directory::new(1);
        for number in 0..20_000 {
            let venue = ["A", "B"][number % 2];
            let _ = directory.list(
                &name(&format!("{venue}:S{number:05}")),
                Exponents::default(),
            );
        }
        let grant = Grant::default();
        let pages = |text: &str, limit| -> (Vec<Arc<Listing>>, usize) {
            let symbol = Symbol::parse(text).unwrap();
            let (mut all, mut pages) = (Vec::new(), 0);
            let mut after: Option<InstrumentName> = None;
            loop {
                let after_text = after.as_ref().map(InstrumentName::as_str);
                let page = directory.page(Some(&symbol), after_text, limit, &grant);
                assert!(page.listings.len() <= limit);
                all.extend(page.listings);
                pages += 1;
                match page.next {
                    Some(next) => after = Some(next),
                    None => return (all, pages),
                }
            }
        };
        let (all, count) = pages("*", 1000);
        assert_eq!((all.len(), count), (20_000, 20));
        assert!(all.is_sorted_by(|a, b| a.name() < b.name()));
        assert_eq!(pages("B:*", 1000).1, 10, "starts at its prefix");
        // 7 comparisons, and one for the instrument itself.
        let (all, count) = pages("*S*0*0*0*7*", 1000);
        let steps = 20_000 * (1 + 7);
        assert_eq!(count, steps / ScanBudget::PAGE.0 + 1);
        assert_eq!(all.len(), pages("*S*0*0*0*7*", 1).0.len());
        assert_eq!(pages("A:S00002", 5).0.len(), 1);
        assert!(pages("A:S00003", 5).0.is_empty());
        assert!(pages("C:*", 5).0.is_empty());
    }

    #[test]
    fn a_list_costs_what_it_has_and_not_what_there_is() {
        let directory = Directory::new(1);
        for number in 0..5_000 {
            let _ = directory.list(&name(&format!("A:S{number:04}")), Exponents::default());
        }
        let symbols = |texts: &[&str]| -> Vec<Symbol> {
            let symbols = texts.iter().map(|text| Symbol::parse(text).unwrap());
            symbols.collect()
        };
        let mut lists = Lists::default();
        let unknown: Vec<String> = (0..200).map(|number| format!("B:S{number:03}")).collect();
        let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
        assert!(lists.add("unknown", symbols(&unknown)));
        assert!(lists.add("named", symbols(&["A:S0007", "A:NONE", "A:S0003"])));
        assert!(lists.add("mixed", symbols(&["A:S0007", "A:S001*"])));
        directory.set_lists(lists);
        let found = |text: &str, mut budget| {
            let symbol = Symbol::parse(text).unwrap();
            let (mut found, grant) = (0, Grant::default());
            let scanned = directory.scan(Some(&symbol), None, &grant, &mut budget, |_| {
                found += 1;
                ControlFlow::Continue(())
            });
            (found, scanned == Scanned::All)
        };
        assert_eq!(found("list:named", ScanBudget::new(10)), (2, true));
        assert_eq!(found("list:none", ScanBudget::new(1)), (0, true));
        assert_eq!(found("list:mixed", ScanBudget::new(100_000)), (11, true));
        assert_eq!(found("list:mixed", ScanBudget::new(40)), (1, false));
        assert_eq!(found("list:unknown", ScanBudget::new(100)), (0, false));
    }

    #[test]
    fn a_page_shows_what_the_token_may_see_and_its_patterns_are_paid_for() {
        let directory = Directory::new(1);
        for number in 0..2_000 {
            let _ = directory.list(&name(&format!("A:S{number:04}")), Exponents::default());
        }
        let patterns: Vec<String> = (0..200).map(|number| format!("A:S*{number:03}7")).collect();
        let rights = crate::Rights {
            instruments: Some(crate::Rights::instruments_of(&patterns).unwrap()),
            ..Default::default()
        };
        let grant = Grant::new("desk", rights, None).unwrap();
        let (mut seen, mut pages) = (0, 0);
        let mut after: Option<InstrumentName> = None;
        loop {
            let page = directory.page(
                None,
                after.as_ref().map(InstrumentName::as_str),
                100,
                &grant,
            );
            seen += page.listings.len();
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, 200);
        assert_eq!(pages, 2_000 * 401 / ScanBudget::PAGE.0 + 1);
    }

    #[test]
    fn a_channel_has_one_publisher() {
        let directory = Directory::new(2);
        let listing = directory.list(&name("A:B"), Exponents::default());
        assert_eq!(directory.publisher_of(&listing, Channel::Book), None);
        assert!(listing.claim(Channel::Book, 1));
        assert!(listing.claim(Channel::Book, 1));
        assert!(!listing.claim(Channel::Book, 0));
        assert_eq!(directory.publisher_of(&listing, Channel::Bbo), Some(1));
        assert_eq!(directory.publisher_of(&listing, Channel::Trades), None);
    }
}
