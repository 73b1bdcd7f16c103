//! Slow growth for lists of which there are very many: a list that doubles is a third larger than
//! necessary on average.

/// Smallest capacity to add.
const LEAST: usize = 4;

/// Appends an item, growing the list by a quarter if it is full.
pub(crate) fn push_closely<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(LEAST));
    }
    list.push(item);
}
