use std::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use dashmap::DashMap;
use market::{Channel, Exponents, InstrumentId, InstrumentName, State};
use wire::control::{InstrumentEntry, Symbol};

use crate::lists::Lists;

use crate::access::Grant;

/// No publisher makes the channel yet.
const NOBODY: u32 = u32::MAX;

/// The instruments that there are and who publishes them; read when a client subscribes or lists,
/// never on the way of a message.
#[derive(Debug, Default)]
pub struct Directory {
    listings: DashMap<Box<str>, Arc<Listing>>,
    lists: RwLock<Arc<Lists>>,
    /// With one publisher everything is its, even before its first record came.
    only_publisher: bool,
}

/// One instrument as clients may find it; its publisher keeps it up.
#[derive(Debug)]
pub struct Listing {
    name: InstrumentName,
    price_exponent: AtomicI8,
    size_exponent: AtomicI8,
    state: AtomicU8,
    book_publisher: AtomicU32,
    trades_publisher: AtomicU32,
}

impl Directory {
    /// An empty directory for so many publishers.
    #[must_use]
    pub fn new(publishers: usize) -> Self {
        Self {
            listings: DashMap::new(),
            lists: RwLock::default(),
            only_publisher: publishers == 1,
        }
    }

    /// The instrument of that name, listed now if it was not.
    #[must_use]
    pub fn list(&self, name: &InstrumentName, exponents: Exponents) -> Arc<Listing> {
        let listing = self
            .listings
            .entry(name.as_str().into())
            .or_insert_with(|| Arc::new(Listing::new(name.clone(), exponents)));
        Arc::clone(&listing)
    }

    /// The lists that clients may name from now on; who has subscribed keeps what it has.
    pub fn set_lists(&self, lists: Lists) {
        let mut place = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        *place = Arc::new(lists);
    }

    fn lists(&self) -> Arc<Lists> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&lists)
    }

    /// How many instruments there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.listings.len()
    }

    /// Whether there is no instrument.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listings.is_empty()
    }

    /// The instruments that a symbol means, by name.
    pub(crate) fn find(&self, symbol: &Symbol) -> Vec<Arc<Listing>> {
        if let Some(name) = symbol.name() {
            let found = self.listings.get(name.as_str());
            return found
                .map(|listing| Arc::clone(&listing))
                .into_iter()
                .collect();
        }
        let lists = self.lists();
        self.select(|name| lists.matches(symbol, name))
    }

    /// The instrument of that name.
    #[must_use]
    pub fn get(&self, name: &InstrumentName) -> Option<Arc<Listing>> {
        let found = self.listings.get(name.as_str())?;
        Some(Arc::clone(&found))
    }

    /// Those that match and may be seen, by name: at most `limit` behind the name `after`; and
    /// whether there are more behind them.
    #[must_use]
    pub fn page(
        &self,
        matching: Option<&Symbol>,
        after: Option<&str>,
        limit: usize,
        grant: &Grant,
    ) -> (Vec<Arc<Listing>>, bool) {
        let mut found = self.select(|name| {
            matching.is_none_or(|symbol| symbol.matches(name))
                && after.is_none_or(|after| name.as_str() > after)
                && grant.may_see(name)
        });
        let more = found.len() > limit;
        found.truncate(limit);
        (found, more)
    }

    /// What `list` answers: what there is, as far as it may be seen.
    #[must_use]
    pub fn entries(&self, matching: Option<&Symbol>, grant: &Grant) -> Vec<InstrumentEntry> {
        let lists = self.lists();
        let listings = self.select(|name| {
            matching.is_none_or(|symbol| lists.matches(symbol, name)) && grant.may_see(name)
        });
        let entry = |listing: &Arc<Listing>| {
            let mut entry = listing.entry();
            entry.channels.retain(|channel| grant.may_have(*channel));
            entry
        };
        listings.iter().map(entry).collect()
    }

    /// Which publisher makes a channel of an instrument.
    pub(crate) fn publisher_of(&self, listing: &Listing, channel: Channel) -> Option<usize> {
        if self.only_publisher {
            return Some(0);
        }
        let publisher = match channel {
            Channel::Trades | Channel::Ticker | Channel::Bars => {
                listing.trades_publisher.load(Ordering::Relaxed)
            }
            _ => listing.book_publisher.load(Ordering::Relaxed),
        };
        (publisher != NOBODY)
            .then(|| usize::try_from(publisher).ok())
            .flatten()
    }

    fn select(&self, wanted: impl Fn(&InstrumentName) -> bool) -> Vec<Arc<Listing>> {
        let mut found: Vec<_> = self
            .listings
            .iter()
            .filter(|listing| wanted(&listing.name))
            .map(|listing| Arc::clone(&listing))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }
}

impl Listing {
    fn new(name: InstrumentName, exponents: Exponents) -> Self {
        Self {
            name,
            price_exponent: AtomicI8::new(exponents.price),
            size_exponent: AtomicI8::new(exponents.size),
            state: AtomicU8::new(code(State::Resyncing)),
            book_publisher: AtomicU32::new(NOBODY),
            trades_publisher: AtomicU32::new(NOBODY),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &InstrumentName {
        &self.name
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> InstrumentId {
        self.name.id()
    }

    /// Takes over what its publisher says of it.
    pub fn set(&self, exponents: Exponents, state: State) {
        self.price_exponent
            .store(exponents.price, Ordering::Relaxed);
        self.size_exponent.store(exponents.size, Ordering::Relaxed);
        self.state.store(code(state), Ordering::Relaxed);
    }

    /// This publisher makes the channel; `false` when another one does.
    pub fn claim(&self, channel: Channel, publisher: usize) -> bool {
        let cell = match channel {
            Channel::Trades => &self.trades_publisher,
            _ => &self.book_publisher,
        };
        let me = u32::try_from(publisher).unwrap_or(NOBODY);
        match cell.compare_exchange(NOBODY, me, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(owner) => owner == me,
        }
    }

    /// The scale of its prices and sizes.
    pub(crate) fn exponents(&self) -> Exponents {
        Exponents {
            price: self.price_exponent.load(Ordering::Relaxed),
            size: self.size_exponent.load(Ordering::Relaxed),
        }
    }

    fn entry(&self) -> InstrumentEntry {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        let has_book = self.book_publisher.load(Ordering::Relaxed) != NOBODY;
        let has_trades = self.trades_publisher.load(Ordering::Relaxed) != NOBODY;
        let mut channels = Vec::with_capacity(Channel::ALL.len());
        if has_book {
            channels.extend([Channel::Book, Channel::Bbo]);
        }
        if has_trades {
            channels.extend([Channel::Trades, Channel::Ticker, Channel::Bars]);
        }
        channels.push(Channel::Status);
        InstrumentEntry {
            symbol: self.name.clone(),
            instrument: self.id(),
            exponents: self.exponents(),
            state: State::ALL.get(state).copied().unwrap_or(State::Resyncing),
            channels,
        }
    }
}

fn code(state: State) -> u8 {
    let index = State::ALL.iter().position(|other| *other == state);
    index
        .and_then(|index| u8::try_from(index).ok())
        .unwrap_or(0)
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
            let found = directory.find(&Symbol::parse(text).unwrap());
            found
                .iter()
                .map(|listing| listing.name().to_string())
                .collect()
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
