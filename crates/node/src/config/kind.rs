//! Kinds of values: how they are parsed, and how that is described.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::unit::{parse_duration, parse_size, show_duration, show_size};
use super::value::{Value, quote};

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
/// More than any machine this was tried on.
const MOST_CORES: u16 = 256;
/// Maximum look-back: a month, more than any market's topics retain.
pub(super) const LOOKBACK: Duration = Duration::from_secs(31 * 86_400);
pub(super) const KIB: u64 = 1 << 10;
pub(super) const MIB: u64 = 1 << 20;
pub(super) const GIB: u64 = 1 << 30;

/// What a value may be, and how it is parsed as a `T`.
pub(super) struct Kind<T: 'static> {
    rule: Rule<T>,
    /// A word allowed in place of a number, and its meaning.
    word: Option<Word<T>>,
}

type Word<T> = (&'static str, fn() -> T);

enum Rule<T: 'static> {
    Integer(RangeInclusive<i64>, fn(i64) -> Option<T>),
    Duration(RangeInclusive<Duration>, fn(Duration) -> T),
    Size(RangeInclusive<u64>, fn(u64) -> Option<T>),
    Choice(&'static [(&'static str, T)], fn(&T) -> T),
    /// A text, and what is allowed.
    Text(&'static str, fn(&str) -> Option<T>),
    /// A text with more than one way to be wrong.
    Checked(&'static str, fn(&str) -> Result<T, String>),
    /// A number as text, so that no precision is lost.
    Decimal(fn(&str) -> T),
    /// A list of texts; comma-separated in environment variables.
    Texts(&'static str, fn(&[String]) -> Result<T, String>),
    /// A table of names that this program does not know.
    Open,
}

pub(super) const fn integer<T: TryFrom<i64>>(min: i64, max: i64) -> Kind<T> {
    let value = |number| T::try_from(number).ok();
    Kind::of(Rule::Integer(min..=max, value))
}

pub(super) const fn integer_or_off(min: i64, max: i64) -> Kind<Option<u32>> {
    let value = |number| u32::try_from(number).ok().map(Some);
    Kind::of(Rule::Integer(min..=max, value)).or_word("off", || None)
}

/// A number of threads; `cores` means one per core.
pub(super) const fn cores() -> Kind<usize> {
    integer(1, MOST_CORES as i64).or_word("cores", available_cores)
}

pub(super) const fn duration(min: Duration, max: Duration) -> Kind<Duration> {
    Kind::of(Rule::Duration(min..=max, |span| span))
}

pub(super) const fn duration_or_off(min: Duration, max: Duration) -> Kind<Option<Duration>> {
    Kind::of(Rule::Duration(min..=max, Some)).or_word("off", || None)
}

pub(super) const fn size<T: TryFrom<u64>>(min: u64, max: u64) -> Kind<T> {
    Kind::of(Rule::Size(min..=max, |bytes| T::try_from(bytes).ok()))
}

/// One of several words.
pub(super) const fn choice<T: Copy>(words: &'static [(&'static str, T)]) -> Kind<T> {
    Kind::of(Rule::Choice(words, |value| *value))
}

pub(super) const fn address() -> Kind<SocketAddr> {
    parsed(
        r#"an IP address and a port, such as "127.0.0.1:8080""#,
        |text| text.parse().ok(),
    )
}

pub(super) const fn text(expected: &'static str) -> Kind<String> {
    parsed(expected, |text| Some(text.to_owned()))
}

/// A text that is not empty.
pub(super) const fn filled(expected: &'static str) -> Kind<String> {
    parsed(expected, |text| (!text.is_empty()).then(|| text.to_owned()))
}

pub(super) const fn parsed<T>(expected: &'static str, parse: fn(&str) -> Option<T>) -> Kind<T> {
    Kind::of(Rule::Text(expected, parse))
}

/// A text accepted by `check`, which explains what is wrong otherwise.
pub(super) const fn checked<T>(
    expected: &'static str,
    check: fn(&str) -> Result<T, String>,
) -> Kind<T> {
    Kind::of(Rule::Checked(expected, check))
}

pub(super) const fn decimal() -> Kind<String> {
    Kind::of(Rule::Decimal(str::to_owned))
}

pub(super) const fn texts(expected: &'static str) -> Kind<Vec<String>> {
    checked_texts(expected, |texts| Ok(texts.to_vec()))
}

/// A list accepted as a whole by `check`, which explains what is wrong otherwise.
pub(super) const fn checked_texts<T>(
    expected: &'static str,
    check: fn(&[String]) -> Result<T, String>,
) -> Kind<T> {
    Kind::of(Rule::Texts(expected, check))
}

pub(super) const fn open() -> Kind<BTreeMap<String, String>> {
    Kind::of(Rule::Open)
}

impl<T> Kind<T> {
    const fn of(rule: Rule<T>) -> Self {
        Self { rule, word: None }
    }

    const fn or_word(self, word: &'static str, value: fn() -> T) -> Self {
        Self {
            word: Some((word, value)),
            ..self
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.rule, Rule::Open)
    }

    /// Parses a value; fails with what is allowed.
    pub(super) fn parse(&self, value: &Value) -> Result<T, String> {
        if let Some((word, meant)) = self.word
            && value.text() == Some(word)
        {
            return Ok(meant());
        }
        let parsed = match &self.rule {
            Rule::Integer(range, make) => value
                .bare()
                .and_then(|text| text.parse().ok())
                .filter(|number| range.contains(number))
                .and_then(make),
            Rule::Duration(range, make) => value
                .text()
                .and_then(parse_duration)
                .filter(|span| range.contains(span))
                .map(make),
            Rule::Size(range, make) => value
                .scalar()
                .and_then(parse_size)
                .filter(|bytes| range.contains(bytes))
                .and_then(make),
            Rule::Choice(words, copy) => value.text().and_then(|text| {
                let (_, meant) = words.iter().find(|(word, _)| *word == text)?;
                Some(copy(meant))
            }),
            Rule::Text(_, parse) => value.text().and_then(parse),
            Rule::Checked(_, check) => match value.text() {
                Some(text) => return check(text),
                None => None,
            },
            Rule::Decimal(make) => value.scalar().map(make),
            Rule::Texts(_, check) => match texts_of(value) {
                Some(texts) => return check(&texts),
                None => None,
            },
            Rule::Open => None,
        };
        parsed.ok_or_else(|| self.expected())
    }

    /// What is allowed, for errors and the documentation.
    pub(super) fn expected(&self) -> String {
        let rule = match &self.rule {
            Rule::Integer(range, _) => {
                format!("an integer from {} to {}", range.start(), range.end())
            }
            Rule::Duration(range, _) => format!(
                "a duration from {} to {} (us, ms, s, m, h, d)",
                quote(&show_duration(*range.start())),
                quote(&show_duration(*range.end()))
            ),
            Rule::Size(range, _) => format!(
                "a size from {} to {} (bytes, KiB, MiB, GiB)",
                quote(&show_size(*range.start())),
                quote(&show_size(*range.end()))
            ),
            Rule::Choice(words, _) => {
                let words: Vec<_> = words.iter().map(|(word, _)| quote(word)).collect();
                words.join(" or ")
            }
            Rule::Text(expected, _) | Rule::Checked(expected, _) | Rule::Texts(expected, _) => {
                (*expected).into()
            }
            Rule::Decimal(_) => r#"a decimal number above 0, such as "0.01""#.into(),
            Rule::Open => "strings, integers and booleans by property name".into(),
        };
        match self.word {
            Some((word, _)) => format!("{}, or {rule}", quote(word)),
            None => rule,
        }
    }

    /// An unquoted value, such as a variable's, as it would be written in the file.
    pub(super) fn literal(&self, loose: &str) -> String {
        match self.rule {
            Rule::Integer(..) | Rule::Size(..) if loose.parse::<i64>().is_ok() => loose.to_owned(),
            Rule::Texts(..) => {
                let items: Vec<_> = split(loose).map(quote).collect();
                format!("[{}]", items.join(", "))
            }
            _ => quote(loose),
        }
    }

    #[cfg(test)]
    pub(super) fn largest(&self) -> Option<u64> {
        match &self.rule {
            Rule::Integer(range, _) => u64::try_from(*range.end()).ok(),
            Rule::Size(range, _) => Some(*range.end()),
            _ => None,
        }
    }
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::List(items) => items
            .iter()
            .map(|item| Some(item.value.text()?.to_owned()))
            .collect(),
        Value::Loose(text) => Some(split(text).map(str::to_owned).collect()),
        _ => None,
    }
}

fn split(loose: &str) -> impl Iterator<Item = &str> {
    let items = loose.split(',').filter(|item| !item.is_empty());
    items.map(str::trim)
}

pub(super) fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(usize::from(MOST_CORES)))
}
