use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::effective::Setting;
use super::flat::Flat;
use super::key::{Fallback, Kind};
use super::keys;
use super::mistake::Mistake;
use super::unit::{parse_duration, parse_size};
use super::value::{Node, Origin, Value};

/// Reads keys by path, and collects what is wrong with them.
///
/// A wrong or missing value reads as some value of its type, so that the others can still be read:
/// what was read is of use only when there is no mistake.
pub(super) struct Reader {
    flat: Flat,
    pub(super) mistakes: Vec<Mistake>,
    /// What was read, in the order of reading.
    pub(super) settings: Vec<Setting>,
}

impl Reader {
    pub(super) fn new(flat: Flat, mistakes: Vec<Mistake>) -> Self {
        Self {
            flat,
            mistakes,
            settings: Vec::new(),
        }
    }

    /// Adds a mistake about a value that was read before.
    pub(super) fn mistake(&mut self, path: &str, expected: impl Into<String>) {
        let setting = self.settings.iter().find(|setting| setting.path == path);
        let mistake = setting.map_or_else(
            || Mistake::missing(path, ""),
            |setting| Mistake::wrong(path, &setting.node, ""),
        );
        self.mistakes.push(Mistake {
            expected: expected.into(),
            ..mistake
        });
    }

    /// Whether a key was given, or has a default.
    pub(super) fn has(&self, path: &str) -> bool {
        self.settings.iter().any(|setting| setting.path == path)
    }

    /// How many items a list of tables has.
    pub(super) fn items(&self, path: &str) -> usize {
        self.flat.lists.get(path).copied().unwrap_or(0)
    }

    pub(super) fn address(&mut self, path: &str) -> SocketAddr {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        self.required(path, unspecified, |_, value| value.text()?.parse().ok())
    }

    /// A text that `check` accepts, or says what is wrong with.
    pub(super) fn checked<T>(
        &mut self,
        path: &str,
        check: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.value(path, |kind, value| {
            check(value.text().ok_or_else(|| kind.expected())?)
        })
    }

    /// A number as its text, which says exactly what was meant.
    pub(super) fn decimal(&mut self, path: &str) -> Option<String> {
        self.optional(path, |_, value| Some(value.scalar()?.to_owned()))
    }

    pub(super) fn integer<T: TryFrom<i64> + Default>(&mut self, path: &str) -> T {
        self.required(path, T::default(), integer)
    }

    /// An integer that counts something.
    pub(super) fn count(&mut self, path: &str) -> usize {
        usize::try_from(self.integer::<u32>(path)).unwrap_or(usize::MAX)
    }

    pub(super) fn optional_integer<T: TryFrom<i64>>(&mut self, path: &str) -> Option<T> {
        self.optional(path, integer)
    }

    /// `None` is off.
    pub(super) fn integer_or_off(&mut self, path: &str) -> Option<u32> {
        self.required(path, None, |kind, value| match kind {
            Kind::IntegerOrOff(..) if value.text() == Some("off") => Some(None),
            Kind::IntegerOrOff(min, max) => {
                let number: i64 = value.bare()?.parse().ok()?;
                let number = (min..=max).contains(&&number).then_some(number)?;
                Some(Some(u32::try_from(number).ok()?))
            }
            _ => None,
        })
    }

    /// A number of threads, where `cores` stands for as many as there are cores.
    pub(super) fn threads(&mut self, path: &str, cores: usize) -> usize {
        self.required(path, 0, |kind, value| match (kind, value.text()) {
            (Kind::Cores(max), Some("cores")) => Some(cores.min(usize::try_from(*max).ok()?)),
            (Kind::Cores(max), _) => {
                let number: i64 = value.bare()?.parse().ok()?;
                let number = (1..=*max).contains(&number).then_some(number)?;
                usize::try_from(number).ok()
            }
            _ => None,
        })
    }

    pub(super) fn duration(&mut self, path: &str) -> Duration {
        self.required(path, Duration::ZERO, |kind, value| match kind {
            Kind::Duration(min, max) => {
                let span = parse_duration(value.text()?)?;
                (min..=max).contains(&&span).then_some(span)
            }
            _ => None,
        })
    }

    /// `None` is off.
    pub(super) fn duration_or_off(&mut self, path: &str) -> Option<Duration> {
        self.required(path, None, |kind, value| match (kind, value.text()?) {
            (Kind::DurationOrOff(..), "off") => Some(None),
            (Kind::DurationOrOff(min, max), text) => {
                let span = parse_duration(text)?;
                (min..=max).contains(&&span).then_some(Some(span))
            }
            _ => None,
        })
    }

    pub(super) fn size(&mut self, path: &str) -> usize {
        self.required(path, 0, |kind, value| match kind {
            Kind::Size(min, max) => {
                let bytes = parse_size(value.scalar()?)?;
                let bytes = (min..=max).contains(&&bytes).then_some(bytes)?;
                usize::try_from(bytes).ok()
            }
            _ => None,
        })
    }

    /// One of the words of the key.
    pub(super) fn choice(&mut self, path: &str) -> &'static str {
        self.required(path, "", |kind, value| match kind {
            Kind::Choice(words) => {
                let word = value.text()?;
                words.iter().find(|known| **known == word).copied()
            }
            _ => None,
        })
    }

    /// A list of texts; from the environment, with commas between them.
    pub(super) fn texts(&mut self, path: &str) -> Vec<String> {
        self.optional_texts(path).unwrap_or_default()
    }

    /// Likewise, where no list means something else than an empty one.
    pub(super) fn optional_texts(&mut self, path: &str) -> Option<Vec<String>> {
        self.optional(path, |_, value| match value {
            Value::List(items) => items
                .iter()
                .map(|item| Some(item.value.text()?.to_owned()))
                .collect(),
            Value::Loose(text) => {
                let items = text.split(',').filter(|item| !item.is_empty());
                Some(items.map(|item| item.trim().to_owned()).collect())
            }
            _ => None,
        })
    }

    /// A list of texts that `check` accepts as a whole, or says what is wrong with.
    pub(super) fn checked_texts<T>(
        &mut self,
        path: &str,
        check: impl Fn(&[String]) -> Result<T, String>,
    ) -> Option<T> {
        let texts = self.optional_texts(path)?;
        check(&texts)
            .map_err(|expected| self.mistake(path, expected))
            .ok()
    }

    /// Every value below a path, as text, by what its path has behind that.
    pub(super) fn properties(&mut self, path: &str) -> BTreeMap<String, String> {
        let below = format!("{path}.");
        let names: Vec<String> = self
            .flat
            .values
            .keys()
            .filter_map(|key| Some(key.strip_prefix(&below)?.to_owned()))
            .collect();
        let mut properties = BTreeMap::new();
        for name in names {
            let path = format!("{below}{name}");
            let Some(node) = self.flat.values.remove(&path) else {
                continue;
            };
            match node.value.scalar() {
                Some(text) => {
                    properties.insert(name, text.to_owned());
                }
                None => self.mistakes.push(Mistake::wrong(
                    path.as_str(),
                    &node,
                    "a text, an integer or a boolean",
                )),
            }
            self.settings.push(Setting { path, node });
        }
        if let Some(node) = self.flat.values.remove(path) {
            self.mistakes
                .push(Mistake::wrong(path, &node, "a table of properties"));
        }
        properties
    }

    fn required<T>(
        &mut self,
        path: &str,
        substitute: T,
        parse: impl Fn(&Kind, &Value) -> Option<T>,
    ) -> T {
        self.optional(path, parse).unwrap_or(substitute)
    }

    fn optional<T>(&mut self, path: &str, parse: impl Fn(&Kind, &Value) -> Option<T>) -> Option<T> {
        self.value(path, |kind, value| {
            parse(kind, value).ok_or_else(|| kind.expected())
        })
    }

    /// The value that was given, else the default; `None` when it may be absent, or is wrong.
    fn value<T>(
        &mut self,
        path: &str,
        parse: impl Fn(&Kind, &Value) -> Result<T, String>,
    ) -> Option<T> {
        let key = keys::find(path)?;
        let given = self.flat.values.remove(path);
        let node = match (given, &key.default) {
            (Some(node), _) => node,
            (None, Fallback::Value(text)) => Node {
                value: Value::Loose((*text).to_owned()),
                origin: Origin::Default,
            },
            (None, Fallback::None(_)) => return None,
            (None, Fallback::Required) => {
                let mistake = Mistake::missing(path, key.kind.expected());
                self.mistakes.push(mistake);
                return None;
            }
        };
        let parsed = parse(&key.kind, &node.value);
        if let Err(expected) = &parsed {
            let mistake = Mistake::wrong(path, &node, expected.as_str());
            self.mistakes.push(mistake);
        }
        self.settings.push(Setting {
            path: path.to_owned(),
            node,
        });
        parsed.ok()
    }
}

fn integer<T: TryFrom<i64>>(kind: &Kind, value: &Value) -> Option<T> {
    let Kind::Integer(min, max) = kind else {
        return None;
    };
    let number: i64 = value.bare()?.parse().ok()?;
    let number = (min..=max).contains(&&number).then_some(number)?;
    T::try_from(number).ok()
}
