use std::borrow::Cow;

use market::{Book, Change, Changes, Ladder, Level, Side, difference};
use wire::ViewParams;

use crate::StreamId;
use crate::grouped::{Grouped, group};
use crate::prior_levels::PriorLevels;
use crate::stamp::Stamp;
use crate::throttle::Throttle;

/// The number of unsent changes from which on those of one price are merged; after that there are
/// at most two for each level that the book had.
const FOLD_AT: usize = 4096;
/// The maximum number of changes that a view keeps memory for when nothing is unsent: 3 KiB.
const KEPT_CHANGES: usize = 128;

/// A book stream other than the full raw one: limited in depth, grouped, throttled, or any
/// combination.
///
/// It knows what it has sent, so that levels that leave the window are deleted explicitly, and
/// whatever it sends is the exact net change since then. It exists only while somebody is
/// subscribed.
///
/// A view of limited depth holds the levels that were sent: at most 1,000 per side. One of full depth
/// holds only what has changed since, however deep the book is. Grouping adds the grouped levels.
#[derive(Debug)]
pub(crate) struct BookView {
    pub(crate) params: ViewParams,
    pub(crate) streams: Vec<StreamId>,
    /// The stamp of the last message.
    pub(crate) last: Stamp,
    pub(crate) throttle: Throttle,
    /// The latest record that changed what has not been sent.
    pub(crate) unsent: Option<Stamp>,
    /// The maximum number of levels per side; `None` for all.
    depth: Option<usize>,
    grouped: Option<Grouped>,
    /// The levels that were sent, if the depth is limited.
    window: Option<Book>,
    /// The changes since then, if the depth is not limited.
    changed: Changes,
    fold_at: usize,
    /// Which sides of the window may have changed since.
    touched: [bool; 2],
}

impl BookView {
    /// Creates a view of a book in its current state.
    pub(crate) fn new(
        params: ViewParams,
        price_exponent: i8,
        book: &Book,
        last: Stamp,
        throttle: Throttle,
    ) -> Self {
        debug_assert!(fits(params, price_exponent));
        let mut view = Self {
            params,
            streams: Vec::new(),
            last,
            throttle,
            unsent: None,
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

    /// The maximum memory that a view of the book in its current state would take, in bytes.
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
        // A growing vector may have twice the capacity that it needs.
        2 * (grouped + window) * size_of::<Level>()
    }

    /// The number of levels shown. `book` is the book that the view is up to date with.
    pub(crate) fn len(&self, book: &Book) -> usize {
        let source = self.grouped.as_ref().map_or(book, Grouped::book);
        self.window.as_ref().unwrap_or(source).len()
    }

    /// The allocated memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let changed = self.changed.bids.capacity() + self.changed.asks.capacity();
        self.window.as_ref().map_or(0, Book::capacity_bytes)
            + self.grouped.as_ref().map_or(0, Grouped::memory)
            + changed * size_of::<Change>()
    }

    /// Returns whether the view is grouped.
    pub(crate) const fn is_grouped(&self) -> bool {
        self.params.group.is_some()
    }

    /// Starts over from a book in its current state; open streams stay open.
    pub(crate) fn restart(&mut self, price_exponent: i8, book: &Book, last: Stamp) {
        let streams = std::mem::take(&mut self.streams);
        *self = Self::new(self.params, price_exponent, book, last, self.throttle);
        self.streams = streams;
    }

    /// The book as it was sent to subscribers. `book` is the book that the view is up to date with.
    pub(crate) fn sent<'a>(&'a self, book: &'a Book) -> Cow<'a, Book> {
        if let Some(window) = &self.window {
            return Cow::Borrowed(window);
        }
        let source = self.grouped.as_ref().map_or(book, Grouped::book);
        if self.changed.is_empty() {
            return Cow::Borrowed(source);
        }
        let mut sent = source.clone();
        sent.undo(&self.changed);
        Cow::Owned(sent)
    }

    /// Notes changes of the book, which remain unsent.
    pub(crate) fn update(&mut self, changes: &Changes, stamp: &Stamp, scratch: &mut Changes) {
        let changes = match &mut self.grouped {
            Some(grouped) => {
                grouped.apply(changes, scratch);
                scratch
            }
            None => changes,
        };
        let (Some(depth), Some(window)) = (self.depth, &self.window) else {
            if !changes.is_empty() {
                self.changed.bids.extend(&changes.bids);
                self.changed.asks.extend(&changes.asks);
                self.fold();
                self.unsent = Some(*stamp);
            }
            return;
        };
        for (side, touched) in Side::BOTH.into_iter().zip(&mut self.touched) {
            // While the window is unchanged, levels worse than its worst are not visible.
            let sent = window.side(side);
            *touched |= changes
                .side(side)
                .first()
                .is_some_and(|best| match sent.worst() {
                    Some(worst) if sent.len() >= depth => !side.is_better(worst.price, best.price),
                    _ => true,
                });
        }
        if self.touched != [false; 2] {
            self.unsent = Some(*stamp);
        }
    }

    /// Takes the unsent net change, which is then considered sent, into `visible`.
    pub(crate) fn take_unsent(&mut self, book: &Book, visible: &mut Changes) {
        visible.clear();
        self.unsent = None;
        let touched = std::mem::take(&mut self.touched);
        let (Some(depth), Some(window)) = (self.depth, &mut self.window) else {
            for side in Side::BOTH {
                visible
                    .side_mut(side)
                    .extend_from_slice(self.changed.side(side));
            }
            visible.normalize();
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
                let (sent, source) = (window.side(side), source.side(side));
                difference(side, sent.iter(), source.top(depth), visible.side_mut(side));
            }
        }
        for side in Side::BOTH {
            for change in visible.side(side) {
                window.set(side, change.level());
            }
        }
    }

    /// Computes into `visible` what turns the view before the changes `net` into what was last
    /// sent. Returns the checksum of the latter.
    pub(crate) fn net_change_since(
        &self,
        book: &Book,
        net: &Changes,
        visible: &mut Changes,
    ) -> u32 {
        visible.clear();
        let sent = self.sent(book);
        for side in Side::BOTH {
            let then = self.window_before(side, book.side(side), net);
            difference(side, then, sent.side(side).iter(), visible.side_mut(side));
        }
        sent.checksum()
    }

    fn window_before<'a>(
        &self,
        side: Side,
        ladder: &'a Ladder,
        net: &'a Changes,
    ) -> Box<dyn Iterator<Item = Level> + 'a> {
        let levels = PriorLevels::new(ladder, net.side(side));
        let depth = self.depth.unwrap_or(usize::MAX);
        match self.grouped.as_ref().map(Grouped::step) {
            Some(step) => Box::new(group(side, step, levels).take(depth)),
            None => Box::new(levels.take(depth)),
        }
    }

    fn fold(&mut self) {
        if self.changed.len() >= self.fold_at {
            self.changed.normalize();
            self.fold_at = FOLD_AT.max(self.changed.len() * 2);
        }
    }
}

/// The maximum number of levels that a side has when it is grouped: one per level, or one per step between the
/// best and the worst price.
fn groups(ladder: &Ladder, step: i64) -> usize {
    let (Some(best), Some(worst)) = (ladder.best(), ladder.worst()) else {
        return 0;
    };
    let span = best.price.0.abs_diff(worst.price.0);
    let steps = span / step.unsigned_abs().max(1) + 2;
    usize::try_from(steps).map_or(ladder.len(), |steps| steps.min(ladder.len()))
}

/// Returns whether prices of a scale can be rounded to a view's step, if it has one. A step that is
/// finer than the scale, or too large for it, does not fit.
pub(crate) fn fits(params: ViewParams, price_exponent: i8) -> bool {
    params.group.is_none() || step(params, price_exponent).is_some()
}

/// The price step of a grouped view as a mantissa; `None` if the view is not grouped. A view whose
/// step does not fit cannot exist: see [`fits`].
pub(crate) fn step(params: ViewParams, price_exponent: i8) -> Option<i64> {
    params.group?.at(price_exponent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use wire::{Depth, PriceStep};

    use crate::throttle::Throttles;

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
        let throttle = Throttles::default().start(params.speed);
        BookView::new(params, 0, book, Stamp::NONE, throttle)
    }

    /// Independent of how a view is made.
    fn from_scratch(params: ViewParams, book: &Book) -> Book {
        let step = params.group.map_or(1, |step| step.at(0).unwrap());
        let depth = params.depth.levels().unwrap_or(usize::MAX);
        let mut visible = Book::new();
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
                visible.set(side, level);
            }
        }
        visible
    }

    proptest! {
        #[test]
        fn a_view_that_is_updated_equals_one_from_scratch(
            start in levels(),
            // The changes of a record, and whether the view publishes after it.
            steps in proptest::collection::vec((levels(), levels(), any::<bool>()), 1..10),
            params in params(),
        ) {
            let (mut book, mut changes) = (Book::new(), Changes::default());
            let (mut visible, mut scratch) = (Changes::default(), Changes::default());
            book.apply(Side::Bid, &start, &mut changes);
            let mut view = view(params, &book);
            let mut client = view.sent(&book).into_owned();
            prop_assert_eq!(&client, &from_scratch(params, &book));
            let mut places = vec![(client.clone(), Changes::default())];
            for (bids, asks, publishes) in steps {
                changes.clear();
                book.apply(Side::Bid, &bids, &mut changes);
                book.apply(Side::Ask, &asks, &mut changes);
                changes.normalize();
                for (_, net) in &mut places {
                    net.bids.extend(&changes.bids);
                    net.asks.extend(&changes.asks);
                }
                view.update(&changes, &Stamp::NONE, &mut scratch);
                let most = BookView::memory_of(params, 0, &book);
                let fresh_view = super::tests::view(params, &book);
                prop_assert!(fresh_view.memory() <= most.max(16 * 4 * size_of::<Level>()));
                if !publishes {
                    prop_assert_eq!(&view.sent(&book).into_owned(), &client, "what was not sent is not shown");
                    continue;
                }
                let fresh = from_scratch(params, &book);
                if view.unsent.is_none() {
                    prop_assert_eq!(&client, &fresh, "it misses nothing");
                }
                view.take_unsent(&book, &mut visible);
                let normalized = visible.clone();
                visible.normalize();
                prop_assert_eq!(&visible, &normalized);
                for side in Side::BOTH {
                    for change in visible.side(side) {
                        prop_assert_eq!(client.side(side).size_at(change.price), change.before);
                        client.set(side, change.level());
                    }
                }
                prop_assert_eq!(&view.sent(&book).into_owned(), &fresh);
                prop_assert_eq!(&client, &fresh);
                places.push((client.clone(), Changes::default()));
            }
            // A client at any position is led to what was sent, even if the book is further.
            for (mut there, mut net) in places {
                net.normalize();
                let checksum = view.net_change_since(&book, &net, &mut visible);
                for side in Side::BOTH {
                    for change in visible.side(side) {
                        there.set(side, change.level());
                    }
                }
                prop_assert_eq!(&view.sent(&book).into_owned(), &there);
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
            view.update(&changes, &Stamp::NONE, &mut Changes::default());
            assert!(view.changed.len() <= FOLD_AT + 100);
        }
        let mut visible = Changes::default();
        view.take_unsent(&book, &mut visible);
        assert_eq!(visible.len(), 100);
        assert_eq!(view.sent(&book).as_ref(), &book);
        assert!(view.memory() <= KEPT_CHANGES * size_of::<Change>());
    }
}
