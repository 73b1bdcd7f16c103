use market::{Exponents, InstrumentName, Reason, State};

/// What others may know of an instrument.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Its name.
    pub name: &'a InstrumentName,
    /// Its scale.
    pub exponents: Exponents,
    /// How far it can be trusted.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Whether its book has been seen.
    pub has_book: bool,
    /// Whether its trades have been seen.
    pub has_trades: bool,
}
