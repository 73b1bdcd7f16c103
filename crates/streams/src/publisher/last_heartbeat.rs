use market::{Nanos, Position};

/// What a stream's last heartbeat said. It holds until the stream's next message or the
/// instrument's next revision, so that repeating it does not touch the instrument, of which there
/// may be a hundred thousand quiet ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastHeartbeat {
    pub(super) revision: u64,
    pub(super) position: Position,
    pub(super) log_time: Nanos,
}
