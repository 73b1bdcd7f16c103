use super::key::AnyKey;

/// All keys, table by table, in the order of the documentation.
#[derive(Clone, Copy)]
pub(super) struct Schema(pub(super) &'static [&'static [&'static dyn AnyKey]]);

/// What is at a path.
pub(super) enum Shape {
    Key(&'static dyn AnyKey),
    Table,
    ListOfTables,
    Unknown,
}

impl Schema {
    pub(super) fn keys(self) -> impl Iterator<Item = &'static dyn AnyKey> {
        self.0.iter().flat_map(|table| table.iter().copied())
    }

    pub(super) fn paths(self) -> impl Iterator<Item = &'static str> {
        self.keys().map(AnyKey::path)
    }

    /// What is at a path, where `[]` is any item.
    pub(super) fn shape(self, path: &str) -> Shape {
        if let Some(key) = self.keys().find(|key| key.path() == path) {
            return Shape::Key(key);
        }
        let mut below = self.paths().filter_map(|key| key.strip_prefix(path));
        match below.find(|rest| rest.starts_with(['.', '['])) {
            Some(rest) if rest.starts_with('.') => Shape::Table,
            Some(_) => Shape::ListOfTables,
            None => Shape::Unknown,
        }
    }

    /// The key that was probably meant: the most similar path, else the same name in another table.
    pub(super) fn nearest(self, pattern: &str) -> Option<&'static str> {
        let last = |path: &str| path.rsplit('.').next().map(str::to_owned);
        nearest(pattern, self.paths())
            .or_else(|| self.paths().find(|path| last(path) == last(pattern)))
    }
}

/// The most similar candidate; at most a third of it may differ.
pub(super) fn nearest<'a>(
    wrong: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::osa_distance(wrong, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised() {
        let keys = ["public.listen", "session.ping_interval", "kafka.brokers"];
        let nearest = |wrong| nearest(wrong, keys.into_iter());
        assert_eq!(nearest("sesion.ping_interval"), Some(keys[1]));
        assert_eq!(nearest("session.pnig_interval"), Some(keys[1]));
        assert_eq!(nearest("kafka.broker"), Some(keys[2]));
        assert_eq!(nearest("colour"), None);
    }
}
