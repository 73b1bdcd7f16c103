use market::{Exponents, Handle, NameError};

/// An instrument that a name was resolved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The instrument's handle.
    pub handle: Handle,
    /// The scale of its prices and sizes.
    pub exponents: Exponents,
}

/// The reason why a name cannot be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The configuration lists all instruments, and this is not one of them.
    #[error("is not among the configured instruments")]
    UnknownInstrument,
    /// The name is invalid.
    #[error(transparent)]
    BadName(#[from] NameError),
    /// The node has reached its maximum number of instruments.
    #[error("would exceed the node's maximum number of instruments")]
    TooManyInstruments,
}

/// Resolves the names of instruments, including aliases.
pub trait Resolve {
    /// Resolves a name. A new name may create an instrument.
    ///
    /// This is called for every record that has an event, so it should be a look-up.
    fn resolve(&mut self, venue: &str, symbol: &str) -> Result<Resolved, Rejection>;

    /// Finds the instrument of a name without creating one. It is called for records that cannot be
    /// decoded, with the name in their key or topic.
    fn find(&mut self, venue: &str, symbol: &str) -> Option<Handle>;
}
