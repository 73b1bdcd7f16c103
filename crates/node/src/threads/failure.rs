/// The unexpected end of a thread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("thread {thread} has ended: {cause}")]
pub(crate) struct ThreadFailure {
    /// The thread's name.
    pub(crate) thread: String,
    /// Its error or the message of its panic.
    pub(crate) cause: String,
}
