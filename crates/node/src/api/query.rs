use std::borrow::Cow;

use hyper::Uri;
use market::{Channel, InstrumentName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use wire::control::{Policy, Symbol};
use wire::{BarInterval, Depth, PriceStep, Speed};

use super::error::ApiError;

const DEPTHS: &str = "1, 5, 10, 25, 50, 100, 500, 1000 or full";
const GROUPS: &str = "a price step above zero, as in 0.5";
const SYMBOLS: &str = "VENUE:SYMBOL, or a text with *";
/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The decoded parameters of a query string, in order.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query string; fails on a name that is not allowed.
    pub(super) fn parse(text: Option<&str>, allowed: &[&str]) -> Result<Self, ApiError> {
        let mut all = Vec::new();
        let parts = text.unwrap_or_default().split('&');
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let name = decode(name, true)?;
            if !allowed.contains(&name.as_str()) {
                let may_be = if allowed.is_empty() {
                    "left out: this path has no parameters".to_owned()
                } else {
                    allowed.join(", ")
                };
                return Err(ApiError::wrong("bad_request", "parameter", &name, &may_be));
            }
            all.push((name, decode(value, true)?));
        }
        Ok(Self(all))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a parameter that may occur once.
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, ApiError> {
        let mut values = self.all().filter(|(known, _)| *known == name);
        let first = values.next().map(|(_, value)| value);
        match values.next() {
            None => Ok(first),
            Some((_, twice)) => Err(ApiError::wrong("bad_request", name, twice, "there once")),
        }
    }

    /// An integer from 1 to `most`.
    pub(super) fn count(
        &self,
        name: &'static str,
        default: usize,
        most: usize,
    ) -> Result<usize, ApiError> {
        let Some(text) = self.one(name)? else {
            return Ok(default);
        };
        let number = text.parse().ok();
        number
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| {
                let may_be = format!("an integer from 1 to {most}");
                ApiError::wrong("bad_request", name, text, &may_be)
            })
    }
}

/// Decodes percent-encoded UTF-8.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Result<String, ApiError> {
    let wrong = || {
        let may_be = "percent-encoded UTF-8";
        ApiError::wrong("bad_request", "url", text, may_be)
    };
    let is_escape = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    // The library leaves malformed escapes as they are.
    if !text.split('%').skip(1).all(is_escape) {
        return Err(wrong());
    }
    let text = if plus_is_space {
        text.replace('+', " ")
    } else {
        text.to_owned()
    };
    let decoded = percent_decode_str(&text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| wrong())
}

/// The same for all spellings of a URL, so that they share one cached body.
pub(super) fn canonical(uri: &Uri) -> (String, Vec<(String, String)>) {
    let text = |text: &str, plus| decode(text, plus).unwrap_or_else(|_| text.to_owned());
    let parts = uri.query().unwrap_or_default().split('&');
    let parts = parts.filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (text(name, true), text(value, true))
    };
    let mut pairs: Vec<_> = parts.map(pair).collect();
    pairs.sort_unstable();
    (text(uri.path(), false), pairs)
}

/// The opposite of [`decode`].
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

pub(super) fn name(text: &str) -> Result<InstrumentName, ApiError> {
    InstrumentName::parse(text).map_err(|_| ApiError::no_symbol(text))
}

pub(super) fn symbol(text: &str) -> Result<Symbol, ApiError> {
    Symbol::parse(text).map_err(|error| {
        let may_be = format!("{SYMBOLS}: {error}");
        ApiError::wrong("unknown_symbol", "symbol", text, &may_be)
    })
}

pub(super) fn channel(text: &str) -> Result<Channel, ApiError> {
    Channel::from_name(text).ok_or_else(|| {
        let names = Channel::ALL.map(Channel::name).join(", ");
        ApiError::wrong("unknown_channel", "channel", text, &names)
    })
}

pub(super) fn depth(text: &str) -> Result<Depth, ApiError> {
    if text == "full" {
        return Ok(Depth::Full);
    }
    let levels = text.parse().ok();
    levels
        .and_then(Depth::from_levels)
        .ok_or_else(|| ApiError::wrong("bad_depth", "depth", text, DEPTHS))
}

pub(super) fn speed(text: &str) -> Result<Speed, ApiError> {
    Speed::from_name(text).ok_or_else(|| {
        let names = Speed::ALL.map(Speed::name).join(", ");
        ApiError::wrong("bad_speed", "speed", text, &names)
    })
}

pub(super) fn group(text: &str) -> Result<PriceStep, ApiError> {
    PriceStep::parse(text).map_err(|error| {
        let may_be = format!("{GROUPS}: {error}");
        ApiError::wrong("bad_group", "group", text, &may_be)
    })
}

pub(super) fn interval(text: &str) -> Result<BarInterval, ApiError> {
    BarInterval::from_name(text).ok_or_else(|| {
        let names = BarInterval::ALL.map(BarInterval::name).join(", ");
        ApiError::wrong("bad_interval", "interval", text, &names)
    })
}

pub(super) fn policy(text: &str) -> Result<Policy, ApiError> {
    Policy::from_name(text).ok_or_else(|| {
        let names = Policy::ALL.map(Policy::name).join(", ");
        ApiError::wrong("bad_policy", "policy", text, &names)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_encoded_or_plain() {
        for text in [
            "BINANCE:BTC-USDT",
            "BINANCE%3ABTC-USDT",
            "BINANCE%3aBTC%2dUSDT",
        ] {
            assert_eq!(decode(text, false).unwrap(), "BINANCE:BTC-USDT");
        }
        for text in ["BINANCE:BTC-USDT", "A:*", "a b&c=d%+é"] {
            assert_eq!(decode(&encode(text), true).unwrap(), text);
        }
        assert_eq!(decode("a+b", true).unwrap(), "a b");
        assert_eq!(decode("a+b", false).unwrap(), "a+b");
        for text in ["%", "%4", "%zz", "%+1", "%ff"] {
            assert_eq!(
                decode(text, true).unwrap_err().code,
                "bad_request",
                "{text}"
            );
        }
    }

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let of = |text: &str| canonical(&text.parse().unwrap());
        let one = of("/v1/books/A:B?depth=full&group=5");
        for other in [
            "/v1/books/A%3aB?group=5&depth=full",
            "/v1/books/A%3AB?&dep%74h=f%75ll&&group=%35",
        ] {
            assert_eq!(of(other), one);
        }
        assert_ne!(of("/v1/books/A:B?depth=full&group=6"), one);
        assert_eq!(of("/v1/books/A:B"), of("/v1/books/%41:B?"));
    }

    #[test]
    fn a_parameter_that_is_not_known_or_twice_there_is_named() {
        let error = Query::parse(Some("depht=5"), &["depth"]).unwrap_err();
        assert_eq!(
            (error.was.as_deref(), error.may_be.as_deref()),
            (Some("depht"), Some("depth"))
        );
        let query = Query::parse(Some("limit=5&limit=6"), &["limit"]).unwrap();
        assert_eq!(
            query.count("limit", 1, 10).unwrap_err().field,
            Some("limit")
        );
        let query = Query::parse(Some("limit=11"), &["limit"]).unwrap();
        assert_eq!(
            query.count("limit", 1, 10).unwrap_err().may_be.as_deref(),
            Some("an integer from 1 to 10")
        );
    }
}
