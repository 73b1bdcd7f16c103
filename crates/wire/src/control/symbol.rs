use std::fmt;

use market::{InstrumentName, NameError};

/// The instruments that a request is about: one, or all that match a pattern or are in a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// One instrument.
    One(InstrumentName),
    /// Every instrument that matches a pattern; `*` stands for any characters, or none.
    Matching(Box<str>),
    /// Every instrument of a list in the node's configuration, including the prefix: `list:NAME`.
    List(Box<str>),
}

/// Why a text is not a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// It has no `*`, and is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It is longer than any name.
    #[error("a text with '*' has at most {} bytes", Symbol::MAX_PATTERN)]
    TooLong,
    /// It is not the name of a list.
    #[error(
        "a list is called list:NAME, with 1 to {} of a-z, A-Z, 0-9, '_', '-' and '.'",
        Symbol::MAX_LIST_NAME
    )]
    List,
}

impl Symbol {
    /// The longest pattern: as long as the longest name.
    pub const MAX_PATTERN: usize = 97;

    /// The longest name of a list.
    pub const MAX_LIST_NAME: usize = 64;

    /// The prefix of a list's name; venues have no lower-case letters.
    const LIST: &'static str = "list:";

    /// Parses a name, a pattern, or a list's name.
    pub fn parse(text: &str) -> Result<Self, SymbolError> {
        if let Some(name) = text.strip_prefix(Self::LIST) {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
            let fits = (1..=Self::MAX_LIST_NAME).contains(&name.len());
            return if fits && name.bytes().all(legal) {
                Ok(Self::List(text.into()))
            } else {
                Err(SymbolError::List)
            };
        }
        if !text.contains('*') {
            return Ok(Self::One(InstrumentName::parse(text)?));
        }
        if text.len() > Self::MAX_PATTERN {
            return Err(SymbolError::TooLong);
        }
        Ok(Self::Matching(text.into()))
    }

    /// The text that was parsed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::One(name) => name.as_str(),
            Self::Matching(text) | Self::List(text) => text,
        }
    }

    /// The name of the list, if it is one.
    #[must_use]
    pub fn list(&self) -> Option<&str> {
        match self {
            Self::List(text) => text.strip_prefix(Self::LIST),
            _ => None,
        }
    }

    /// The one instrument, if it is one.
    #[must_use]
    pub const fn name(&self) -> Option<&InstrumentName> {
        match self {
            Self::One(name) => Some(name),
            Self::Matching(_) | Self::List(_) => None,
        }
    }

    /// What every matching name begins with: the text before the first `*`, or the name itself.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Self::One(name) => name.as_str(),
            Self::Matching(pattern) => pattern.split('*').next().unwrap_or_default(),
            Self::List(_) => "",
        }
    }

    /// The number of pieces between the `*`s, each of which [`matches`](Self::matches) looks for in
    /// a name: a measure of its cost.
    #[must_use]
    pub fn pieces(&self) -> usize {
        match self {
            Self::One(_) | Self::List(_) => 1,
            Self::Matching(pattern) => pattern.split('*').count(),
        }
    }

    /// Returns whether that instrument matches. Lists never match: only their node knows what is in them.
    #[must_use]
    pub fn matches(&self, name: &InstrumentName) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Matching(pattern) => matches(pattern, name.as_str()),
            Self::List(_) => false,
        }
    }
}

impl From<InstrumentName> for Symbol {
    fn from(name: InstrumentName) -> Self {
        Self::One(name)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first and last pieces are anchored to the ends; each piece between is taken at its first
/// occurrence, so the work is linear in the name for every piece, however many `*` there are.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some((_, rest)) = name.split_once(piece) else {
            return false;
        };
        name = rest;
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        let symbol = Symbol::parse(pattern).unwrap();
        let name = InstrumentName::parse(name).unwrap();
        assert_eq!(symbol.matches(&name), expected, "{pattern} {name}");
    }

    #[test]
    fn a_star_stands_for_any_characters_or_none() {
        check("*", "BINANCE:BTC-USDT", true);
        check("BINANCE:*", "BINANCE:BTC-USDT", true);
        check("BINANCE:*", "BINANCEUS:BTC-USDT", false);
        check("*:BTC-*", "KRAKEN:BTC-USD", true);
        check("*:BTC-*", "KRAKEN:WBTC-USD", false);
        check("*BTC*USD*", "KRAKEN:BTC-USD", true);
        check("*BTC*BTC*", "KRAKEN:BTC-USD", false);
        check("K*N:*-*D", "KRAKEN:BTC-USD", true);
        check("K:AB*B", "K:AB", false);
        check("K:A**B", "K:AB", true);
        check("KRAKEN:BTC-USD", "KRAKEN:BTC-USD", true);
        check("KRAKEN:BTC-USD", "KRAKEN:BTC-USDT", false);
    }

    #[test]
    fn a_text_without_star_is_a_name() {
        assert_eq!(
            Symbol::parse("BTC"),
            Err(SymbolError::Name(NameError::NoColon))
        );
        assert_eq!(Symbol::parse(&"*".repeat(98)), Err(SymbolError::TooLong));
    }
}
