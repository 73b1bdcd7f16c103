/// The name of a stream: `btcusdt@depth@100ms`, `!ticker@arr`. Empty if a message has none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stream<'a> {
    /// The part before the first `@`, in lower case.
    symbol: &'a str,
    /// The part after it.
    kind: &'a str,
}

impl<'a> Stream<'a> {
    #[inline]
    pub(super) fn new(name: &'a str) -> Self {
        match name.bytes().position(|byte| byte == b'@') {
            Some(at) => Self {
                symbol: &name[..at],
                kind: &name[at + 1..],
            },
            None => Self::default(),
        }
    }

    /// The symbol; `None` for streams for all markets.
    pub(super) fn symbol(&self) -> Option<&'a str> {
        Some(self.symbol).filter(|symbol| !symbol.is_empty() && !symbol.starts_with('!'))
    }

    /// Returns whether this is the most common stream that is ignored. Others are recognized by
    /// their event type.
    #[inline]
    pub(super) fn is_ignored(&self) -> bool {
        self.kind == "bookTicker"
    }

    /// Returns whether this is a stream of partial books, which repeats the best 5, 10 or 20
    /// levels: `depth20@100ms`.
    ///
    /// Beside a stream of deltas these would limit the book to that depth, so they are ignored.
    pub(super) fn is_partial_book(&self) -> bool {
        let depth = self.kind.strip_prefix("depth");
        depth.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_book_is_told_from_a_stream_of_changes() {
        for changes in [
            "btcusdt@depth",
            "btcusdt@depth@100ms",
            "btcusdt@depth@0ms",
            "x",
        ] {
            assert!(!Stream::new(changes).is_partial_book(), "{changes}");
        }
        for partial in [
            "btcusdt@depth5",
            "btcusdt@depth20@100ms",
            "btcusd_perp@depth10@500ms",
        ] {
            assert!(Stream::new(partial).is_partial_book(), "{partial}");
        }
        assert_eq!(Stream::new("btcusdt@depth@100ms").symbol(), Some("btcusdt"));
        assert_eq!(Stream::new("!ticker@arr").symbol(), None);
        assert_eq!(Stream::new("nonsense").symbol(), None);
    }
}
