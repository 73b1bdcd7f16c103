use std::borrow::Cow;

use market::{Book, Change, Changes, Ladder, Level, Side, difference};
use wire::ViewParams;

use crate::WatchId;
use crate::before::Before;
use crate::grouped::{Grouped, group};
use crate::pace::Pace;
use crate::place::Place;

/// How many changes a view may hold before those of one price are folded into one; from then on
/// there are at most two for each level that the book had.
const FOLD_AT: usize = 4096;
/// Changes that a view has room for when it has told all: so a quiet view holds 3 KiB at most.
const KEPT_CHANGES: usize = 128;

/// A book stream other than the full raw one: the best levels of either side, rounded to a step
/// or not, told at every change or at most so often.
///
/// It knows what it has told, so that what leaves the window is deleted explicitly, and whatever it
/// says is the exact net change since then. It exists only while somebody watches it.
///
/// A window holds the levels that were told: 1,000 a side at most. A view of all levels holds what has
/// changed since, and nothing of what has not, however deep the book is. Grouping adds the grouped
/// levels.
#[derive(Debug)]
pub(crate) struct BookView {
    pub(crate) params: ViewParams,
    pub(crate) watches: Vec<WatchId>,
    /// Its last message.
    pub(crate) last: Place,
    pub(crate) pace: Pace,
    /// The newest record that changed what has not been told.
    pub(crate) behind: Option<Place>,
    /// None is all levels.
    depth: Option<usize>,
    grouped: Option<Grouped>,
    /// What was told of a window.
    window: Option<Book>,
    /// What has changed since, where there is no window that would show it.
    changed: Changes,
    fold_at: usize,
    /// The sides of a window that may have changed since.
    touched: [bool; 2],
}

impl BookView {
    /// The view of a book as it stands.
    pub(crate) fn new(
        params: ViewParams,
        price_exponent: i8,
        book: &Book,
        last: Place,
        pace: Pace,
    ) -> Self {
        debug_assert!(fits(params, price_exponent));
        let mut view = Self {
            params,
            watches: Vec::new(),
            last,
            pace,
            behind: None,
            depth: params.depth.levels(),
            grouped: step(params, price_exponent).map(|step| Grouped::new(step, book)),
            window: None,
            changed: Changes::default(),
            fold_at: FOLD_AT,
            touched: [false; 2],
        };
        if let Some(depth) = view.depth {
            let source = view.grouped.as_ref().map_or(book, Grouped::book);
            let mut window = Book::new();
            for side in Side::BOTH {
                for level in source.side(side).top(depth).rev() {
                    window.set(side, level);
                }
            }
            view.window = Some(window);
        }
        view
    }

    /// At most what a view of the book as it stands would hold, in bytes.
    pub(crate) fn memory_of(params: ViewParams, price_exponent: i8, book: &Book) -> usize {
        let grouped: usize = match step(params, price_exponent) {
            Some(step) => {
                let sides = Side::BOTH.into_iter();
                sides.map(|side| groups(book.side(side), step)).sum()
            }
            None => 0,
        };
        let window = params
            .depth
            .levels()
            .map_or(0, |depth| (2 * depth).min(book.len()));
        // A vector that grows has up to twice the room that it needs.
        2 * (grouped + window) * size_of::<Level>()
    }

    /// How many levels it shows, where `book` is as the view has followed it.
    pub(crate) fn len(&self, book: &Book) -> usize {
        let source = self.grouped.as_ref().map_or(book, Grouped::book);
        self.window.as_ref().unwrap_or(source).len()
    }

    /// Bytes that it holds besides itself.
    pub(crate) fn memory(&self) -> usize {
        let changed = self.changed.bids.capacity() + self.changed.asks.capacity();
        self.window.as_ref().map_or(0, Book::capacity_bytes)
            + self.grouped.as_ref().map_or(0, Grouped::memory)
            + changed * size_of::<Change>()
    }

    /// Returns whether its levels are rounded to a step that a client chose.
    pub(crate) const fn is_grouped(&self) -> bool {
        self.params.group.is_some()
    }

    /// Starts over from a book as it stands; who watches stays.
    pub(crate) fn restart(&mut self, price_exponent: i8, book: &Book, last: Place) {
        let watches = std::mem::take(&mut self.watches);
        *self = Self::new(self.params, price_exponent, book, last, self.pace);
        self.watches = watches;
    }

    /// What was told: the book as its subscribers have it. `book` is as the view has followed it.
    pub(crate) fn told<'a>(&'a self, book: &'a Book) -> Cow<'a, Book> {
        if let Some(window) = &self.window {
            return Cow::Borrowed(window);
        }
        let source = self.grouped.as_ref().map_or(book, Grouped::book);
        if self.changed.is_empty() {
            return Cow::Borrowed(source);
        }
        let mut told = source.clone();
        told.undo(&self.changed);
        Cow::Owned(told)
    }

    /// The book changed, at `place`. Nothing is told yet.
    pub(crate) fn follow(&mut self, changes: &Changes, place: &Place, scratch: &mut Changes) {
        let changes = match &mut self.grouped {
            Some(grouped) => {
                grouped.follow(changes, scratch);
                scratch
            }
            None => changes,
        };
        let (Some(depth), Some(window)) = (self.depth, &self.window) else {
            if !changes.is_empty() {
                self.changed.bids.extend(&changes.bids);
                self.changed.asks.extend(&changes.asks);
                self.fold();
                self.behind = Some(*place);
            }
            return;
        };
        for (side, touched) in Side::BOTH.into_iter().zip(&mut self.touched) {
            // While the window is as it was told, what is worse than its worst level is not seen.
            let told = window.side(side);
            *touched |= changes
                .side(side)
                .first()
                .is_some_and(|best| match told.worst() {
                    Some(worst) if told.len() >= depth => !side.is_better(worst.price, best.price),
                    _ => true,
                });
        }
        if self.touched != [false; 2] {
            self.behind = Some(*place);
        }
    }

    /// What was told becomes what is; `seen` becomes the net change.
    pub(crate) fn settle(&mut self, book: &Book, seen: &mut Changes) {
        seen.clear();
        self.behind = None;
        let touched = std::mem::take(&mut self.touched);
        let (Some(depth), Some(window)) = (self.depth, &mut self.window) else {
            for side in Side::BOTH {
                seen.side_mut(side)
                    .extend_from_slice(self.changed.side(side));
            }
            seen.tidy();
            self.changed.clear();
            if self.changed.bids.capacity() + self.changed.asks.capacity() > KEPT_CHANGES {
                self.changed = Changes::default();
            }
            self.fold_at = FOLD_AT;
            return;
        };
        let source = self.grouped.as_ref().map_or(book, Grouped::book);
        for (side, touched) in Side::BOTH.into_iter().zip(touched) {
            if touched {
                let (told, source) = (window.side(side), source.side(side));
                difference(side, told.iter(), source.top(depth), seen.side_mut(side));
            }
        }
        for side in Side::BOTH {
            for change in seen.side(side) {
                window.set(side, change.level());
            }
        }
    }

    /// Puts into `seen` what turns the view of `book` as it was before `net`, all changes since
    /// then, into what was told; returns the checksum of that.
    pub(crate) fn change_since(&self, book: &Book, net: &Changes, seen: &mut Changes) -> u32 {
        seen.clear();
        let told = self.told(book);
        for side in Side::BOTH {
            let then = self.window_before(side, book.side(side), net);
            difference(side, then, told.side(side).iter(), seen.side_mut(side));
        }
        told.checksum()
    }

    fn window_before<'a>(
        &self,
        side: Side,
        ladder: &'a Ladder,
        net: &'a Changes,
    ) -> Box<dyn Iterator<Item = Level> + 'a> {
        let levels = Before::new(ladder, net.side(side));
        let depth = self.depth.unwrap_or(usize::MAX);
        match self.grouped.as_ref().map(Grouped::step) {
            Some(step) => Box::new(group(side, step, levels).take(depth)),
            None => Box::new(levels.take(depth)),
        }
    }

    fn fold(&mut self) {
        if self.changed.len() >= self.fold_at {
            self.changed.tidy();
            self.fold_at = FOLD_AT.max(self.changed.len() * 2);
        }
    }
}

/// At most how many levels a side has when it is rounded to a step: as many as it has, or as there are
/// steps from its best price to its worst.
fn groups(ladder: &Ladder, step: i64) -> usize {
    let (Some(best), Some(worst)) = (ladder.best(), ladder.worst()) else {
        return 0;
    };
    let span = best.price.0.abs_diff(worst.price.0);
    let steps = span / step.unsigned_abs().max(1) + 2;
    usize::try_from(steps).map_or(ladder.len(), |steps| steps.min(ladder.len()))
}

/// Returns whether prices of that scale can be rounded to the view's step, if it has one. A step
/// finer than the scale, or too large for it, does not fit.
pub(crate) fn fits(params: ViewParams, price_exponent: i8) -> bool {
    params.group.is_none() || step(params, price_exponent).is_some()
}

/// The step of a grouping as prices of that scale count; none without a grouping. Where the step
/// does not fit there is no view: see [`fits`].
pub(crate) fn step(params: ViewParams, price_exponent: i8) -> Option<i64> {
    params.group?.at(price_exponent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use wire::{Depth, PriceStep};

    use crate::pace::Paces;

    fn levels() -> impl Strategy<Value = Vec<Level>> {
        proptest::collection::vec((0i64..40, 0i64..4), 0..30)
            .prop_map(|all| all.into_iter().map(|(p, s)| Level::new(p, s)).collect())
    }

    fn params() -> impl Strategy<Value = ViewParams> {
        let depths = vec![Depth::Full, Depth::D1, Depth::D5, Depth::D10, Depth::D25];
        let groups = [None, Some("1"), Some("3"), Some("10")];
        let groups = groups.map(|text| text.map(|text| PriceStep::parse(text).unwrap()));
        let (depth, group) = (
            prop::sample::select(depths),
            prop::sample::select(groups.to_vec()),
        );
        (depth, group).prop_map(|(depth, group)| ViewParams {
            depth,
            group,
            ..ViewParams::default()
        })
    }

    fn view(params: ViewParams, book: &Book) -> BookView {
        let pace = Paces::default().begin(params.speed);
        BookView::new(params, 0, book, Place::NONE, pace)
    }

    /// Independent of how a view is made.
    fn from_scratch(params: ViewParams, book: &Book) -> Book {
        let step = params.group.map_or(1, |step| step.at(0).unwrap());
        let depth = params.depth.levels().unwrap_or(usize::MAX);
        let mut seen = Book::new();
        for side in Side::BOTH {
            let mut sums = BTreeMap::<i64, i64>::new();
            for level in book.side(side).iter() {
                let Level { price, size } = level;
                let down = price.0.div_euclid(step) * step;
                let up = down + if down == price.0 { 0 } else { step };
                *sums
                    .entry(if side == Side::Bid { down } else { up })
                    .or_default() += size.0;
            }
            let mut levels: Vec<_> = sums.into_iter().map(|(p, s)| Level::new(p, s)).collect();
            if side == Side::Bid {
                levels.reverse();
            }
            for level in levels.into_iter().take(depth) {
                seen.set(side, level);
            }
        }
        seen
    }

    proptest! {
        #[test]
        fn a_view_that_follows_equals_one_from_scratch(
            start in levels(),
            // What a record changes, and whether the view speaks then.
            steps in proptest::collection::vec((levels(), levels(), any::<bool>()), 1..10),
            params in params(),
        ) {
            let (mut book, mut changes) = (Book::new(), Changes::default());
            let (mut seen, mut scratch) = (Changes::default(), Changes::default());
            book.apply(Side::Bid, &start, &mut changes);
            let mut view = view(params, &book);
            let mut client = view.told(&book).into_owned();
            prop_assert_eq!(&client, &from_scratch(params, &book));
            let mut places = vec![(client.clone(), Changes::default())];
            for (bids, asks, speaks) in steps {
                changes.clear();
                book.apply(Side::Bid, &bids, &mut changes);
                book.apply(Side::Ask, &asks, &mut changes);
                changes.tidy();
                for (_, net) in &mut places {
                    net.bids.extend(&changes.bids);
                    net.asks.extend(&changes.asks);
                }
                view.follow(&changes, &Place::NONE, &mut scratch);
                let most = BookView::memory_of(params, 0, &book);
                let fresh_view = super::tests::view(params, &book);
                prop_assert!(fresh_view.memory() <= most.max(16 * 4 * size_of::<Level>()));
                if !speaks {
                    prop_assert_eq!(&view.told(&book).into_owned(), &client, "what was not told is not shown");
                    continue;
                }
                let fresh = from_scratch(params, &book);
                if view.behind.is_none() {
                    prop_assert_eq!(&client, &fresh, "it misses nothing");
                }
                view.settle(&book, &mut seen);
                let tidy = seen.clone();
                seen.tidy();
                prop_assert_eq!(&seen, &tidy);
                for side in Side::BOTH {
                    for change in seen.side(side) {
                        prop_assert_eq!(client.side(side).size_at(change.price), change.before);
                        client.set(side, change.level());
                    }
                }
                prop_assert_eq!(&view.told(&book).into_owned(), &fresh);
                prop_assert_eq!(&client, &fresh);
                places.push((client.clone(), Changes::default()));
            }
            // Whoever stands anywhere is led to what was told, though the book be further.
            for (mut there, mut net) in places {
                net.tidy();
                let checksum = view.change_since(&book, &net, &mut seen);
                for side in Side::BOTH {
                    for change in seen.side(side) {
                        there.set(side, change.level());
                    }
                }
                prop_assert_eq!(&view.told(&book).into_owned(), &there);
                prop_assert_eq!(checksum, there.checksum());
            }
        }
    }

    #[test]
    fn what_a_quiet_view_holds_is_bounded_by_the_levels_and_not_by_the_changes() {
        let params = ViewParams {
            speed: wire::Speed::S1,
            ..ViewParams::default()
        };
        let (mut book, mut changes) = (Book::new(), Changes::default());
        let mut view = view(params, &book);
        for turn in 0..200_i64 {
            changes.clear();
            let levels: Vec<_> = (0..100)
                .map(|price| Level::new(price, turn % 7 + 1))
                .collect();
            book.apply(Side::Ask, &levels, &mut changes);
            view.follow(&changes, &Place::NONE, &mut Changes::default());
            assert!(view.changed.len() <= FOLD_AT + 100);
        }
        let mut seen = Changes::default();
        view.settle(&book, &mut seen);
        assert_eq!(seen.len(), 100);
        assert_eq!(view.told(&book).as_ref(), &book);
        assert!(view.memory() <= KEPT_CHANGES * size_of::<Change>());
    }
}
