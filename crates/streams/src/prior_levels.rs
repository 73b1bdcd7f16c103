use std::iter::Peekable;

use market::{Change, Ladder, Level, Side};

/// Iterates over the levels that a ladder had before some changes, best first.
pub(crate) struct PriorLevels<'a, I: Iterator<Item = Level>> {
    side: Side,
    current: Peekable<I>,
    net: Peekable<std::slice::Iter<'a, Change>>,
}

impl<'a> PriorLevels<'a, std::iter::Empty<Level>> {
    /// `net` holds the changes since then, normalized.
    pub(crate) fn new(
        ladder: &'a Ladder,
        net: &'a [Change],
    ) -> PriorLevels<'a, impl Iterator<Item = Level> + use<'a>> {
        PriorLevels {
            side: ladder.side(),
            current: ladder.iter().peekable(),
            net: net.iter().peekable(),
        }
    }
}

impl<I: Iterator<Item = Level>> Iterator for PriorLevels<'_, I> {
    type Item = Level;

    fn next(&mut self) -> Option<Level> {
        loop {
            let change = match (self.current.peek(), self.net.peek()) {
                (_, None) => return self.current.next(),
                (Some(level), Some(change)) if self.side.is_better(level.price, change.price) => {
                    return self.current.next();
                }
                (level, Some(change)) => {
                    let replaces = level.is_some_and(|level| level.price == change.price);
                    let change = **change;
                    if replaces {
                        self.current.next();
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
