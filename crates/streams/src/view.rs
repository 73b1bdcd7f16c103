use market::{Book, Change, Changes, Ladder, Level, Price, Side, Size, checksum, difference};
use wire::ViewParams;

use crate::WatchId;
use crate::place::Place;

/// A book stream other than the full raw one: the best levels of either side.
///
/// It holds its own levels, so that what leaves the window is deleted explicitly and its checksum
/// is kept up in the changed levels. It exists only while somebody watches it.
#[derive(Debug)]
pub(crate) struct BookView {
    pub(crate) params: ViewParams,
    pub(crate) watches: Vec<WatchId>,
    /// Its last message.
    pub(crate) last: Place,
    depth: usize,
    /// Best first.
    bids: Vec<Level>,
    /// Best first.
    asks: Vec<Level>,
    checksum: u32,
}

impl BookView {
    /// The view of a book as it stands.
    pub(crate) fn new(params: ViewParams, book: &Book, last: Place) -> Self {
        let depth = params.depth.levels().unwrap_or(usize::MAX);
        let bids: Vec<Level> = book.bids().top(depth).collect();
        let asks: Vec<Level> = book.asks().top(depth).collect();
        let checksum = checksum::of_levels(Side::Bid, bids.iter().copied())
            .wrapping_add(checksum::of_levels(Side::Ask, asks.iter().copied()));
        Self {
            params,
            watches: Vec::new(),
            last,
            depth,
            bids,
            asks,
            checksum,
        }
    }

    /// Starts over from a book as it stands; who watches stays.
    pub(crate) fn restart(&mut self, book: &Book, last: Place) {
        let watches = std::mem::take(&mut self.watches);
        *self = Self::new(self.params, book, last);
        self.watches = watches;
    }

    pub(crate) fn bids(&self) -> &[Level] {
        &self.bids
    }

    pub(crate) fn asks(&self) -> &[Level] {
        &self.asks
    }

    pub(crate) const fn checksum(&self) -> u32 {
        self.checksum
    }

    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// Follows a change of the book; `seen` becomes what changed within the window.
    pub(crate) fn follow(&mut self, book: &Book, changes: &Changes, seen: &mut Changes) {
        seen.clear();
        for side in Side::BOTH {
            let window = match side {
                Side::Bid => &mut self.bids,
                Side::Ask => &mut self.asks,
            };
            if !touches(side, window, self.depth, changes.side(side)) {
                continue;
            }
            let seen = seen.side_mut(side);
            difference(
                side,
                window.iter().copied(),
                book.side(side).top(self.depth),
                seen,
            );
            window.clear();
            window.extend(book.side(side).top(self.depth));
            for change in seen.iter() {
                self.checksum = self
                    .checksum
                    .wrapping_add(term(side, change.price, change.after));
                self.checksum = self
                    .checksum
                    .wrapping_sub(term(side, change.price, change.before));
            }
        }
    }
}

/// What turns the window of `depth` levels as it was before `net` into the one of now.
///
/// `net` are the changes since then, tidy; so the ladder of then is the one of now with each
/// changed price at its size before.
pub(crate) fn window_change(ladder: &Ladder, depth: usize, net: &[Change], seen: &mut Vec<Change>) {
    let side = ladder.side();
    difference(
        side,
        Before::new(ladder, net).take(depth),
        ladder.top(depth),
        seen,
    );
}

fn term(side: Side, price: Price, size: Size) -> u32 {
    if size.is_zero() {
        0
    } else {
        checksum::mix(side, Level { price, size })
    }
}

/// Whether any of the changes may be seen in a window; they are sorted best first.
fn touches(side: Side, window: &[Level], depth: usize, changes: &[Change]) -> bool {
    let Some(best) = changes.first() else {
        return false;
    };
    match window.last() {
        Some(worst) if window.len() >= depth => !side.is_better(worst.price, best.price),
        _ => true,
    }
}

/// The levels of a ladder before some changes, best first.
struct Before<'a, I: Iterator<Item = Level>> {
    side: Side,
    now: std::iter::Peekable<I>,
    net: std::iter::Peekable<std::slice::Iter<'a, Change>>,
}

impl<'a> Before<'a, std::iter::Empty<Level>> {
    fn new(
        ladder: &'a Ladder,
        net: &'a [Change],
    ) -> Before<'a, impl Iterator<Item = Level> + use<'a>> {
        Before {
            side: ladder.side(),
            now: ladder.iter().peekable(),
            net: net.iter().peekable(),
        }
    }
}

impl<I: Iterator<Item = Level>> Iterator for Before<'_, I> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        loop {
            let change = match (self.now.peek(), self.net.peek()) {
                (_, None) => return self.now.next(),
                (Some(level), Some(change)) if self.side.is_better(level.price, change.price) => {
                    return self.now.next();
                }
                (level, Some(change)) => {
                    let replaces = level.is_some_and(|level| level.price == change.price);
                    let change = **change;
                    if replaces {
                        self.now.next();
                    }
                    self.net.next();
                    change
                }
            };
            if !change.before.is_zero() {
                return Some(Level {
                    price: change.price,
                    size: change.before,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wire::Depth;

    fn levels() -> impl Strategy<Value = Vec<Level>> {
        proptest::collection::vec((0i64..40, 0i64..4), 0..30)
            .prop_map(|all| all.into_iter().map(|(p, s)| Level::new(p, s)).collect())
    }

    proptest! {
        #[test]
        fn a_view_that_follows_equals_one_from_scratch(
            start in levels(),
            steps in proptest::collection::vec((levels(), levels()), 1..8),
            depth in prop::sample::select(vec![Depth::D1, Depth::D5, Depth::D10, Depth::D25]),
        ) {
            let params = ViewParams { depth, ..ViewParams::default() };
            let (mut book, mut changes, mut seen) = (Book::new(), Changes::default(), Changes::default());
            book.apply(Side::Bid, &start, &mut changes);
            let first = book.clone();
            let mut view = BookView::new(params, &book, Place::NONE);
            let mut client = Book::new();
            for side in Side::BOTH {
                let window = if side == Side::Bid { view.bids() } else { view.asks() };
                for level in window { client.set(side, *level); }
            }
            let mut net = Changes::default();
            for (bids, asks) in steps {
                changes.clear();
                book.apply(Side::Bid, &bids, &mut changes);
                book.apply(Side::Ask, &asks, &mut changes);
                changes.tidy();
                net.bids.extend(&changes.bids);
                net.asks.extend(&changes.asks);
                view.follow(&book, &changes, &mut seen);
                for side in Side::BOTH {
                    for change in seen.side(side) { client.set(side, change.level()); }
                }
                let fresh = BookView::new(params, &book, Place::NONE);
                prop_assert_eq!(&view.bids, &fresh.bids);
                prop_assert_eq!(&view.asks, &fresh.asks);
                prop_assert_eq!(view.checksum, fresh.checksum);
                prop_assert_eq!(client.checksum(), fresh.checksum);
            }
            net.tidy();
            let then = BookView::new(params, &first, Place::NONE);
            for side in Side::BOTH {
                let (mut direct, mut by_net) = (Vec::new(), Vec::new());
                let old = if side == Side::Bid { &then.bids } else { &then.asks };
                difference(side, old.iter().copied(), book.side(side).top(view.depth()), &mut direct);
                window_change(book.side(side), view.depth(), net.side(side), &mut by_net);
                prop_assert_eq!(direct, by_net);
            }
        }
    }
}
