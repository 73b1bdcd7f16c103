/// An instrument's index in the thread that reads and publishes it.
///
/// Its decoder, its publisher and whatever connects them share the index, so that a record needs
/// one look-up by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Handle(pub u32);
