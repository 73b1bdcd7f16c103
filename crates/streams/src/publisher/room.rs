/// How much of its initial data (a snapshot or missed messages) a subscription takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Nothing, only how it would start.
    None,
    /// One page of the messages that it missed. A snapshot is not divided, since all subscriptions
    /// that start at the same position share it.
    Page,
    /// Everything.
    All,
}

impl Room {
    /// The size of a page in bytes: together with what a session may hold when it asks for one,
    /// less than 64 KiB. A page ends after the message that exceeds it.
    const PAGE: usize = 32 * 1024;

    /// Returns whether there is room for more after `bytes`.
    pub(super) const fn is_left(self, bytes: usize) -> bool {
        match self {
            Self::None => false,
            Self::Page => bytes < Self::PAGE,
            Self::All => true,
        }
    }
}
