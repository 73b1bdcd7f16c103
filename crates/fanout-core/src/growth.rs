//! How lists grow that there are many of: closely, since a list that doubles is on average a third
//! larger than it has to be.

/// The least that room is made for.
const LEAST: usize = 4;

/// Adds an item at the end; where there is no room, it is made for a quarter of what is there.
pub(crate) fn push_closely<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        list.reserve_exact((list.len() / 4).max(LEAST));
    }
    list.push(item);
}
