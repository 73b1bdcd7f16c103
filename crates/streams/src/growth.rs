//! How what is kept for long grows: closely, since there are thousands of logs and each of them is
//! as full as it may be.

use std::collections::VecDeque;

/// The least that room is made for.
const LEAST: usize = 4;

/// Makes room for so many more, and for a quarter of what is there besides.
pub(crate) fn make_room<T>(queue: &mut VecDeque<T>, more: usize) {
    if queue.len() + more > queue.capacity() {
        queue.reserve_exact(more.max(queue.len() / 4).max(LEAST));
    }
}

/// Gives back what is not needed, where that is worth a copy of the rest.
pub(crate) fn give_back<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > queue.len() + queue.len() / 2 {
        queue.shrink_to(queue.len() + queue.len() / 4);
    }
}
