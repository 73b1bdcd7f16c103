use market::{Exponents, Handle, NameError};

/// An instrument that records may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// What stands for it from here on.
    pub handle: Handle,
    /// The scale in which its prices and sizes are read.
    pub exponents: Exponents,
}

/// Why a name stands for no instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The configuration names all instruments, and not this one.
    #[error("is not among the configured instruments")]
    UnknownInstrument,
    /// It is no instrument's name.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// There are as many instruments as this node may have.
    #[error("would be one instrument more than this node may have")]
    TooManyInstruments,
}

/// Knows instruments by their names. Aliases are its business.
pub trait Resolve {
    /// The instrument of that name; a name that is new may become one.
    ///
    /// Called for every record that says something, so it should be a look-up.
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection>;

    /// The instrument of that name if it is known already. A record that cannot be read asks this
    /// with what its key or its topic says, and must not bring an instrument into being.
    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle>;
}
