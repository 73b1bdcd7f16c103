//! A key of the configuration: its type, default, meaning, and whether a reload applies it.

use super::kind::Kind;

/// A key whose value is parsed as a `T`.
pub(super) struct Key<T: 'static> {
    /// Such as `topics[].format`, where `[]` is any item of a list.
    pub(super) path: &'static str,
    pub(super) kind: Kind<T>,
    pub(super) fallback: Fallback,
    /// Whether a reload applies a change; if not, it takes a restart.
    pub(super) is_live: bool,
    /// Its documentation, line by line.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "for the documentation, which a test checks against it"
        )
    )]
    pub(super) meaning: &'static [&'static str],
}

/// The value of a key that is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    /// The key must be given.
    Required,
    /// No value, with this meaning.
    Absent(&'static str),
    /// This value, as in an environment variable.
    Default(&'static str),
}

/// A key of any type: for errors, suggestions and the documentation.
pub(super) trait AnyKey {
    fn path(&self) -> &'static str;
    /// What is allowed, for errors and the documentation.
    fn expected(&self) -> String;
    #[cfg(test)]
    fn literal(&self, loose: &str) -> String;
    /// Returns whether it is a table with arbitrary names.
    fn is_open(&self) -> bool;
    #[cfg(test)]
    fn fallback(&self) -> Fallback;
    #[cfg(test)]
    fn meaning(&self) -> String;
    /// The largest allowed number.
    #[cfg(test)]
    fn largest(&self) -> Option<u64>;
}

impl<T> Key<T> {
    /// Its name in its table.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }
}

impl<T> AnyKey for Key<T> {
    fn path(&self) -> &'static str {
        self.path
    }

    fn expected(&self) -> String {
        self.kind.expected()
    }

    #[cfg(test)]
    fn literal(&self, loose: &str) -> String {
        self.kind.literal(loose)
    }

    fn is_open(&self) -> bool {
        self.kind.is_open()
    }

    #[cfg(test)]
    fn fallback(&self) -> Fallback {
        self.fallback
    }

    #[cfg(test)]
    fn meaning(&self) -> String {
        let lines: Vec<_> = self.meaning.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    #[cfg(test)]
    fn largest(&self) -> Option<u64> {
        self.kind.largest()
    }
}
