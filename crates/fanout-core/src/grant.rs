use market::{Channel, InstrumentName};
use wire::Depth;
use wire::control::{StreamKey, Symbol, SymbolError};

/// Maximum instrument patterns per token; a broker with a desk per venue needs about a dozen.
const MAX_PATTERNS: usize = 256;
/// Maximum length of a subject, which is logged.
const MAX_SUBJECT: usize = 256;

/// What an authenticated client may have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    subject: Box<str>,
    rights: Rights,
    expires: Option<u64>,
}

/// Rights of a client; `None` means unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// Instruments that may be seen.
    pub instruments: Option<Box<[Symbol]>>,
    /// Channels that may be subscribed to.
    pub channels: Option<Box<[Channel]>>,
    /// Maximum depth of a book.
    pub max_depth: Option<Depth>,
    /// Maximum streams per session.
    pub max_streams: Option<u32>,
    /// Maximum sessions of the subject on this node.
    pub max_connections: Option<u32>,
}

/// Why rights cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    /// A pattern is malformed.
    #[error("instruments: {0:?}: {1}")]
    Instrument(String, SymbolError),
    /// There are too many patterns.
    #[error("instruments: {0}, and at most {MAX_PATTERNS} may be given")]
    TooMany(usize),
    /// A channel is unknown.
    #[error("channels: {0:?} is none; there are book, bbo, trades, ticker, bars and status")]
    Channel(String),
    /// A depth is unknown.
    #[error("max_depth: {0} is none; it may be 1, 5, 10, 25, 50, 100, 500, 1000 or \"full\"")]
    Depth(String),
    /// A value has the wrong type.
    #[error("{0} is of a wrong type")]
    Type(&'static str),
    /// A right is unknown.
    #[error("there is no right of such a name")]
    Unknown,
    /// The subject is missing or too long.
    #[error("sub is empty, or longer than {MAX_SUBJECT} bytes")]
    Subject,
}

/// Why a session is not entitled to a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotEntitled {
    /// The instrument is not granted.
    #[error("symbol {0:?}: the token is not for this instrument")]
    Instrument(String),
    /// The channel is not granted.
    #[error("channel {:?}: the token is not for this channel", .0.name())]
    Channel(Channel),
    /// The depth exceeds the granted one.
    #[error("depth: the token is for at most {0} levels a side")]
    Depth(usize),
    /// Grouping is not granted: a step sums levels beyond the granted depth.
    #[error("group: the token is for at most {0} levels a side, and a group would sum others")]
    Group(usize),
}

impl Grant {
    /// Creates a grant for a subject, expiring `expires` seconds after the Unix epoch.
    pub fn new(subject: &str, rights: Rights, expires: Option<u64>) -> Result<Self, RightsError> {
        let counts = rights.max_connections.is_some();
        if subject.len() > MAX_SUBJECT || counts && subject.is_empty() {
            return Err(RightsError::Subject);
        }
        Ok(Self {
            subject: subject.into(),
            rights,
            expires,
        })
    }

    /// Returns the subject; empty if clients are not authenticated.
    #[must_use]
    pub const fn subject(&self) -> &str {
        &self.subject
    }

    /// Returns the expiry in seconds since the Unix epoch.
    #[must_use]
    pub const fn expires(&self) -> Option<u64> {
        self.expires
    }

    /// Returns the maximum streams per session, where the node's own limit is `others`.
    #[must_use]
    pub fn most_streams(&self, others: usize) -> usize {
        let own = self.rights.max_streams.map(usize::try_from);
        own.and_then(Result::ok)
            .map_or(others, |own| own.min(others))
    }

    /// Returns the maximum sessions of the subject.
    #[must_use]
    pub const fn max_connections(&self) -> Option<u32> {
        self.rights.max_connections
    }

    /// Returns whether the instrument may be seen at all.
    #[must_use]
    pub fn may_see(&self, name: &InstrumentName) -> bool {
        let patterns = self.rights.instruments.as_ref();
        patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(name)))
    }

    /// Returns the number of comparisons that [`may_see`](Self::may_see) makes.
    pub(crate) fn pieces(&self) -> usize {
        let patterns = self.rights.instruments.iter().flatten();
        patterns.map(Symbol::pieces).sum()
    }

    /// Returns whether the channel may be subscribed to.
    #[must_use]
    pub fn may_have(&self, channel: Channel) -> bool {
        let channels = self.rights.channels.as_ref();
        channels.is_none_or(|channels| channels.contains(&channel))
    }

    /// Checks that a stream is granted. For a wildcard, each matching instrument is checked by
    /// [`Self::may_see`] instead.
    pub fn check(&self, key: &StreamKey) -> Result<(), NotEntitled> {
        if !self.may_have(key.channel) {
            return Err(NotEntitled::Channel(key.channel));
        }
        if let Some(name) = key.symbol.name().filter(|name| !self.may_see(name)) {
            return Err(NotEntitled::Instrument(name.as_str().to_owned()));
        }
        if key.channel != Channel::Book {
            return Ok(());
        }
        let most = self.rights.max_depth.and_then(Depth::levels);
        if let (Some(most), Some(_)) = (most, key.group) {
            return Err(NotEntitled::Group(most));
        }
        match (most, key.depth.levels()) {
            (Some(most), Some(depth)) if depth <= most => Ok(()),
            (Some(most), _) => Err(NotEntitled::Depth(most)),
            (None, _) => Ok(()),
        }
    }
}

impl Rights {
    /// Parses patterns of instruments, such as `BINANCE:*`.
    pub fn instruments_of<S: AsRef<str>>(texts: &[S]) -> Result<Box<[Symbol]>, RightsError> {
        if texts.len() > MAX_PATTERNS {
            return Err(RightsError::TooMany(texts.len()));
        }
        let parse = |text: &S| {
            let text = text.as_ref();
            Symbol::parse(text).map_err(|error| RightsError::Instrument(text.to_owned(), error))
        };
        texts.iter().map(parse).collect()
    }

    /// Parses channel names; fails at the first unknown one.
    pub fn channels_of<S: AsRef<str>>(texts: &[S]) -> Result<Box<[Channel]>, RightsError> {
        let parse = |text: &S| {
            let text = text.as_ref();
            Channel::from_name(text).ok_or_else(|| RightsError::Channel(text.to_owned()))
        };
        texts.iter().map(parse).collect()
    }

    /// Parses a depth: a number of levels, or `full`.
    pub fn depth_of(text: &str) -> Result<Depth, RightsError> {
        if text == "full" {
            return Ok(Depth::Full);
        }
        let levels = text.parse().ok().and_then(Depth::from_levels);
        levels.ok_or_else(|| RightsError::Depth(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::PriceStep;

    #[test]
    fn a_token_for_few_levels_sees_no_sums_of_others() {
        let rights = Rights {
            max_depth: Some(Depth::D1),
            ..Rights::default()
        };
        let grant = Grant::new("a", rights, None).unwrap();
        let name = InstrumentName::parse("A:B").unwrap();
        let mut key = StreamKey::new(Channel::Book, name);
        assert_eq!(grant.check(&key), Err(NotEntitled::Depth(1)));
        key.depth = Depth::D1;
        assert_eq!(grant.check(&key), Ok(()));
        key.group = PriceStep::parse("1000").ok();
        assert_eq!(grant.check(&key), Err(NotEntitled::Group(1)));
        assert_eq!(Grant::default().check(&key), Ok(()));
    }
}
