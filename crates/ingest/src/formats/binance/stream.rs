/// The name of a stream: `btcusdt@depth@100ms`, `!ticker@arr`; empty when a message has none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stream<'a> {
    /// Before the first `@`, in lower case.
    symbol: &'a str,
    /// Behind it.
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

    /// Whose stream it is; none for those over all markets.
    pub(super) fn symbol(&self) -> Option<&'a str> {
        Some(self.symbol).filter(|symbol| !symbol.is_empty() && !symbol.starts_with('!'))
    }

    /// The commonest of those that nothing is made of. Others are known by their kind of event.
    #[inline]
    pub(super) fn says_nothing(&self) -> bool {
        self.kind == "bookTicker"
    }

    /// Whether it sends the best 5, 10 or 20 levels whole, time and again: `depth20@100ms`.
    ///
    /// Beside a stream of changes they would make the book that deep only, so they are passed over.
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
