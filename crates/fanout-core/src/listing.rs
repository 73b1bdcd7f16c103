use std::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, Ordering};

use market::{Channel, Exponents, InstrumentId, InstrumentName, State};
use wire::control::InstrumentEntry;

/// No publisher has claimed the channel yet.
const NOBODY: u32 = u32::MAX;

/// An instrument as clients can find it; updated by its publisher.
#[derive(Debug)]
pub struct Listing {
    name: InstrumentName,
    price_exponent: AtomicI8,
    size_exponent: AtomicI8,
    state: AtomicU8,
    book_publisher: AtomicU32,
    trades_publisher: AtomicU32,
}

impl Listing {
    pub(crate) fn new(name: InstrumentName, exponents: Exponents) -> Self {
        Self {
            name,
            price_exponent: AtomicI8::new(exponents.price),
            size_exponent: AtomicI8::new(exponents.size),
            state: AtomicU8::new(code(State::Resyncing)),
            book_publisher: AtomicU32::new(NOBODY),
            trades_publisher: AtomicU32::new(NOBODY),
        }
    }

    /// Returns the name.
    #[must_use]
    pub const fn name(&self) -> &InstrumentName {
        &self.name
    }

    /// Returns the ID.
    #[must_use]
    pub fn id(&self) -> InstrumentId {
        self.name.id()
    }

    /// Updates exponents and state.
    pub fn set(&self, exponents: Exponents, state: State) {
        self.price_exponent
            .store(exponents.price, Ordering::Relaxed);
        self.size_exponent.store(exponents.size, Ordering::Relaxed);
        self.state.store(code(state), Ordering::Relaxed);
    }

    /// Claims a channel for a publisher. Returns false if another one has it.
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

    /// Returns the publisher of a channel, if one has claimed it.
    pub(crate) fn publisher_of(&self, channel: Channel) -> Option<usize> {
        let cell = match channel {
            Channel::Trades | Channel::Ticker | Channel::Bars => &self.trades_publisher,
            _ => &self.book_publisher,
        };
        let publisher = cell.load(Ordering::Relaxed);
        (publisher != NOBODY)
            .then(|| usize::try_from(publisher).ok())
            .flatten()
    }

    /// Returns the exponents of prices and sizes.
    pub fn exponents(&self) -> Exponents {
        Exponents {
            price: self.price_exponent.load(Ordering::Relaxed),
            size: self.size_exponent.load(Ordering::Relaxed),
        }
    }

    /// Returns its entry in an answer to `list`.
    #[must_use]
    pub fn entry(&self) -> InstrumentEntry {
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
