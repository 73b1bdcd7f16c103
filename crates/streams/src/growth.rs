//! How long-lived queues grow: in small steps, because there are thousands of them and each is
//! usually as full as it may be.

use std::collections::VecDeque;

/// The smallest number of entries that memory is allocated for.
const LEAST: usize = 4;

/// Makes room for `more` entries, and if that takes an allocation, for a quarter more than there
/// are.
pub(crate) fn make_room<T>(queue: &mut VecDeque<T>, more: usize) {
    if queue.len() + more > queue.capacity() {
        queue.reserve_exact(more.max(queue.len() / 4).max(LEAST));
    }
}

/// Releases unused memory if there is enough of it to be worth copying the entries.
pub(crate) fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > queue.len() + queue.len() / 2 {
        queue.shrink_to(queue.len() + queue.len() / 4);
    }
}
