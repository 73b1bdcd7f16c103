use market::{Change, Ladder, Level, Side};

/// The levels of a ladder before some changes, best first.
pub(crate) struct Before<'a, I: Iterator<Item = Level>> {
    side: Side,
    now: std::iter::Peekable<I>,
    net: std::iter::Peekable<std::slice::Iter<'a, Change>>,
}

impl<'a> Before<'a, std::iter::Empty<Level>> {
    /// `net` are the changes since then, tidy.
    pub(crate) fn new(
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
