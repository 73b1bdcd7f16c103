//! A key of the configuration, declared once: its type, its default, whether a reload applies it, and
//! what it means.

use super::kind::Kind;

/// One key, which reads as a `T`.
pub(super) struct Key<T: 'static> {
    /// Such as `topics[].format`, where `[]` is any item of a list.
    pub(super) path: &'static str,
    pub(super) kind: Kind<T>,
    pub(super) fallback: Fallback,
    /// Whether a reload applies a change of it; else that takes a restart.
    pub(super) is_live: bool,
    /// The lines of its documentation.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "for the documentation, which a test checks against it"
        )
    )]
    pub(super) meaning: &'static [&'static str],
}

/// What a key is when it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fallback {
    /// It has to be given.
    Required,
    /// Nothing, which means this.
    Absent(&'static str),
    /// This value, as an environment variable would give it.
    Default(&'static str),
}

/// A key without its type: for documentation, suggestions, and what is shown.
pub(super) trait AnyKey {
    fn path(&self) -> &'static str;
    /// What it may be, for errors and the documentation.
    fn expected(&self) -> String;
    #[cfg(test)]
    fn literal(&self, loose: &str) -> String;
    /// Returns whether it is a table of names that this program does not know.
    fn is_open(&self) -> bool;
    #[cfg(test)]
    fn fallback(&self) -> Fallback;
    #[cfg(test)]
    fn meaning(&self) -> String;
    /// The largest number it may be.
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
