use market::{Exponents, InstrumentName, Reason, State};

/// The public properties of an instrument.
#[derive(Debug, Clone, Copy)]
pub struct InstrumentInfo<'a> {
    /// The instrument's name.
    pub name: &'a InstrumentName,
    /// The instrument's scale.
    pub exponents: Exponents,
    /// How far the instrument's data can be trusted.
    pub state: State,
    /// Why the instrument is in this state.
    pub reason: Reason,
    /// Whether this publisher has seen its book.
    pub has_book: bool,
    /// Whether this publisher has seen its trades.
    pub has_trades: bool,
}
